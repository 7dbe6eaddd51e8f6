-- name: any
SELECT EXISTS (SELECT 1 FROM sidecars);

-- name: folders_with_sidecars
SELECT DISTINCT photos.folder_id FROM photos
JOIN sidecars ON sidecars.photo_id = photos.id
WHERE photos.folder_id IN (SELECT value FROM json_each(?));

-- name: photos_of_folder
SELECT id, name FROM photos WHERE folder_id = ? AND state = 'present';

-- name: of_folder
SELECT sidecars.photo_id, sidecars.name, sidecars.size, sidecars.mtime_ns
FROM photos JOIN sidecars ON sidecars.photo_id = photos.id
WHERE photos.folder_id = ? AND photos.state = 'present';

-- name: put
INSERT INTO sidecars (photo_id, name, size, mtime_ns) VALUES (?, ?, ?, ?)
ON CONFLICT (photo_id, name) DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns;

-- name: remove
DELETE FROM sidecars WHERE photo_id = ? AND name = ?;

-- What does not read sidecars is as true of the new revision as it was of the old one.
-- name: carry_findings
UPDATE findings SET revision = revision + 1
WHERE photo_id IN (SELECT value FROM json_each(:photos))
  AND analyzer_id NOT IN (SELECT value FROM json_each(:analyzers))
  AND revision = (SELECT photos.revision FROM photos WHERE photos.id = findings.photo_id);

-- name: revise
UPDATE photos SET revision = revision + 1, change_seq = :change_seq
WHERE id IN (SELECT value FROM json_each(:photos));

-- name: owe
INSERT INTO jobs (photo_id, analyzer_id, priority)
SELECT photos.value, analyzers.value, :priority
FROM json_each(:photos) AS photos CROSS JOIN json_each(:analyzers) AS analyzers
WHERE true
ON CONFLICT (photo_id, analyzer_id) DO UPDATE
    SET priority = MIN(priority, excluded.priority), state = 'owed', attempts = 0, not_before = 0, reason = '';
