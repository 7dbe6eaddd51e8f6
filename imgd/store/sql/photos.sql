-- name: newest
SELECT COALESCE(MAX(id), 0) FROM photos;

-- name: add_new
INSERT INTO photos (folder_id, name, display_name, size, mtime_ns, device, inode, added_at, change_seq)
SELECT column1, column2, CAST(column2 AS TEXT), column3, column4, column5, column6, ?, ?
FROM (VALUES :rows) WHERE column2 IS NOT NULL
ON CONFLICT (folder_id, name) DO NOTHING;

-- name: show_name
UPDATE photos SET display_name = ? WHERE folder_id = ? AND name = ?;

-- What has the size of a missing photo may be that one at another path, and is read before what else a scan finds.
-- name: owe_new
INSERT INTO jobs (photo_id, analyzer_id, priority)
SELECT photos.id, analyzers.id,
       CASE WHEN EXISTS (SELECT 1 FROM photos AS lost INDEXED BY photos_missing_by_size
                         WHERE lost.state = 'missing' AND lost.size = photos.size)
            THEN MIN(:priority, :event) ELSE :priority END
FROM photos CROSS JOIN analyzers
WHERE photos.id > :newest AND analyzers.active AND analyzers.run <> 'request';

-- The staging table of files that are known already: a row a file, by path. It lives in memory, on the write connection.

-- name: make_staging
CREATE TEMP TABLE IF NOT EXISTS seen_files (
    folder_id INTEGER NOT NULL,
    name      BLOB NOT NULL,
    size      INTEGER NOT NULL,
    mtime_ns  INTEGER NOT NULL,
    device    INTEGER NOT NULL,
    inode     INTEGER NOT NULL,
    photo_id  INTEGER,
    verdict   TEXT,
    PRIMARY KEY (folder_id, name)
) WITHOUT ROWID;

-- name: clear_staging
DELETE FROM temp.seen_files;

-- name: stage
INSERT OR REPLACE INTO temp.seen_files (folder_id, name, size, mtime_ns, device, inode)
SELECT column1, column2, column3, column4, column5, column6 FROM (VALUES :rows) WHERE column2 IS NOT NULL;

-- name: recognise
UPDATE temp.seen_files
SET photo_id = known.id,
    verdict = CASE
        WHEN known.size <> seen_files.size OR known.mtime_ns <> seen_files.mtime_ns THEN 'changed'
        WHEN (known.inode <> seen_files.inode OR known.device <> seen_files.device) AND EXISTS (
            SELECT 1 FROM main.photos AS other
            WHERE other.inode = seen_files.inode AND other.device = seen_files.device
              AND other.size = seen_files.size AND other.mtime_ns = seen_files.mtime_ns
              AND other.id <> known.id AND other.id <= :newest) THEN 'changed'
        WHEN known.state = 'missing' THEN 'back'
        WHEN known.inode <> seen_files.inode OR known.device <> seen_files.device THEN 'relinked'
        ELSE 'unchanged' END
FROM main.photos AS known
WHERE known.folder_id = seen_files.folder_id AND known.name = seen_files.name AND known.id <= :newest;

-- name: verdicts
SELECT verdict, COUNT(*) FROM temp.seen_files WHERE verdict IS NOT NULL GROUP BY verdict;

-- name: update_known
UPDATE photos
SET size = seen.size, mtime_ns = seen.mtime_ns, device = seen.device, inode = seen.inode,
    state = 'present', missing_since = NULL,
    revision = photos.revision + (seen.verdict = 'changed'),
    file_revision = CASE seen.verdict WHEN 'changed' THEN photos.revision + 1 ELSE photos.file_revision END,
    fingerprint = CASE seen.verdict WHEN 'changed' THEN NULL ELSE photos.fingerprint END,
    content_hash = CASE seen.verdict WHEN 'changed' THEN NULL ELSE photos.content_hash END,
    change_seq = CASE seen.verdict WHEN 'relinked' THEN photos.change_seq ELSE :change_seq END
