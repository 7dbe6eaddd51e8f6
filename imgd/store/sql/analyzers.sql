-- name: all
SELECT id, name, version, digest, generation, active, run FROM analyzers ORDER BY id;

-- name: add
INSERT INTO analyzers (name, version, digest, run) VALUES (?, ?, ?, ?) RETURNING id;

-- name: renew
UPDATE analyzers SET version = ?, digest = ?, generation = generation + 1, active = 1 WHERE id = ?;

-- name: record_generation
INSERT INTO generations (analyzer_id, generation, version, digest)
SELECT id, generation, version, digest FROM analyzers WHERE id = ?;

-- name: set_run
UPDATE analyzers SET run = ? WHERE id = ?;

-- name: set_active
UPDATE analyzers SET active = ? WHERE id = ?;

-- A photo whose file changed while the analyzer was away has a finding of an older revision.
-- name: owe_everywhere
INSERT INTO jobs (photo_id, analyzer_id, priority)
SELECT photos.id, :analyzer_id, :priority
FROM photos
WHERE photos.state = 'present'
  AND NOT EXISTS (SELECT 1 FROM findings
                  JOIN analyzers ON analyzers.id = findings.analyzer_id
                  WHERE findings.photo_id = photos.id AND findings.analyzer_id = :analyzer_id
                    AND findings.generation = analyzers.generation AND findings.revision = photos.revision)
ON CONFLICT (photo_id, analyzer_id) DO UPDATE
    SET state = 'owed', attempts = 0, not_before = 0, reason = '';

-- name: drop_owed
DELETE FROM jobs WHERE analyzer_id = ? AND state = 'owed';
