-- Photos of which new ones may be copies, and what these take over. All of it is found of files alone: a revision in
-- which only sidecars have changed makes nothing of it stale.

-- Of very many files of one size only the oldest are looked at, so that a page of the queue is read in a moment.
-- name: candidates
SELECT wanted.value, twin.id, twin.revision, twin.fingerprint, COALESCE(twin.content_hash, x''),
       roots.path, folders.path, twin.name, twin.size, twin.mtime_ns, twin.device, twin.inode,
       (SELECT json_group_array(findings.analyzer_id)
        FROM json_each(:analyzers) AS copied
        CROSS JOIN findings ON findings.photo_id = twin.id AND findings.analyzer_id = copied.value
        CROSS JOIN analyzers ON analyzers.id = findings.analyzer_id
        WHERE findings.generation = analyzers.generation
          AND findings.revision BETWEEN twin.file_revision AND twin.revision
          AND NOT EXISTS (SELECT 1 FROM jobs WHERE photo_id = twin.id AND analyzer_id = analyzers.id)) AS current
FROM json_each(:photos) AS wanted
CROSS JOIN photos ON photos.id = wanted.value
CROSS JOIN photos AS twin ON twin.id IN (
    SELECT alike.id FROM photos AS alike INDEXED BY photos_by_size
    WHERE alike.size = photos.size ORDER BY alike.id LIMIT :look)
CROSS JOIN folders ON folders.id = twin.folder_id
CROSS JOIN roots ON roots.id = folders.root_id
WHERE photos.fingerprint IS NULL AND twin.id <> photos.id AND twin.fingerprint IS NOT NULL
  AND twin.state = 'present' AND roots.state = 'online' AND roots.removed_at IS NULL
ORDER BY wanted.key, twin.content_hash IS NULL, twin.id;

-- Whoever owes another finding of the twin, as a person asked, may not give this one away.
-- name: current
SELECT pairs.key
FROM json_each(?) AS pairs
CROSS JOIN photos ON photos.id = pairs.value ->> 0
CROSS JOIN findings ON findings.photo_id = photos.id AND findings.analyzer_id = pairs.value ->> 2
CROSS JOIN analyzers ON analyzers.id = findings.analyzer_id
WHERE pairs.value ->> 1 BETWEEN photos.file_revision AND photos.revision
  AND findings.revision BETWEEN photos.file_revision AND photos.revision
  AND findings.generation = analyzers.generation
  AND NOT EXISTS (SELECT 1 FROM jobs WHERE photo_id = photos.id AND analyzer_id = analyzers.id);

-- name: put_hash
UPDATE photos SET content_hash = ? WHERE id = ? AND ? BETWEEN file_revision AND revision;

-- What only a decode of its pixels tells of a file is known from the twin's.
-- name: describe
UPDATE photos
SET width = COALESCE(twin.width, photos.width), height = COALESCE(twin.height, photos.height),
    format = COALESCE(twin.format, photos.format), route = COALESCE(twin.route, photos.route), damage = twin.damage
FROM photos AS twin
WHERE photos.id = :photo AND twin.id = :twin
  AND :twin_revision BETWEEN twin.file_revision AND twin.revision;

-- name: copy_finding
INSERT OR REPLACE INTO findings (photo_id, analyzer_id, generation, revision, analyzed_at, facts, route)
SELECT :photo, analyzer_id, generation, :revision, :now, facts, route
FROM findings WHERE photo_id = :twin AND analyzer_id = :analyzer;

-- name: copy_facts
INSERT INTO facts (photo_id, analyzer_id, key, number, text)
SELECT :photo, analyzer_id, key, number, text FROM facts WHERE photo_id = :twin AND analyzer_id = :analyzer;

-- name: copy_texts
INSERT INTO texts (photo_id, analyzer_id, ordinal, kind, text)
SELECT :photo, analyzer_id, ordinal, kind, text FROM texts WHERE photo_id = :twin AND analyzer_id = :analyzer;

-- name: copy_tags
INSERT INTO tags (photo_id, analyzer_id, label_id, score)
SELECT :photo, analyzer_id, label_id, score FROM tags WHERE photo_id = :twin AND analyzer_id = :analyzer;

-- name: copy_regions
INSERT INTO regions (photo_id, analyzer_id, ordinal, kind, label, score,
                     box_left, box_top, box_width, box_height, landmarks, quality)
SELECT :photo, analyzer_id, ordinal, kind, label, score,
       box_left, box_top, box_width, box_height, landmarks, quality
FROM regions WHERE photo_id = :twin AND analyzer_id = :analyzer;

-- Those of earlier generations serve only until the new space is complete.
-- name: copy_vectors
INSERT INTO vectors (space_id, photo_id, analyzer_id, region, generation, data)
SELECT space_id, :photo, analyzer_id, region, generation, data
FROM vectors WHERE photo_id = :twin AND analyzer_id = :analyzer AND generation = :generation ORDER BY id;