FROM temp.seen_files AS seen
WHERE photos.id = seen.photo_id AND seen.verdict IN ('changed', 'back', 'relinked');

-- Of an analyzer that runs on request, what was asked for and is owed or failed.
-- name: owe_changed
INSERT INTO jobs (photo_id, analyzer_id, priority)
SELECT seen.photo_id, analyzers.id, :priority
FROM temp.seen_files AS seen CROSS JOIN analyzers
WHERE seen.verdict = 'changed' AND analyzers.active
  AND (analyzers.run <> 'request' OR EXISTS (
      SELECT 1 FROM jobs WHERE jobs.photo_id = seen.photo_id AND jobs.analyzer_id = analyzers.id))
ON CONFLICT (photo_id, analyzer_id) DO UPDATE
    SET priority = MIN(priority, excluded.priority), state = 'owed', attempts = 0, not_before = 0, reason = '';

-- name: back
SELECT json_group_array(photo_id) FROM temp.seen_files WHERE verdict = 'back';

-- What was owed everywhere while a photo was missing did not reach it.
-- name: owe_back
INSERT INTO jobs (photo_id, analyzer_id, priority)
SELECT photos.id, analyzers.id, :priority
FROM json_each(:photos) AS back
CROSS JOIN photos ON photos.id = back.value
CROSS JOIN analyzers
WHERE analyzers.active AND analyzers.run <> 'request'
  AND NOT EXISTS (SELECT 1 FROM findings
                  WHERE findings.photo_id = photos.id AND findings.analyzer_id = analyzers.id
                    AND findings.generation = analyzers.generation AND findings.revision = photos.revision)
ON CONFLICT (photo_id, analyzer_id) DO NOTHING;

-- name: unreadable
SELECT DISTINCT photos.id
FROM (VALUES :rows) AS seen
CROSS JOIN photos ON photos.folder_id = seen.column1 AND photos.name = seen.column2
CROSS JOIN jobs ON jobs.photo_id = photos.id
WHERE seen.column2 IS NOT NULL AND jobs.state = 'failed' AND jobs.reason GLOB 'the file cannot be read*';

-- name: owe_unreadable
UPDATE jobs SET state = 'owed', attempts = 0, not_before = 0, reason = '', priority = MIN(priority, :priority)
WHERE state = 'failed' AND reason GLOB 'the file cannot be read*'
  AND photo_id IN (SELECT value FROM json_each(:photos));

-- name: differing
SELECT seen.column1, seen.column2, photos.id
FROM (VALUES :rows) AS seen
LEFT JOIN photos ON photos.folder_id = seen.column1 AND photos.name = seen.column2
WHERE seen.column2 IS NOT NULL
  AND (photos.id IS NULL OR photos.size <> seen.column3 OR photos.mtime_ns <> seen.column4
       OR photos.inode <> seen.column6 OR photos.device <> seen.column5 OR photos.state = 'missing');

-- The columns are those of a SeenFile.
-- name: seen_before
SELECT folders.path, photos.name, photos.size, photos.mtime_ns, photos.device, photos.inode
FROM json_each(?) AS wanted
CROSS JOIN folders ON folders.id = wanted.value
CROSS JOIN photos ON photos.folder_id = folders.id
WHERE photos.state = 'present';

-- A photo whose file may now be the seen one, by inode. One in an offline root counts only where that root
-- is no longer configured: the file of an unplugged disk is not gone.
-- name: of_inodes
SELECT photos.id, roots.path, folders.path, photos.name,
       photos.size, photos.mtime_ns, photos.device, photos.inode, roots.removed_at IS NOT NULL
FROM json_each(?) AS seen
CROSS JOIN photos ON photos.inode = seen.value
JOIN folders ON folders.id = photos.folder_id
JOIN roots ON roots.id = folders.root_id
WHERE roots.state = 'online' OR roots.removed_at IS NOT NULL
ORDER BY photos.id;

