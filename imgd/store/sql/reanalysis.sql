-- name: present
SELECT (SELECT COUNT(*) FROM photos)
     - (SELECT COUNT(*) FROM photos WHERE state = 'missing' AND missing_since IS NOT NULL);

-- name: generations
SELECT generation, version FROM generations WHERE analyzer_id = ?;

-- Findings of earlier generations, from the index alone: mostly there are none.
-- name: found_earlier
SELECT generation, COUNT(*) FROM findings WHERE analyzer_id = ? AND generation < ? GROUP BY generation;

-- name: found_now
SELECT COUNT(*) FROM findings WHERE analyzer_id = ? AND generation = ?;

-- name: found_of_missing
SELECT findings.generation, COUNT(*)
FROM photos CROSS JOIN findings ON findings.photo_id = photos.id AND findings.analyzer_id = ?
WHERE photos.state = 'missing' AND photos.missing_since IS NOT NULL
GROUP BY findings.generation;

-- name: owed
SELECT priority, COUNT(*) FROM jobs WHERE state = 'owed' AND analyzer_id = ? GROUP BY priority;

-- name: owed_of_missing
SELECT COUNT(*)
FROM photos CROSS JOIN jobs ON jobs.photo_id = photos.id AND jobs.analyzer_id = ?
WHERE photos.state = 'missing' AND photos.missing_since IS NOT NULL AND jobs.state = 'owed';

-- Failed jobs by the generation of the finding that their photo has nevertheless; -1: none.
-- name: failed
SELECT COALESCE(findings.generation, -1), COUNT(*)
FROM jobs
CROSS JOIN photos ON photos.id = jobs.photo_id
LEFT JOIN findings ON findings.photo_id = jobs.photo_id AND findings.analyzer_id = jobs.analyzer_id
WHERE jobs.state = 'failed' AND jobs.analyzer_id = ? AND photos.state = 'present'
GROUP BY 1;

-- name: owed_by_finding
SELECT COALESCE(findings.generation, -1), COUNT(*)
FROM (SELECT photo_id FROM jobs WHERE state = 'owed' AND analyzer_id = :analyzer LIMIT :limit) AS owed
CROSS JOIN photos ON photos.id = owed.photo_id
LEFT JOIN findings ON findings.photo_id = owed.photo_id AND findings.analyzer_id = :analyzer
WHERE photos.state = 'present'
GROUP BY 1;

-- name: photos_by_finding
SELECT COALESCE(findings.generation, -1), COALESCE(findings.revision <> photos.revision, 0), COALESCE(jobs.state, ''),
       COUNT(*)
FROM json_each(:photos) AS wanted
CROSS JOIN photos ON photos.id = wanted.value
LEFT JOIN findings ON findings.photo_id = photos.id AND findings.analyzer_id = :analyzer
LEFT JOIN jobs ON jobs.photo_id = photos.id AND jobs.analyzer_id = :analyzer
WHERE photos.state = 'present'
GROUP BY 1, 2, 3;

-- name: ids
SELECT COALESCE(MIN(id), 0), COALESCE(MAX(id), 0) FROM photos;

-- The first photo of a group from each of some ids on.
-- name: owed_from
SELECT (SELECT photo_id FROM jobs
        WHERE state = 'owed' AND analyzer_id = :analyzer AND priority = :group AND photo_id >= start.value
        ORDER BY photo_id LIMIT 1)
FROM json_each(:starts) AS start;

-- name: found_from
SELECT (SELECT photo_id FROM findings
        WHERE analyzer_id = :analyzer AND generation = :group AND photo_id >= start.value
        ORDER BY photo_id LIMIT 1)
FROM json_each(:starts) AS start;

-- name: present_from
SELECT (SELECT id FROM photos WHERE id >= start.value AND state = 'present' ORDER BY id LIMIT 1)
FROM json_each(:starts) AS start;

-- As the queue tells it: imgd.store.jobs.
-- name: with_preview
SELECT COUNT(*)
FROM json_each(:photos) AS wanted
CROSS JOIN analyzers ON analyzers.name = :previewer
CROSS JOIN photos ON photos.id = wanted.value
CROSS JOIN findings ON findings.photo_id = photos.id AND findings.analyzer_id = analyzers.id
WHERE findings.generation = analyzers.generation AND findings.revision = photos.revision
  AND findings.analyzed_at < :before AND photos.width > 0 AND photos.height > 0;

-- name: present_between
SELECT json_group_array(id) FROM photos WHERE id BETWEEN :first AND :last AND state = 'present';

-- Those of :photos that have a finding or were asked for before.
-- name: known
SELECT json_group_array(wanted.value)
FROM json_each(:photos) AS wanted
WHERE EXISTS (SELECT 1 FROM findings WHERE photo_id = wanted.value AND analyzer_id = :analyzer)
   OR EXISTS (SELECT 1 FROM jobs WHERE photo_id = wanted.value AND analyzer_id = :analyzer);

-- Those of :photos that have no current finding.
-- name: lacking
SELECT json_group_array(photos.id)
FROM json_each(:photos) AS wanted CROSS JOIN photos ON photos.id = wanted.value
CROSS JOIN analyzers ON analyzers.id = :analyzer
WHERE NOT EXISTS (SELECT 1 FROM findings
                  WHERE findings.photo_id = photos.id AND findings.analyzer_id = analyzers.id
                    AND findings.generation = analyzers.generation AND findings.revision = photos.revision);

-- What is owed already stays as urgent as it is.
-- name: owe
INSERT INTO jobs (photo_id, analyzer_id, priority)
SELECT photos.id, :analyzer, :priority
FROM json_each(:photos) AS wanted CROSS JOIN photos ON photos.id = wanted.value
WHERE photos.state = 'present'
ON CONFLICT (photo_id, analyzer_id) DO UPDATE
    SET priority = CASE state WHEN 'owed' THEN MIN(priority, excluded.priority) ELSE excluded.priority END,
        state = 'owed', attempts = 0, not_before = 0, reason = '';

-- Of photos whose finding is of an earlier generation; what failed since stays failed.
-- name: owe_earlier
INSERT INTO jobs (photo_id, analyzer_id, priority)
SELECT findings.photo_id, :analyzer, :priority
FROM analyzers
CROSS JOIN findings ON findings.analyzer_id = analyzers.id AND findings.generation < analyzers.generation
CROSS JOIN photos ON photos.id = findings.photo_id
WHERE analyzers.id = :analyzer AND photos.state = 'present'
ON CONFLICT (photo_id, analyzer_id) DO NOTHING;
