-- What the indexes read of library.db, and the little they clear away there.

-- name: changed_at
SELECT id, change_seq FROM photos WHERE change_seq = :at_seq AND id > :at_photo ORDER BY id LIMIT :limit;

-- name: changed_after
SELECT id, change_seq FROM photos
WHERE change_seq > :at_seq AND change_seq <= :target ORDER BY change_seq, id LIMIT :limit;

-- name: removed_photos
SELECT photo_id FROM removed_photos WHERE change_seq > :covered AND photo_id > :after ORDER BY photo_id LIMIT :limit;

-- name: count_changed
SELECT count(*) FROM (SELECT 1 FROM photos WHERE change_seq > :covered LIMIT :limit);

-- name: documents
-- A label that several analyzers or regions give counts once. Weak guesses are no words of a document.
WITH chosen AS MATERIALIZED (SELECT value AS photo_id FROM json_each(:photo_ids)),
said AS (
    SELECT photo_id, 'nothing' AS field, '' AS text FROM chosen
    UNION
    SELECT photo_id,
           CASE kind WHEN 'keyword' THEN 'tag' WHEN 'caption' THEN 'caption' WHEN 'text' THEN 'text'
                     WHEN 'place' THEN 'place' WHEN 'camera' THEN 'camera' WHEN 'person' THEN 'person'
                     ELSE 'other' END,
           text
    FROM chosen CROSS JOIN texts USING (photo_id)
    UNION
    SELECT photo_id, 'tag', label
    FROM chosen CROSS JOIN tags USING (photo_id) JOIN labels ON labels.id = label_id WHERE score >= :least_score
    UNION
    SELECT photo_id, CASE kind WHEN 'face' THEN 'person' ELSE 'tag' END, label
    FROM chosen CROSS JOIN regions USING (photo_id) WHERE label <> '' AND score >= :least_score
),
fields AS (
    SELECT photo_id,
           group_concat(text, char(10)) FILTER (WHERE field = 'person') AS person,
           group_concat(text, char(10)) FILTER (WHERE field = 'tag') AS tag,
           group_concat(text, char(10)) FILTER (WHERE field = 'caption') AS caption,
           group_concat(text, char(10)) FILTER (WHERE field = 'text') AS text,
           group_concat(text, char(10)) FILTER (WHERE field = 'place') AS place,
           group_concat(text, char(10)) FILTER (WHERE field = 'camera') AS camera,
           group_concat(text, char(10)) FILTER (WHERE field = 'other') AS other
    FROM said GROUP BY photo_id
)
SELECT photos.id, coalesce(fields.person, ''), coalesce(fields.tag, ''), coalesce(fields.caption, ''),
       coalesce(fields.text, ''), photos.display_name, folders.display_path,
       fields.place, city, region, country,
       fields.camera, camera_make, camera_model, lens,
       fields.other, substr(taken_at, 1, 4)
FROM fields CROSS JOIN photos ON photos.id = fields.photo_id
JOIN folders ON folders.id = photos.folder_id
LEFT JOIN metadata ON metadata.photo_id = photos.id
WHERE photos.state = 'present';

-- name: spaces
SELECT id, name, dimensions FROM spaces ORDER BY id;

-- name: vectors_after
SELECT id, data FROM vectors WHERE space_id = :space AND id > :after ORDER BY id LIMIT :limit;

-- name: count_vectors_after
SELECT count(*) FROM vectors WHERE space_id = :space AND id > :after;

-- name: removed_vectors
SELECT vector_id, change_seq FROM removed_vectors WHERE space_id = :space AND change_seq > :seen;

-- name: vector_range
SELECT (SELECT id FROM vectors WHERE space_id = :space ORDER BY id LIMIT 1),
       (SELECT id FROM vectors WHERE space_id = :space ORDER BY id DESC LIMIT 1);

-- name: vector_at
SELECT id, data FROM vectors WHERE space_id = :space AND id >= :at ORDER BY id LIMIT 1;

-- name: photos_of_vectors
SELECT id, photo_id FROM vectors WHERE id IN (SELECT value FROM json_each(:ids)) ORDER BY id;

-- name: vectors_within
SELECT vectors.id FROM json_each(:photos) AS wanted
CROSS JOIN vectors ON vectors.photo_id = wanted.value WHERE space_id = :space;

-- name: vectors_of_photo
SELECT data FROM vectors WHERE photo_id = :photo AND space_id = :space AND region IS NULL ORDER BY id;

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
