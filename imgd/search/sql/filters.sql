-- Which photos a filter lets pass. The first statements find them by an index of what they ask about.
--
-- Each is also asked about single photos, as EXISTS (...): then `{of_photo}` is `photo_id = found.id AND` (`{of_id}`
-- likewise) and `{plus}` is a plus sign, which keeps SQLite from using that index where the photo's own key is the
-- shorter way. They are empty else. Other words in braces are filled in: parameters, and columns.

-- name: numbers_of_metadata
SELECT photo_id FROM metadata WHERE {of_photo} {bounds};

-- name: names_of_metadata
SELECT photo_id FROM metadata WHERE {of_photo} {plus}{column} COLLATE NOCASE IN (SELECT value FROM json_each({names}));

-- name: any_of_metadata
SELECT photo_id FROM metadata WHERE {of_photo} {plus}{column} COLLATE NOCASE > '';

-- name: taken
SELECT photo_id FROM metadata WHERE {of_photo} {plus}taken_at >= {first} AND {plus}taken_at < {behind};

-- name: position
SELECT photo_id FROM metadata WHERE {of_photo} {plus}lat BETWEEN -90 AND 90;

-- name: numbers_of_photos
SELECT id AS photo_id FROM photos WHERE {of_id} {bounds};

-- name: format
SELECT id AS photo_id FROM photos WHERE {of_id} {plus}format IN (SELECT value FROM json_each({formats}));

-- name: shape
SELECT id AS photo_id FROM photos
WHERE {of_id} {plus}(CASE WHEN width > height THEN 'landscape' WHEN width < height THEN 'portrait' ELSE 'square' END)
      = {shape} AND width IS NOT NULL;

-- name: damaged
SELECT id AS photo_id FROM photos WHERE {of_id} damage <> '' AND id > 0;

-- name: folders
SELECT id AS photo_id FROM photos
WHERE {of_id} {plus}folder_id IN (SELECT value FROM json_each({folders}));

-- name: names_in_folders
SELECT id AS photo_id FROM photos
WHERE {of_id} {plus}folder_id IN (SELECT value FROM json_each({folders}))
  AND display_name LIKE {pattern} ESCAPE '\';

-- name: names_anywhere
SELECT photos.id AS photo_id FROM folders CROSS JOIN photos ON photos.folder_id = folders.id
WHERE photos.name >= {first} AND photos.name < {behind};

-- name: names_of_photos
SELECT id AS photo_id FROM photos WHERE {of_id} {plus}name >= {first} AND {plus}name < {behind};

-- name: roots
SELECT photos.id AS photo_id FROM folders CROSS JOIN photos ON photos.folder_id = folders.id
WHERE root_id IN (SELECT value FROM json_each({roots}));

-- name: roots_of_photos
SELECT photos.id AS photo_id FROM photos JOIN folders ON folders.id = photos.folder_id
WHERE {of_id} +root_id IN (SELECT value FROM json_each({roots}));

-- name: tags
SELECT photo_id FROM tags
WHERE {of_photo} {plus}label_id IN (SELECT value FROM json_each({labels})) AND score >= {least};

-- name: any_tag
SELECT DISTINCT photo_id FROM tags WHERE {of_photo} photo_id > 0 AND +score >= {least};

-- name: number_facts
SELECT photo_id FROM facts WHERE {of_photo} {plus}key = {key} AND {bounds} AND {analyzer};

-- name: text_facts
SELECT photo_id FROM facts
WHERE {of_photo} {plus}key = {key} AND {plus}text IN (SELECT value FROM json_each({texts})) AND {analyzer};

-- name: text_facts_begun
SELECT photo_id FROM facts
WHERE {of_photo} {plus}key = {key} AND {plus}text >= {first} AND {plus}text < {behind} AND {analyzer};

-- name: people_marked
SELECT photo_id FROM regions
WHERE {of_photo} {plus}kind IN ('face', 'person') AND {plus}label IN (SELECT value FROM json_each({names}))
  AND score >= {least};

-- name: people_written
SELECT photo_id FROM texts {by_people}
WHERE {of_photo} kind = 'person' AND text IN (SELECT value FROM json_each({names}));

-- name: regions
SELECT photo_id FROM regions
WHERE {of_photo} {plus}kind IN (SELECT value FROM json_each({kinds})) AND {plus}label >= {least_label};

-- name: texts
SELECT photo_id FROM texts WHERE {of_photo} {plus}kind = {kind};

-- name: findings
SELECT photo_id FROM findings
WHERE {of_photo} {plus}analyzer_id IN (SELECT id FROM analyzers WHERE name IN (SELECT value FROM json_each({names})));

-- name: failed
SELECT photo_id FROM jobs WHERE {of_photo} state = 'failed' AND photo_id > 0;

-- name: owed
SELECT photo_id FROM jobs
WHERE {of_photo} state = 'owed' AND {plus}analyzer_id IN (SELECT id FROM analyzers WHERE active);

-- name: sidecars
SELECT photo_id FROM sidecars WHERE {of_photo} photo_id > 0;

-- name: listed
SELECT value AS photo_id FROM json_each({photo_ids});

-- name: listed_photos
SELECT 1 WHERE found.id IN (SELECT value FROM json_each({photo_ids}));

-- name: about
-- This and what follows asks for photos by such statements.
EXISTS ({statement});

-- name: sizes
SELECT {counts};

-- name: size
(SELECT count(*) FROM (SELECT 1 FROM ({statement}) LIMIT :limit));

-- name: lists
-- A missing photo has a time since when: asking for that as well lets an index of the missing ones alone answer.
SELECT (SELECT max(id) FROM photos),
       (SELECT group_concat(id) FROM photos WHERE state = 'missing' AND missing_since IS NOT NULL),
       {lists};

-- name: list
(SELECT group_concat(photo_id) FROM ({statement}));

-- name: every
-- Every photo has a change number, and the index of these is a fraction of the table.
SELECT group_concat(id) FROM photos WHERE change_seq > 0;

-- name: count
SELECT count(*) FROM photos WHERE change_seq > 0;

-- name: first
SELECT group_concat(photo_id) FROM (
    SELECT DISTINCT photo_id FROM ({statement}) AS candidates
    WHERE photo_id NOT IN (SELECT id FROM photos WHERE state = 'missing' AND missing_since IS NOT NULL)
    LIMIT :limit);

-- name: few
SELECT group_concat(id) FROM (SELECT DISTINCT photo_id AS id FROM ({statement}) AS candidates) AS found
WHERE EXISTS (SELECT 1 FROM photos WHERE id = found.id AND state = 'present') AND ({tests});

-- name: kept
SELECT group_concat(id) FROM (SELECT value AS id FROM json_each(:photo_ids)) AS found
WHERE EXISTS (SELECT 1 FROM photos WHERE id = found.id AND state = 'present') AND ({tests});

-- name: positions
SELECT photo_id, lat, lon FROM metadata
WHERE lat BETWEEN :south AND :north AND (lon BETWEEN :west AND :east OR lon BETWEEN :west2 AND :east2);

-- name: gone
-- The text index may still have these.
SELECT photo_id FROM removed_photos;