-- name: find
SELECT photos.id, photos.state FROM folders JOIN photos ON photos.folder_id = folders.id
WHERE folders.root_id = ? AND folders.path = ? AND photos.name = ?;

-- name: move
UPDATE photos SET folder_id = ?, name = ?, display_name = ?, state = 'present', missing_since = NULL, change_seq = ?
WHERE id = ?;

-- name: remove
DELETE FROM photos WHERE id = ?;

-- name: page_of_folder
SELECT id, name, device FROM photos
WHERE folder_id = ? AND name > ? AND state = 'present' ORDER BY name LIMIT ?;

-- name: mark_missing
UPDATE photos SET state = 'missing', missing_since = :now, change_seq = :change_seq
WHERE state = 'present' AND id IN (SELECT value FROM json_each(:photos));

-- name: mark_folders_missing
UPDATE photos SET state = 'missing', missing_since = :now, change_seq = :change_seq
WHERE state = 'present' AND folder_id IN (
    SELECT id FROM folders WHERE root_id = :root_id
      AND (path = :folder OR (path > CAST(:folder || '/' AS BLOB) AND path < CAST(:folder || '0' AS BLOB))));

-- Present photos that may be one of those that went missing lately: by size where they were not read yet.
-- name: candidates
WITH lost AS MATERIALIZED (
    SELECT size, fingerprint FROM photos INDEXED BY photos_missing
    WHERE state = 'missing' AND missing_since >= :since AND fingerprint IS NOT NULL)
SELECT id FROM photos INDEXED BY photos_by_size
WHERE size IN (SELECT size FROM lost) AND state = 'present'
  AND (fingerprint IS NULL OR fingerprint IN (SELECT fingerprint FROM lost));

-- name: hasten
UPDATE jobs SET priority = :event
WHERE state = 'owed' AND priority = :scan AND photo_id IN (
    SELECT photos.id FROM json_each(:photos) AS wanted
    CROSS JOIN photos ON photos.id = wanted.value WHERE photos.fingerprint IS NULL);

-- New is a photo that was added since the other one's root was last scanned, or first looked at when that one was
-- gone: a copy that has long been there stays what it is. CROSS JOIN leads by the fingerprint, which few photos share.
-- name: lost_twins
SELECT fresh.id, lost.id, fresh.folder_id, fresh.name, fresh.display_name, fresh.mtime_ns, fresh.device, fresh.inode
FROM json_each(:photos) AS wanted
CROSS JOIN photos AS fresh ON fresh.id = wanted.value
CROSS JOIN photos AS lost ON lost.fingerprint = fresh.fingerprint AND lost.size = fresh.size
JOIN folders ON folders.id = lost.folder_id
JOIN roots ON roots.id = folders.root_id
LEFT JOIN metadata AS fresh_told ON fresh_told.photo_id = fresh.id
LEFT JOIN metadata AS lost_told ON lost_told.photo_id = lost.id
WHERE fresh.state = 'present' AND lost.state = 'missing' AND lost.id < fresh.id
  AND (lost.mtime_ns = fresh.mtime_ns
       OR (lost_told.taken_at = fresh_told.taken_at AND lost_told.taken_offset_s IS fresh_told.taken_offset_s))
  AND (SELECT COUNT(*) FROM (SELECT 1 FROM photos AS other INDEXED BY photos_by_fingerprint
                             WHERE other.fingerprint = fresh.fingerprint AND other.size = fresh.size LIMIT 3)) = 2
  AND (fresh.added_at >= COALESCE(roots.scanned_at, 0)
       OR NOT EXISTS (SELECT 1 FROM findings
                      WHERE findings.photo_id = fresh.id AND findings.analyzed_at < lost.missing_since));

-- name: take_over
UPDATE photos
SET folder_id = ?, name = ?, display_name = ?, mtime_ns = ?, device = ?, inode = ?,
    state = 'present', missing_since = NULL, change_seq = ?
WHERE id = ?;
