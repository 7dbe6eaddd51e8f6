-- name: ids
SELECT path, id FROM folders WHERE root_id = ? AND path IN (:names);

-- name: add
INSERT INTO folders (root_id, path, display_path)
SELECT column1, column2, column3 FROM (VALUES :rows) WHERE column1 IS NOT NULL
RETURNING path, id;

-- The index of paths is all that this reads.
-- name: count_rows
SELECT folder_id, COUNT(*) FROM photos WHERE folder_id IN (SELECT value FROM json_each(?)) GROUP BY folder_id;

-- name: count_present
SELECT folder_id, COUNT(*) FROM photos
WHERE folder_id IN (SELECT value FROM json_each(?)) AND state = 'present' GROUP BY folder_id;

-- name: page
SELECT id, path FROM folders
WHERE root_id = :root_id AND path > :after
  AND (:folder = x'' OR path = :folder OR (path > CAST(:folder || '/' AS BLOB) AND path < CAST(:folder || '0' AS BLOB)))
ORDER BY path LIMIT :limit;

-- The four steps of a folder's move. Where the new path has rows already (they are of a folder that went
-- missing), photos go into those folders, and a missing photo gives up its path.

-- name: move_free_paths
DELETE FROM photos
WHERE state = 'missing' AND id IN (
    SELECT stale.id
    FROM folders AS source
    JOIN folders AS target ON target.root_id = source.root_id
         AND target.path = CAST(:target || substr(source.path, length(:source) + 1) AS BLOB)
    JOIN photos AS moved ON moved.folder_id = source.id
    JOIN photos AS stale ON stale.folder_id = target.id AND stale.name = moved.name
    WHERE source.root_id = :root_id AND (source.path = :source
        OR (source.path > CAST(:source || '/' AS BLOB) AND source.path < CAST(:source || '0' AS BLOB))));

-- name: move_touch
UPDATE photos SET change_seq = :change_seq
WHERE folder_id IN (
    SELECT id FROM folders WHERE root_id = :root_id AND (path = :source
        OR (path > CAST(:source || '/' AS BLOB) AND path < CAST(:source || '0' AS BLOB))));

-- name: move_into_existing
UPDATE OR IGNORE photos SET folder_id = target.id
FROM folders AS source
JOIN folders AS target ON target.root_id = source.root_id
     AND target.path = CAST(:target || substr(source.path, length(:source) + 1) AS BLOB)
WHERE photos.folder_id = source.id AND source.root_id = :root_id AND (source.path = :source
    OR (source.path > CAST(:source || '/' AS BLOB) AND source.path < CAST(:source || '0' AS BLOB)));

-- name: move_rename
UPDATE OR IGNORE folders
SET path = CAST(:target || substr(path, length(:source) + 1) AS BLOB),
    display_path = :display_target || substr(display_path, length(:display_source) + 1)
WHERE root_id = :root_id AND (path = :source
    OR (path > CAST(:source || '/' AS BLOB) AND path < CAST(:source || '0' AS BLOB)));
