-- What a search reads of library.db once it has its candidates.

-- name: absent
SELECT value FROM json_each(:photo_ids)
WHERE NOT EXISTS (SELECT 1 FROM photos WHERE id = value AND state = 'present');

-- name: paths
SELECT photos.id, roots.path, folders.path, photos.name, photos.display_name
FROM photos JOIN folders ON folders.id = folder_id JOIN roots ON roots.id = root_id
WHERE photos.id IN (SELECT value FROM json_each(:photo_ids));

-- name: tag_scores
SELECT photo_id, label, max(score) FROM tags JOIN labels ON labels.id = label_id
WHERE photo_id IN (SELECT value FROM json_each(:photo_ids)) GROUP BY photo_id, label;

-- name: captions
SELECT DISTINCT photo_id, text FROM json_each(:photo_ids) AS chosen CROSS JOIN texts ON photo_id = chosen.value
WHERE kind = 'caption' ORDER BY photo_id, analyzer_id, ordinal;

-- What a query names exactly: the surest first, by an index.

-- name: tagged
SELECT photo_id, score FROM tags WHERE label_id = :label AND score >= :least ORDER BY score DESC LIMIT :limit;

-- name: tagged_within
SELECT photo_id, max(score)
FROM json_each(:photo_ids) AS chosen CROSS JOIN tags ON tags.photo_id = chosen.value
WHERE label_id IN (SELECT value FROM json_each(:labels)) AND score >= :least GROUP BY photo_id;

-- name: people
SELECT photo_id, 1.0 FROM (
    SELECT photo_id FROM regions WHERE kind IN ('person', 'face') AND label = :name
    UNION ALL
    SELECT photo_id FROM texts WHERE kind = 'person' AND text = :name)
LIMIT :limit;

-- The order of an answer, for photos that were found.

-- name: moments
SELECT photos.id, coalesce(taken_at, '') FROM json_each(:photo_ids) AS chosen
CROSS JOIN photos ON photos.id = chosen.value LEFT JOIN metadata ON metadata.photo_id = photos.id;

-- The newest first, by the index of moments.
-- name: by_date
SELECT photo_id, taken_at FROM metadata INDEXED BY metadata_by_taken
CROSS JOIN photos ON photos.id = photo_id
WHERE taken_at IS NOT NULL AND (taken_at, photo_id) < (:moment, :photo_id) AND photos.state = 'present'
ORDER BY taken_at DESC, photo_id DESC LIMIT :limit;

-- name: dated_ids
SELECT group_concat(photo_id) FROM (
    SELECT photo_id FROM metadata INDEXED BY metadata_by_taken
    WHERE taken_at IS NOT NULL AND (taken_at, photo_id) < (:moment, :photo_id)
    ORDER BY taken_at DESC, photo_id DESC);

-- name: undated
SELECT photos.id FROM photos LEFT JOIN metadata ON metadata.photo_id = photos.id
WHERE photos.id < :photo_id AND taken_at IS NULL AND photos.state = 'present'
ORDER BY photos.id DESC LIMIT :limit;

-- name: roots_from
SELECT id, path FROM roots WHERE path >= ? ORDER BY path;

-- A library as a list by path; the indexes of folders and photos have this order.
-- name: by_path
SELECT photos.id, roots.path, folders.path, photos.name
FROM roots
CROSS JOIN folders ON folders.root_id = roots.id
CROSS JOIN photos ON photos.folder_id = folders.id
WHERE roots.id = :root_id AND folders.path >= :folder AND (folders.path > :folder OR photos.name > :name)
  AND photos.state = 'present'
ORDER BY folders.path, photos.name LIMIT :limit;

-- name: ids_by_path
SELECT group_concat(id) FROM (
    SELECT photos.id FROM folders CROSS JOIN photos ON photos.folder_id = folders.id
    WHERE folders.root_id = :root_id AND folders.path >= :folder
      AND (folders.path > :folder OR photos.name > :name)
    ORDER BY folders.path, photos.name);
