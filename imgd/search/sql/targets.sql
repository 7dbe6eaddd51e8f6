-- How a photo that a person names is found in library.db.

-- One look into the index of each folder.
-- name: photos_named
SELECT photos.id, roots.path, folders.path, photos.name, photos.state = 'present'
FROM folders
CROSS JOIN photos ON photos.folder_id = folders.id
JOIN roots ON roots.id = folders.root_id
WHERE photos.name = :name
ORDER BY photos.id
LIMIT :limit;

-- name: photos_by_id
SELECT photos.id, roots.path, folders.path, photos.name, photos.state = 'present'
FROM photos JOIN folders ON folders.id = photos.folder_id JOIN roots ON roots.id = folders.root_id
WHERE photos.id IN (SELECT value FROM json_each(:photo_ids))
ORDER BY photos.id;

-- name: vectors
SELECT spaces.name, vectors.data
FROM vectors JOIN spaces ON spaces.id = vectors.space_id
WHERE vectors.photo_id = :photo_id AND vectors.region IS NULL
ORDER BY vectors.id;

-- name: present
SELECT id FROM photos WHERE id IN (SELECT value FROM json_each(:photo_ids)) AND state = 'present';
