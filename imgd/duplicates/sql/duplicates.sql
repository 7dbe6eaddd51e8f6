-- What is read of the library to find duplicates, and the content hashes that are written there.
-- A photo counts while its file is present and its root is online and configured.

-- name: last_shared
SELECT max(fingerprint) FROM (
    SELECT fingerprint FROM photos WHERE fingerprint > :after
    GROUP BY fingerprint HAVING count(*) > 1 ORDER BY fingerprint LIMIT :groups);

-- name: to_hash
WITH shared AS MATERIALIZED (
    SELECT fingerprint FROM photos WHERE fingerprint > :after AND fingerprint <= :last
    GROUP BY fingerprint HAVING count(*) > 1)
SELECT id, revision, size, mtime_ns, device, inode, root_path, folder_path, name
FROM (SELECT photos.id, photos.revision, photos.size, photos.mtime_ns, photos.device, photos.inode,
             roots.path AS root_path, folders.path AS folder_path, photos.name, photos.content_hash,
             count(*) OVER (PARTITION BY photos.fingerprint, photos.size) AS twins
      FROM shared
      CROSS JOIN photos ON photos.fingerprint = shared.fingerprint
      JOIN folders ON folders.id = photos.folder_id
      JOIN roots ON roots.id = folders.root_id
      WHERE photos.state = 'present' AND roots.state = 'online' AND roots.removed_at IS NULL)
WHERE twins > 1 AND content_hash IS NULL
ORDER BY device, inode;

-- name: count_to_hash
WITH shared AS MATERIALIZED (
    SELECT fingerprint FROM photos WHERE fingerprint IS NOT NULL GROUP BY fingerprint HAVING count(*) > 1)
SELECT count(*), coalesce(sum(size), 0)
FROM (SELECT photos.size, photos.content_hash,
             count(*) OVER (PARTITION BY photos.fingerprint, photos.size) AS twins
      FROM shared
      CROSS JOIN photos ON photos.fingerprint = shared.fingerprint
      JOIN folders ON folders.id = photos.folder_id
      JOIN roots ON roots.id = folders.root_id
      WHERE photos.state = 'present' AND roots.state = 'online' AND roots.removed_at IS NULL)
WHERE twins > 1 AND content_hash IS NULL;

-- A file that changed meanwhile has another revision, and the hash is not its own.
-- name: put_hashes
UPDATE photos SET content_hash = seen.column3
FROM (VALUES :rows) AS seen
WHERE photos.id = seen.column1 AND photos.revision = seen.column2;

-- Those of one content lie together.
-- name: hashed
SELECT photos.content_hash, photos.id, photos.size, photos.device, photos.inode
FROM photos
JOIN folders ON folders.id = photos.folder_id
JOIN roots ON roots.id = folders.root_id
WHERE photos.content_hash > :after AND photos.content_hash <= :last
  AND photos.state = 'present' AND roots.state = 'online' AND roots.removed_at IS NULL
ORDER BY photos.content_hash, photos.id;

-- name: last_hashed
SELECT max(content_hash) FROM (
    SELECT content_hash FROM photos WHERE content_hash > :after
    GROUP BY content_hash ORDER BY content_hash LIMIT :limit);

-- name: files
SELECT photos.id, roots.path, folders.path, photos.name, photos.size, photos.width, photos.height, photos.format,
       photos.device, photos.inode, metadata.taken_at
FROM json_each(:photo_ids) AS wanted
CROSS JOIN photos ON photos.id = wanted.value
JOIN folders ON folders.id = photos.folder_id
JOIN roots ON roots.id = folders.root_id
LEFT JOIN metadata ON metadata.photo_id = photos.id
WHERE photos.state = 'present' AND roots.state = 'online' AND roots.removed_at IS NULL;

-- name: taken
SELECT taken_at, photo_id, coalesce(camera_make, '') || ' ' || camera_model, coalesce(shutter_s, 0)
FROM metadata
WHERE taken_at IS NOT NULL AND (taken_at, photo_id) > (:taken_at, :photo_id) AND camera_model IS NOT NULL
ORDER BY taken_at, photo_id
LIMIT :limit;

-- name: phashes
SELECT text, photo_id FROM facts
WHERE key = 'phash' AND text IS NOT NULL AND (text, photo_id) > (:text, :photo_id)
  AND analyzer_id = (SELECT id FROM analyzers WHERE name = 'technical')
ORDER BY text, photo_id
LIMIT :limit;

-- Of files that are bit-identical, as far as anybody knows, only the first is compared by its looks.
-- name: looks
SELECT photos.id, photos.folder_id, photos.display_name, photos.format, photos.width, photos.height,
       photos.size, metadata.taken_at, contrast.number
