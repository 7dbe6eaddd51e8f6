-- name: all
SELECT id, path, state, state_reason, scanned_at, filesystem_id, removed_at, purge_held FROM roots ORDER BY id;

-- name: configure
INSERT INTO roots (path, display_path) VALUES (?, ?)
ON CONFLICT (path) DO UPDATE SET removed_at = NULL
    WHERE removed_at IS NOT NULL;

-- name: remove
UPDATE roots SET state = 'offline', state_reason = ?, removed_at = ? WHERE id = ? AND removed_at IS NULL;

-- Their jobs stay: a root that is put back goes on where it was.
-- name: miss_photos
UPDATE photos SET state = 'missing', missing_since = :now, change_seq = :change_seq
WHERE state = 'present' AND folder_id IN (SELECT id FROM folders WHERE root_id = :root_id);

-- name: set_state
UPDATE roots SET state = ?, state_reason = ? WHERE id = ? AND (state, state_reason) IS NOT (?1, ?2);

-- name: set_scanned
UPDATE roots SET scanned_at = ?, filesystem_id = ? WHERE id = ?;

-- Those of a root that went missing after a time and are not confirmed, and those that are. The index has all
-- that this reads.
-- name: count_missing
SELECT COUNT(*) FILTER (WHERE photos.missing_since > :since AND photos.missing_since > roots.confirmed_at),
       COUNT(*) FILTER (WHERE photos.missing_since <= roots.confirmed_at)
FROM roots
CROSS JOIN photos INDEXED BY photos_missing
CROSS JOIN folders ON folders.id = photos.folder_id
WHERE roots.id = :root_id AND folders.root_id = roots.id AND photos.state = 'missing';

-- name: has_photos
SELECT COUNT(*) = :count FROM (
    SELECT 1 FROM folders JOIN photos ON photos.folder_id = folders.id
    WHERE folders.root_id = :root_id LIMIT :count);

-- name: hold_purge
UPDATE roots SET purge_held = ? WHERE id = ?;

-- name: is_held
SELECT purge_held FROM roots WHERE id = ?;

-- name: confirm
UPDATE roots SET purge_held = 0, confirmed_at = ? WHERE id = ?;
