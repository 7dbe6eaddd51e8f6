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

-- name: any_unasked
SELECT EXISTS (
    SELECT 1 FROM analyzers
    CROSS JOIN findings ON findings.analyzer_id = analyzers.id AND findings.generation < analyzers.generation
    CROSS JOIN photos ON photos.id = findings.photo_id
    WHERE analyzers.id = :analyzer AND (analyzers.run = 'request' OR NOT analyzers.active)
      AND photos.state = 'present'
      AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.photo_id = findings.photo_id
                      AND jobs.analyzer_id = findings.analyzer_id AND jobs.state = 'failed'));

-- name: remove_vectors
DELETE FROM vectors WHERE id IN (
    SELECT id FROM vectors WHERE space_id = :space AND analyzer_id = :analyzer ORDER BY id LIMIT :limit);

-- name: remove_source
DELETE FROM space_sources WHERE space_id = :space AND analyzer_id = :analyzer;

-- name: filled_by
SELECT DISTINCT spaces.name FROM analyzers
JOIN space_sources ON analyzer_id = analyzers.id JOIN spaces ON spaces.id = space_id
WHERE analyzers.name IN (SELECT value FROM json_each(:analyzers));

-- name: active
SELECT id FROM analyzers WHERE active AND name IN (SELECT value FROM json_each(:analyzers));

-- A finding of an earlier generation will do: the space of that serves until the new one is complete.
-- name: any_not_looked_at
SELECT EXISTS (
    SELECT 1 FROM json_each(:ids) AS analyzer
    CROSS JOIN photos
    JOIN folders ON folders.id = photos.folder_id
    JOIN roots ON roots.id = folders.root_id
    WHERE photos.state = 'present' AND roots.state = 'online'
      AND NOT EXISTS (SELECT 1 FROM findings WHERE photo_id = photos.id AND analyzer_id = analyzer.value)
      AND NOT EXISTS (SELECT 1 FROM jobs
                      WHERE photo_id = photos.id AND analyzer_id = analyzer.value AND jobs.state = 'failed'));

-- name: is_settled
SELECT EXISTS (SELECT 1 FROM counters WHERE name = ?);

-- name: unsettle
DELETE FROM counters WHERE name LIKE 'meaning:%';

-- Behind `meaning:` stand the names of the analyzers, with commas between them.
-- name: unsettle_choices_of
DELETE FROM counters
WHERE name LIKE 'meaning:%' AND instr(',' || substr(name, length('meaning:') + 1) || ',', ',' || ? || ',');

-- name: settle
INSERT OR REPLACE INTO counters (name, value) VALUES (?, 1);
