-- What a search reads of library.db once it has its candidates.

-- name: photos_of_vectors
SELECT vectors.id, photo_id FROM vectors JOIN photos ON photos.id = photo_id
WHERE vectors.id IN (SELECT value FROM json_each(:vector_ids)) AND state = 'present';

-- name: present
SELECT id FROM photos WHERE id IN (SELECT value FROM json_each(:photo_ids)) AND state = 'present';

-- name: paths
SELECT photos.id, roots.path, folders.path, photos.name, photos.display_name
FROM photos JOIN folders ON folders.id = folder_id JOIN roots ON roots.id = root_id
WHERE photos.id IN (SELECT value FROM json_each(:photo_ids));

-- name: tag_scores
SELECT photo_id, label, max(score) FROM tags JOIN labels ON labels.id = label_id
WHERE photo_id IN (SELECT value FROM json_each(:photo_ids)) GROUP BY photo_id, label;

-- name: dirty
SELECT count(*) FROM (SELECT 1 FROM photos WHERE change_seq > :covered LIMIT :limit);