FROM json_each(:photo_ids) AS wanted
CROSS JOIN photos ON photos.id = wanted.value
JOIN folders ON folders.id = photos.folder_id
JOIN roots ON roots.id = folders.root_id
LEFT JOIN metadata ON metadata.photo_id = photos.id
LEFT JOIN facts AS contrast ON contrast.photo_id = photos.id AND contrast.key = 'contrast'
      AND contrast.analyzer_id = (SELECT id FROM analyzers WHERE name = 'technical')
WHERE photos.state = 'present' AND roots.state = 'online' AND roots.removed_at IS NULL
  AND photos.width > 0 AND photos.height > 0
  AND NOT EXISTS (
      SELECT 1 FROM photos AS twin
      JOIN folders AS its_folder ON its_folder.id = twin.folder_id
      JOIN roots AS its_root ON its_root.id = its_folder.root_id
      WHERE twin.fingerprint = photos.fingerprint AND twin.size = photos.size AND twin.id < photos.id
        AND (twin.content_hash = photos.content_hash
             OR twin.content_hash IS NULL OR photos.content_hash IS NULL)
        AND twin.state = 'present' AND its_root.state = 'online' AND its_root.removed_at IS NULL);

-- name: vectors
SELECT vectors.photo_id, vectors.space_id, vectors.generation, vectors.data
FROM json_each(:photo_ids) AS wanted
CROSS JOIN vectors ON vectors.photo_id = wanted.value
WHERE vectors.region IS NULL
ORDER BY vectors.id;

-- name: last_raw
SELECT max(id) FROM (SELECT id FROM photos WHERE format = 'raw' AND id > :after ORDER BY id LIMIT :limit);

-- `rtrim(name, replace(name, '.', ''))` is the name up to its last dot, with the dot.
-- name: pairs_in_a_folder
SELECT raw.id, other.id
FROM (SELECT id, folder_id, name, rtrim(display_name, replace(display_name, '.', '')) AS stem FROM photos
      WHERE format = 'raw' AND id > :after AND id <= :last AND state = 'present') AS raw
JOIN folders ON folders.id = raw.folder_id
JOIN roots ON roots.id = folders.root_id
CROSS JOIN photos AS other ON other.folder_id = raw.folder_id
      AND other.name > CAST(raw.stem AS BLOB)
      AND other.name < CAST(substr(raw.stem, 1, length(raw.stem) - 1) || '/' AS BLOB)
WHERE roots.state = 'online' AND roots.removed_at IS NULL
  AND other.format IN ('jpeg', 'heic', 'jxl') AND other.state = 'present'
  AND rtrim(other.display_name, replace(other.display_name, '.', '')) = raw.stem;

-- A time of midnight is that of a date alone, which many photos share.
-- name: pairs_of_a_time
SELECT raw.id, other.id
FROM (SELECT id, folder_id, rtrim(display_name, replace(display_name, '.', '')) AS stem FROM photos
      WHERE format = 'raw' AND id > :after AND id <= :last AND state = 'present') AS raw
JOIN folders ON folders.id = raw.folder_id
JOIN roots ON roots.id = folders.root_id
CROSS JOIN metadata AS taken ON taken.photo_id = raw.id
CROSS JOIN metadata AS also ON also.taken_at = taken.taken_at AND also.camera_model IS taken.camera_model
CROSS JOIN photos AS other ON other.id = also.photo_id
JOIN folders AS other_folder ON other_folder.id = other.folder_id
JOIN roots AS other_root ON other_root.id = other_folder.root_id
WHERE roots.state = 'online' AND roots.removed_at IS NULL
  AND other_root.state = 'online' AND other_root.removed_at IS NULL
  AND substr(taken.taken_at, 12) <> '00:00:00.000'
  AND other.format IN ('jpeg', 'heic', 'jxl') AND other.state = 'present'
  AND rtrim(other.display_name, replace(other.display_name, '.', '')) = raw.stem;

-- name: missing
SELECT count(*) FROM photos WHERE state = 'missing' AND missing_since IS NOT NULL;

-- name: unread
SELECT (SELECT count(*) FROM photos) - (SELECT count(*) FROM photos WHERE fingerprint IS NOT NULL);

-- name: out_of_reach
SELECT coalesce(sum((SELECT count(*) FROM photos WHERE photos.folder_id = folders.id)), 0)
FROM roots CROSS JOIN folders ON folders.root_id = roots.id
WHERE roots.state <> 'online' OR roots.removed_at IS NOT NULL;

-- name: without_phash
SELECT (SELECT count(*) FROM photos) - (SELECT count(*) FROM facts WHERE key = 'phash' AND text IS NOT NULL);

-- name: without_time
SELECT (SELECT count(*) FROM photos) - (SELECT count(*) FROM metadata WHERE taken_at IS NOT NULL);
