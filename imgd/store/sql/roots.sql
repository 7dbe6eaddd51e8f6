-- name: all
SELECT id, path, state, state_reason, scanned_at, filesystem_id, removed_at, purge_held FROM roots ORDER BY id;

-- name: configure
INSERT INTO roots (path, display_path) VALUES (?, ?)
ON CONFLICT (path) DO UPDATE SET removed_at = NULL
    WHERE removed_at IS NOT NULL;

-- name: remove
UPDATE roots SET state = 'offline', state_reason = ?, removed_at = ? WHERE id = ? AND removed_at IS NULL;

-- name: set_state
UPDATE roots SET state = ?, state_reason = ? WHERE id = ? AND (state, state_reason) IS NOT (?1, ?2);

-- name: set_scanned
UPDATE roots SET scanned_at = ?, filesystem_id = ? WHERE id = ?;

-- name: count_photos
SELECT COUNT(*) FROM folders JOIN photos ON photos.folder_id = folders.id WHERE folders.root_id = ?;

-- name: count_missing_since
SELECT COUNT(*) FROM photos JOIN folders ON folders.id = photos.folder_id
WHERE photos.state = 'missing' AND photos.missing_since >= ? AND folders.root_id = ?;

-- name: hold_purge
UPDATE roots SET purge_held = ? WHERE id = ?;
