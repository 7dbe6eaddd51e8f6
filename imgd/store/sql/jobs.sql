-- One analyzer's part of the queue, to a priority: what other analyzers wait for is never read.
-- name: page
SELECT priority, photo_id
FROM jobs
WHERE state = 'owed' AND analyzer_id = :analyzer_id
  AND (priority, photo_id) > (:priority, :photo_id) AND priority <= :least_urgent AND not_before <= :now
ORDER BY priority, photo_id
LIMIT :limit;

-- CROSS JOIN keeps the order of the queue, whatever the planner thinks.
-- name: photos
SELECT photos.id, photos.revision, roots.path, folders.path, photos.name,
       COALESCE(photos.format, ''), COALESCE(photos.width, 0), COALESCE(photos.height, 0),
       EXISTS (SELECT 1 FROM analyzers
               CROSS JOIN findings ON findings.photo_id = photos.id AND findings.analyzer_id = analyzers.id
               WHERE analyzers.name = :previewer AND findings.generation = analyzers.generation
                 AND findings.revision = photos.revision AND findings.analyzed_at < :before),
       photos.size, photos.mtime_ns, photos.device, photos.inode
FROM json_each(:photos) AS wanted
CROSS JOIN photos ON photos.id = wanted.value
CROSS JOIN folders ON folders.id = photos.folder_id
CROSS JOIN roots ON roots.id = folders.root_id
WHERE photos.state = 'present' AND roots.state = 'online';

-- name: jobs_of
SELECT photo_id, analyzer_id, attempts, priority
FROM json_each(:photos) AS wanted
JOIN jobs ON jobs.photo_id = wanted.value
WHERE state = 'owed' AND not_before <= :now
  AND analyzer_id IN (SELECT value FROM json_each(:analyzers));

-- name: sidecars_of
SELECT photo_id, name
FROM json_each(:photos) AS wanted
JOIN sidecars ON sidecars.photo_id = wanted.value
ORDER BY photo_id, name;

-- name: next_due
SELECT MIN(not_before) FROM jobs INDEXED BY jobs_postponed
WHERE state = 'owed' AND not_before > 0 AND not_before > :after AND analyzer_id IN (SELECT value FROM json_each(:analyzers));

-- name: finish
DELETE FROM jobs WHERE photo_id = ? AND analyzer_id = ?;

-- name: fail
UPDATE jobs SET state = 'failed', attempts = attempts + 1, reason = ? WHERE photo_id = ? AND analyzer_id = ?;

-- name: postpone
UPDATE jobs SET not_before = ?, attempts = attempts + 1, reason = ? WHERE photo_id = ? AND analyzer_id = ?;

-- name: retry
UPDATE jobs SET state = 'owed', attempts = 0, not_before = 0, priority = :priority
WHERE (state = 'failed' OR not_before > 0)
  AND analyzer_id IN (SELECT id FROM analyzers WHERE active)
  AND (:photos IS NULL OR photo_id IN (SELECT value FROM json_each(:photos)))
  AND (:analyzer IS NULL OR analyzer_id = (SELECT id FROM analyzers WHERE name = :analyzer));

-- name: any_owed
SELECT EXISTS (
    SELECT 1 FROM jobs
    JOIN photos ON photos.id = jobs.photo_id
    JOIN folders ON folders.id = photos.folder_id
    JOIN roots ON roots.id = folders.root_id
    WHERE jobs.state = 'owed' AND jobs.analyzer_id IN (SELECT value FROM json_each(?))
      AND photos.state = 'present' AND roots.state = 'online');
