-- What the control socket reads of the library.

-- name: photo_by_id
SELECT photos.id FROM photos WHERE photos.id = :photo_id;

-- name: photo
SELECT photos.id, roots.path, folders.path, photos.name, photos.state, photos.size, photos.mtime_ns,
       photos.added_at, photos.revision, photos.missing_since, photos.format, photos.width, photos.height,
       photos.route, photos.damage, photos.fingerprint, photos.content_hash
FROM photos
JOIN folders ON folders.id = photos.folder_id
JOIN roots ON roots.id = folders.root_id
WHERE photos.id = :photo_id;

-- name: metadata
SELECT * FROM metadata WHERE photo_id = :photo_id;

-- name: sidecars
SELECT name, size, mtime_ns FROM sidecars WHERE photo_id = :photo_id ORDER BY name;

-- name: findings
SELECT findings.analyzer_id, analyzers.name, analyzers.version, analyzers.generation,
       findings.generation, findings.revision, findings.analyzed_at, findings.facts,
       findings.route
FROM findings
JOIN analyzers ON analyzers.id = findings.analyzer_id
WHERE findings.photo_id = :photo_id
ORDER BY analyzers.name;

-- name: tags
SELECT tags.analyzer_id, labels.label, tags.score
FROM tags
JOIN labels ON labels.id = tags.label_id
WHERE tags.photo_id = :photo_id
ORDER BY tags.score DESC, labels.label;

-- name: texts
SELECT analyzer_id, kind, text FROM texts WHERE photo_id = :photo_id ORDER BY analyzer_id, ordinal;

-- name: regions
SELECT analyzer_id, kind, label, score, box_left, box_top, box_width, box_height, quality
FROM regions
WHERE photo_id = :photo_id
ORDER BY analyzer_id, ordinal;

-- name: vectors
SELECT vectors.analyzer_id, spaces.name, spaces.dimensions, vectors.region
FROM vectors
JOIN spaces ON spaces.id = vectors.space_id
WHERE vectors.photo_id = :photo_id
ORDER BY vectors.id;

-- name: jobs
SELECT analyzers.name, jobs.state, jobs.attempts, jobs.reason, jobs.not_before
FROM jobs
JOIN analyzers ON analyzers.id = jobs.analyzer_id
WHERE jobs.photo_id = :photo_id
ORDER BY analyzers.name;

-- name: failed
SELECT jobs.photo_id, jobs.analyzer_id, roots.path, folders.path, photos.name, analyzers.name,
       jobs.reason, jobs.attempts
FROM jobs
JOIN analyzers ON analyzers.id = jobs.analyzer_id
JOIN photos ON photos.id = jobs.photo_id
JOIN folders ON folders.id = photos.folder_id
JOIN roots ON roots.id = folders.root_id
WHERE jobs.state = 'failed' AND photos.state = 'present' AND (jobs.photo_id, jobs.analyzer_id) > (:photo_id, :analyzer_id)
ORDER BY jobs.photo_id, jobs.analyzer_id
LIMIT :limit;

-- name: root_counts
SELECT roots.path, roots.state, roots.state_reason,
       (SELECT coalesce(sum((SELECT count(*) FROM photos WHERE photos.folder_id = folders.id)), 0)
        FROM folders WHERE folders.root_id = roots.id)
FROM roots
ORDER BY roots.path;

-- name: missing_counts
SELECT roots.path, count(*)
FROM photos
JOIN folders ON folders.id = photos.folder_id
JOIN roots ON roots.id = folders.root_id
WHERE photos.state = 'missing' AND photos.missing_since IS NOT NULL
GROUP BY roots.path;

-- name: owed_counts
SELECT id, (SELECT count(*) FROM jobs WHERE jobs.analyzer_id = analyzers.id AND jobs.state = 'owed') FROM analyzers;

-- name: reanalyzed_counts
SELECT id, (SELECT count(*) FROM jobs
            WHERE jobs.analyzer_id = analyzers.id AND jobs.state = 'owed' AND jobs.priority = ?) FROM analyzers;

-- name: owed_of_missing
SELECT jobs.analyzer_id, count(*)
FROM photos CROSS JOIN jobs ON jobs.photo_id = photos.id
WHERE photos.state = 'missing' AND photos.missing_since IS NOT NULL AND jobs.state = 'owed'
GROUP BY jobs.analyzer_id;

-- CROSS JOIN begins with the roots, of which seldom one is offline: mostly there is nothing to read.
-- name: owed_out_of_reach
SELECT jobs.analyzer_id, count(*)
FROM roots
CROSS JOIN folders ON folders.root_id = roots.id
CROSS JOIN photos ON photos.folder_id = folders.id
CROSS JOIN jobs ON jobs.photo_id = photos.id
WHERE roots.state = 'offline' AND photos.state = 'present' AND jobs.state = 'owed'
GROUP BY jobs.analyzer_id;

-- name: failed_counts
SELECT analyzer_id, sum(counted) FROM (
    SELECT analyzer_id, count(*) AS counted FROM jobs WHERE state = 'failed' GROUP BY analyzer_id
    UNION ALL
    SELECT jobs.analyzer_id, -count(*)
    FROM photos CROSS JOIN jobs ON jobs.photo_id = photos.id
    WHERE photos.state = 'missing' AND photos.missing_since IS NOT NULL AND jobs.state = 'failed'
    GROUP BY jobs.analyzer_id)
GROUP BY analyzer_id;

-- Of an analyzer to which photos owe nothing by themselves: how many it has looked at.
-- name: looked_at
SELECT (SELECT count(*) FROM findings
        WHERE findings.analyzer_id = :analyzer AND findings.generation = :generation)
     - (SELECT count(*) FROM photos CROSS JOIN findings ON findings.photo_id = photos.id
        WHERE photos.state = 'missing' AND photos.missing_since IS NOT NULL
          AND findings.analyzer_id = :analyzer AND findings.generation = :generation);

-- name: spaces_of_analyzers
SELECT analyzers.name, spaces.name
FROM space_sources
JOIN analyzers ON analyzers.id = space_sources.analyzer_id
JOIN spaces ON spaces.id = space_sources.space_id
ORDER BY analyzers.id, space_sources.generation DESC, spaces.id;

-- name: failure_reasons
SELECT analyzers.name, jobs.reason, count(*) AS photos
FROM jobs
JOIN analyzers ON analyzers.id = jobs.analyzer_id
JOIN photos ON photos.id = jobs.photo_id
WHERE jobs.state = 'failed' AND photos.state = 'present'
GROUP BY jobs.analyzer_id, jobs.reason
ORDER BY analyzers.id, photos DESC, jobs.reason;
