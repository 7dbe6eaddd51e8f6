-- Words near in meaning to tags: the vocabulary of tags, and the photos that have the near ones.

-- name: newest_label
SELECT max(id) FROM labels;

-- name: photos
SELECT count(*) FROM photos;

-- name: labels
-- Regions have few kinds; each is found by a step through the index.
WITH RECURSIVE kinds (kind) AS (
    SELECT min(kind) FROM regions
    UNION ALL
    SELECT (SELECT min(kind) FROM regions WHERE regions.kind > kinds.kind) FROM kinds WHERE kinds.kind IS NOT NULL
),
counted AS MATERIALIZED (
    SELECT label_id, count(*) AS photos FROM tags GROUP BY label_id ORDER BY photos DESC, label_id LIMIT :limit
)
SELECT labels.id, label, photos,
       EXISTS (SELECT 1 FROM kinds WHERE kind NOT IN ('face', 'person', 'text') AND EXISTS (
           SELECT 1 FROM regions WHERE regions.kind = kinds.kind AND regions.label = labels.label))
FROM counted JOIN labels ON labels.id = label_id ORDER BY photos DESC, labels.id;

-- name: near
-- Of each label the best scores, one more than `others`, the newest photos of equal ones: label_id, photo_id, score.
WITH near AS MATERIALIZED (
    SELECT chosen.value AS label_id,
           (SELECT score FROM tags WHERE tags.label_id = chosen.value
            ORDER BY score DESC, photo_id DESC LIMIT 1 OFFSET :others) AS least_score,
           (SELECT photo_id FROM tags WHERE tags.label_id = chosen.value
            ORDER BY score DESC, photo_id DESC LIMIT 1 OFFSET :others) AS least_photo
    FROM json_each(:labels) AS chosen
)
SELECT tags.label_id, photo_id, score FROM near CROSS JOIN tags
WHERE tags.label_id = near.label_id AND (score, photo_id) >= (coalesce(least_score, 0), coalesce(least_photo, 0));

-- name: near_within
SELECT label_id, photo_id, score FROM json_each(:photo_ids) AS chosen CROSS JOIN tags
WHERE photo_id = chosen.value AND label_id IN (SELECT value FROM json_each(:labels));

-- name: sure_tags
SELECT photo_id, label FROM json_each(:photo_ids) AS chosen
CROSS JOIN tags ON photo_id = chosen.value JOIN labels ON labels.id = label_id WHERE score >= :sure;

-- name: few_labels
-- Labels, tokenized as the documents of the text index are, in a database in memory.
CREATE VIRTUAL TABLE few USING fts5 (label, tokenize = 'porter unicode61 remove_diacritics 2');

-- name: put_label
INSERT INTO few (label) VALUES (?);

-- name: matching_labels
SELECT label FROM few WHERE few MATCH :match;
