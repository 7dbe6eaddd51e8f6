-- name: forget
DELETE FROM analyzer_reads WHERE analyzer_id = (SELECT id FROM analyzers WHERE name = ?);

-- name: put
INSERT INTO analyzer_reads (name, analyzer_id) SELECT DISTINCT names.value, analyzers.id
FROM json_each(:names) AS names JOIN analyzers ON analyzers.name = :analyzer;

-- name: readers
SELECT read.id, analyzer_reads.analyzer_id
FROM analyzer_reads JOIN analyzers AS read ON read.name = analyzer_reads.name;

-- How soon findings were owed that their readers take over.
-- name: urgency
SELECT found.value ->> 0, found.value ->> 1, MAX(COALESCE(jobs.priority, :least), :most)
FROM json_each(:found) AS found
LEFT JOIN jobs ON jobs.photo_id = found.value ->> 0 AND jobs.analyzer_id = found.value ->> 1;

-- A finding of no generation is current for nobody, and serves until its analyzer has another one.
-- name: outdate
UPDATE findings SET generation = 0
FROM json_each(:pairs) AS pairs
WHERE findings.photo_id = pairs.value ->> 0 AND findings.analyzer_id = pairs.value ->> 1;

-- Who has neither finding nor job owes nothing. Of a pair that is there twice the first counts.
-- What is owed already stays as urgent as it is; who failed at the older finding may not at this one.
-- name: owe
INSERT INTO jobs (photo_id, analyzer_id, priority)
SELECT pairs.value ->> 0, analyzers.id, pairs.value ->> 2
FROM json_each(:pairs) AS pairs
CROSS JOIN analyzers ON analyzers.id = pairs.value ->> 1
WHERE analyzers.active AND analyzers.run <> 'request'
  AND (EXISTS (SELECT 1 FROM findings WHERE photo_id = pairs.value ->> 0 AND analyzer_id = analyzers.id)
       OR EXISTS (SELECT 1 FROM jobs WHERE photo_id = pairs.value ->> 0 AND analyzer_id = analyzers.id))
ON CONFLICT (photo_id, analyzer_id) DO UPDATE
    SET state = 'owed', priority = excluded.priority, attempts = 0, not_before = 0, reason = ''
    WHERE state = 'failed';
