-- The values that the library has. An index is walked from one value to the next, so the work grows with the values
-- and not with photos. `{column}` is one of those that vocabulary.py names.

-- name: metadata
WITH RECURSIVE found (value) AS (
    SELECT (SELECT {column} FROM metadata WHERE {column} COLLATE NOCASE > ''
            ORDER BY {column} COLLATE NOCASE LIMIT 1)
    UNION ALL
    SELECT (SELECT {column} FROM metadata WHERE {column} COLLATE NOCASE > found.value
            ORDER BY {column} COLLATE NOCASE LIMIT 1)
    FROM found WHERE value IS NOT NULL
)
SELECT value FROM found WHERE value IS NOT NULL;

-- name: people
WITH RECURSIVE kinds (kind) AS (VALUES ('face'), ('person')),
marked (kind, value) AS (
    SELECT kind, (SELECT label FROM regions WHERE kind = kinds.kind AND label > '' ORDER BY label LIMIT 1) FROM kinds
    UNION ALL
    SELECT kind, (SELECT label FROM regions WHERE kind = marked.kind AND label > marked.value ORDER BY label LIMIT 1)
    FROM marked WHERE value IS NOT NULL
),
written (value) AS (
    SELECT (SELECT text FROM texts INDEXED BY texts_of_people WHERE kind = 'person' AND text > '' ORDER BY text LIMIT 1)
    UNION ALL
    SELECT (SELECT text FROM texts INDEXED BY texts_of_people WHERE kind = 'person' AND text > written.value
            ORDER BY text LIMIT 1)
    FROM written WHERE value IS NOT NULL
)
SELECT value FROM marked WHERE value IS NOT NULL UNION SELECT value FROM written WHERE value IS NOT NULL;

-- name: formats
WITH RECURSIVE found (value) AS (
    SELECT (SELECT format FROM photos WHERE format > '' ORDER BY format LIMIT 1)
    UNION ALL
    SELECT (SELECT format FROM photos WHERE format > found.value ORDER BY format LIMIT 1)
    FROM found WHERE value IS NOT NULL
)
SELECT value FROM found WHERE value IS NOT NULL;

-- name: fact_keys
WITH RECURSIVE found (value) AS (
    SELECT (SELECT key FROM facts INDEXED BY facts_by_{column} WHERE {column} IS NOT NULL ORDER BY key LIMIT 1)
    UNION ALL
    SELECT (SELECT key FROM facts INDEXED BY facts_by_{column} WHERE {column} IS NOT NULL AND key > found.value
            ORDER BY key LIMIT 1)
    FROM found WHERE value IS NOT NULL
)
SELECT value FROM found WHERE value IS NOT NULL;

-- name: texts_of_fact
WITH RECURSIVE found (value) AS (
    SELECT (SELECT text FROM facts WHERE key = :key AND text > '' ORDER BY text LIMIT 1)
    UNION ALL
    SELECT (SELECT text FROM facts WHERE key = :key AND text > found.value ORDER BY text LIMIT 1)
    FROM found WHERE value IS NOT NULL
)
SELECT value FROM found WHERE value IS NOT NULL LIMIT :limit;

-- name: labels_after
SELECT id, label FROM labels WHERE id > :after ORDER BY id;

-- name: analyzers
SELECT name FROM analyzers ORDER BY name;

-- name: roots
SELECT id, display_path FROM roots ORDER BY id;

-- name: folders
SELECT folders.id, roots.display_path, folders.display_path FROM roots CROSS JOIN folders ON root_id = roots.id;
