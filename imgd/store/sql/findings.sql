-- name: revisions
SELECT id, revision, file_revision FROM photos WHERE id IN (SELECT value FROM json_each(?));

-- name: generations
SELECT id, name, generation FROM analyzers;

-- name: existing
SELECT findings.photo_id, findings.analyzer_id, findings.revision
FROM json_each(?) AS wanted JOIN findings ON findings.photo_id = wanted.value;

-- name: update_photo
UPDATE photos
SET fingerprint = ?, format = ?, width = COALESCE(?, width), height = COALESCE(?, height),
    route = COALESCE(?, route), damage = ?
WHERE id = ?;

-- name: touch_photo
UPDATE photos SET change_seq = ? WHERE id = ?;

-- name: forget_facts
DELETE FROM facts WHERE photo_id = ? AND analyzer_id = ?;

-- name: forget_texts
DELETE FROM texts WHERE photo_id = ? AND analyzer_id = ?;

-- name: forget_tags
DELETE FROM tags WHERE photo_id = ? AND analyzer_id = ?;

-- name: forget_regions
DELETE FROM regions WHERE photo_id = ? AND analyzer_id = ?;

-- name: forget_vectors
DELETE FROM vectors WHERE photo_id = ? AND analyzer_id = ?;

-- name: forget_current_vectors
-- Those in a space that only earlier generations fill serve until the new space is complete.
DELETE FROM vectors
WHERE photo_id = :photo AND analyzer_id = :analyzer AND space_id NOT IN
    (SELECT space_id FROM space_sources WHERE analyzer_id = :analyzer AND generation < :generation);

-- name: forget_uncovered_vectors
-- Photos in which the new generation saw nothing before it first filled the space.
-- These photos are few, so they lead: a look at every vector of the space would hold up whoever else writes.
DELETE FROM vectors WHERE id IN (
    SELECT vectors.id FROM findings
    CROSS JOIN vectors ON vectors.photo_id = findings.photo_id AND vectors.analyzer_id = findings.analyzer_id
    WHERE findings.analyzer_id = :analyzer AND findings.generation = :generation
      AND vectors.generation < :generation AND +space_id = (SELECT id FROM spaces WHERE name = :space));

-- name: put_finding
INSERT OR REPLACE INTO findings (photo_id, analyzer_id, generation, revision, analyzed_at, facts, route)
VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: put_fact
INSERT INTO facts (photo_id, analyzer_id, key, number, text) VALUES (?, ?, ?, ?, ?);

-- name: put_text
INSERT INTO texts (photo_id, analyzer_id, ordinal, kind, text) VALUES (?, ?, ?, ?, ?);

-- name: put_label
INSERT OR IGNORE INTO labels (label) SELECT value FROM json_each(?);

-- name: put_tag
INSERT INTO tags (photo_id, analyzer_id, label_id, score)
SELECT ?, ?, labels.id, ? FROM labels WHERE label = ?
ON CONFLICT DO UPDATE SET score = MAX(score, excluded.score);

-- name: put_region
INSERT INTO regions (photo_id, analyzer_id, ordinal, kind, label, score,
                     box_left, box_top, box_width, box_height, landmarks, quality)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: spaces
SELECT name, dimensions FROM spaces;

-- name: put_space
INSERT OR IGNORE INTO spaces (name, dimensions) VALUES (?, ?);

-- name: sources
SELECT spaces.name, analyzer_id, generation FROM space_sources JOIN spaces ON spaces.id = space_id;

-- name: put_source
INSERT INTO space_sources (space_id, analyzer_id, generation)
SELECT id, :analyzer, :generation FROM spaces WHERE name = :space
ON CONFLICT (space_id, analyzer_id) DO UPDATE SET generation = excluded.generation;

-- name: put_vector
INSERT INTO vectors (space_id, photo_id, analyzer_id, region, generation, data)
SELECT spaces.id, ?, ?, ?, ?, ? FROM spaces WHERE spaces.name = ?;

-- name: put_metadata
INSERT OR REPLACE INTO metadata
    (photo_id, taken_at, taken_offset_s, camera_make, camera_model, lens, iso, aperture, shutter_s, focal_mm,
     orientation, rating, lat, lon, altitude_m, city, region, country, country_code)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: read_facts
SELECT analyzers.name, analyzers.id, findings.facts
FROM findings JOIN analyzers ON analyzers.id = findings.analyzer_id
WHERE findings.photo_id = ? AND analyzers.name IN (SELECT value FROM json_each(?));

-- name: read_texts
SELECT kind, text FROM texts WHERE photo_id = ? AND analyzer_id = ? ORDER BY ordinal;

-- name: read_tags
SELECT labels.label, tags.score FROM tags JOIN labels ON labels.id = tags.label_id
WHERE tags.photo_id = ? AND tags.analyzer_id = ? ORDER BY tags.score DESC;

-- name: read_regions
SELECT kind, label, score, box_left, box_top, box_width, box_height, landmarks, quality
FROM regions WHERE photo_id = ? AND analyzer_id = ? ORDER BY ordinal;

-- name: paths
SELECT photos.id, roots.path, folders.path, photos.name
FROM json_each(?) AS wanted
JOIN photos ON photos.id = wanted.value
JOIN folders ON folders.id = photos.folder_id
JOIN roots ON roots.id = folders.root_id;
