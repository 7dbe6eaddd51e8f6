-- name: filled
SELECT name FROM spaces WHERE id IN (SELECT space_id FROM space_sources) ORDER BY id;

-- name: superseded
-- The analyzer has come to a later generation, which fills another space.
SELECT spaces.id, spaces.name, analyzers.id
FROM space_sources AS old
JOIN analyzers ON analyzers.id = old.analyzer_id
JOIN spaces ON spaces.id = old.space_id
WHERE old.generation < analyzers.generation
  AND EXISTS (SELECT 1 FROM space_sources AS new
              WHERE new.analyzer_id = old.analyzer_id AND new.generation = analyzers.generation)
ORDER BY old.generation, spaces.id;

-- name: successors
SELECT spaces.name
FROM space_sources JOIN spaces ON spaces.id = space_id JOIN analyzers ON analyzers.id = analyzer_id
WHERE analyzers.id = :analyzer AND space_sources.generation = analyzers.generation ORDER BY spaces.id;

-- name: remove_vectors
DELETE FROM vectors WHERE id IN (
    SELECT id FROM vectors WHERE space_id = :space AND analyzer_id = :analyzer ORDER BY id LIMIT :limit);

-- name: remove_source
DELETE FROM space_sources WHERE space_id = :space AND analyzer_id = :analyzer;
