-- What the indexes read of library.db, and the little they clear away there.

-- name: changed_at
SELECT id, change_seq FROM photos WHERE change_seq = :at_seq AND id > :at_photo ORDER BY id LIMIT :limit;

-- name: changed_after
SELECT id, change_seq FROM photos
WHERE change_seq > :at_seq AND change_seq <= :target ORDER BY change_seq, id LIMIT :limit;

-- name: removed_photos
SELECT photo_id FROM removed_photos WHERE change_seq > :covered AND photo_id > :after ORDER BY photo_id LIMIT :limit;

-- name: next_photos
SELECT id FROM photos WHERE id > :after ORDER BY id LIMIT :limit;

-- name: count_photos
SELECT count(*) FROM (SELECT 1 FROM photos LIMIT :limit);

-- name: document_photos
SELECT photos.id, display_name, display_path, city, region, country, camera_make, camera_model, lens,
       substr(taken_at, 1, 4)
FROM photos JOIN folders ON folders.id = folder_id LEFT JOIN metadata ON metadata.photo_id = photos.id
WHERE photos.id IN (SELECT value FROM json_each(:photo_ids)) AND photos.state = 'present';

-- name: document_texts
-- Keywords are among the tags.
SELECT photo_id, kind, text FROM texts
WHERE photo_id IN (SELECT value FROM json_each(:photo_ids)) AND kind <> 'keyword';

-- name: document_tags
-- Labels of regions are among the tags. Weak guesses are no words of a document.
SELECT photo_id, label FROM tags CROSS JOIN labels ON labels.id = label_id
WHERE photo_id IN (SELECT value FROM json_each(:photo_ids)) AND score >= :least_score;

-- name: document_people
-- The plus keeps SQLite to the photos: by the index over kinds it would read every person of the library.
SELECT photo_id, label FROM regions
WHERE photo_id IN (SELECT value FROM json_each(:photo_ids)) AND +kind IN ('person', 'face') AND label <> ''
AND score >= :least_score;

-- name: forget_photos
DELETE FROM removed_photos WHERE photo_id IN
    (SELECT photo_id FROM removed_photos WHERE change_seq <= :covered LIMIT :limit);

-- name: forget_vectors
DELETE FROM removed_vectors WHERE vector_id IN
    (SELECT vector_id FROM removed_vectors WHERE space_id = :space AND change_seq <= :covered LIMIT :limit);

-- name: any_old_photos
SELECT EXISTS (SELECT 1 FROM removed_photos WHERE change_seq <= :covered);

-- name: any_old_vectors
SELECT EXISTS (SELECT 1 FROM removed_vectors WHERE space_id = :space AND change_seq <= :covered);
