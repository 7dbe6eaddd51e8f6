-- A scan after it went missing has to have looked for it: the photos of a root that was removed and put back are
-- missing until then.
-- name: pick_missing
SELECT photos.id FROM photos
JOIN folders ON folders.id = photos.folder_id
JOIN roots ON roots.id = folders.root_id
WHERE photos.state = 'missing' AND photos.missing_since < :before
  AND roots.state = 'online' AND NOT roots.purge_held AND roots.scanned_at >= photos.missing_since
LIMIT :limit;

-- name: pick_of_removed_roots
SELECT photos.id FROM roots
JOIN folders ON folders.root_id = roots.id
JOIN photos ON photos.folder_id = folders.id
WHERE roots.removed_at < :before
LIMIT :limit;

-- name: remove
DELETE FROM photos WHERE id IN (SELECT value FROM json_each(?));

-- name: remove_roots
DELETE FROM roots
WHERE removed_at < :before
  AND NOT EXISTS (SELECT 1 FROM folders JOIN photos ON photos.folder_id = folders.id WHERE folders.root_id = roots.id);
