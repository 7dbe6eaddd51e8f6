-- What the vector indexes read of library.db.

-- Vectors of regions (faces) are in no index: a space of these is one by its first vector.
-- name: spaces
SELECT id, name, dimensions,
       (SELECT region FROM vectors WHERE space_id = spaces.id ORDER BY id LIMIT 1) IS NOT NULL AS of_regions
FROM spaces
WHERE EXISTS (SELECT 1 FROM space_sources WHERE space_id = spaces.id)
   OR EXISTS (SELECT 1 FROM vectors WHERE space_id = spaces.id)
ORDER BY id;

-- name: vectors_after
SELECT id, photo_id, data FROM vectors WHERE space_id = :space AND id > :after AND region IS NULL
ORDER BY id LIMIT :limit;

-- name: count_vectors_after
SELECT count(*) FROM vectors WHERE space_id = :space AND id > :after;

-- name: removed_vectors
SELECT vector_id FROM removed_vectors WHERE space_id = :space AND change_seq > :seen;

-- name: vector_range
SELECT (SELECT id FROM vectors WHERE space_id = :space AND region IS NULL ORDER BY id LIMIT 1),
       (SELECT id FROM vectors WHERE space_id = :space AND region IS NULL ORDER BY id DESC LIMIT 1);

-- name: vector_at
SELECT id, data FROM vectors WHERE space_id = :space AND id >= :at AND region IS NULL ORDER BY id LIMIT 1;

-- name: vectors_of_ids
SELECT id, data FROM vectors WHERE id IN (SELECT value FROM json_each(:ids));
