-- Every filter of the query language finds its photos by an index.
CREATE INDEX metadata_by_aperture ON metadata (aperture) WHERE aperture IS NOT NULL;
CREATE INDEX metadata_by_shutter ON metadata (shutter_s) WHERE shutter_s IS NOT NULL;
CREATE INDEX metadata_by_focal ON metadata (focal_mm) WHERE focal_mm IS NOT NULL;
CREATE INDEX metadata_by_altitude ON metadata (altitude_m) WHERE altitude_m IS NOT NULL;
CREATE INDEX metadata_by_rating ON metadata (rating) WHERE rating IS NOT NULL;
CREATE INDEX metadata_by_make ON metadata (camera_make COLLATE NOCASE) WHERE camera_make IS NOT NULL;
CREATE INDEX metadata_by_region ON metadata (region COLLATE NOCASE) WHERE region IS NOT NULL;
CREATE INDEX metadata_by_country ON metadata (country COLLATE NOCASE) WHERE country IS NOT NULL;
CREATE INDEX metadata_by_country_code ON metadata (country_code COLLATE NOCASE) WHERE country_code IS NOT NULL;
CREATE INDEX photos_by_size ON photos (size);
CREATE INDEX photos_by_content ON photos (content_hash) WHERE content_hash IS NOT NULL;
CREATE INDEX photos_damaged ON photos (id) WHERE damage <> '';
-- These are known once a photo was analyzed, so registering files pays nothing for them.
CREATE INDEX photos_by_format ON photos (format) WHERE format IS NOT NULL;
CREATE INDEX photos_by_shape ON photos
    (CASE WHEN width > height THEN 'landscape' WHEN width < height THEN 'portrait' ELSE 'square' END)
    WHERE width IS NOT NULL;
CREATE INDEX photos_by_width ON photos (width) WHERE width IS NOT NULL;
CREATE INDEX photos_by_height ON photos (height) WHERE height IS NOT NULL;
-- The primary key, and with it the photo, is part of each of these.
CREATE INDEX findings_by_analyzer ON findings (analyzer_id, generation);
CREATE INDEX texts_by_kind ON texts (kind);
CREATE INDEX texts_of_people ON texts (text) WHERE kind = 'person';

-- Tells this library from any other one that an index may have been made of.
INSERT INTO counters VALUES ('identity', random());

-- Who fills a space. One whose analyzer has come to a later generation, and fills another space now, is superseded.
CREATE TABLE space_sources (
    space_id    INTEGER NOT NULL REFERENCES spaces ON DELETE CASCADE,
    analyzer_id INTEGER NOT NULL REFERENCES analyzers ON DELETE CASCADE,
    generation  INTEGER NOT NULL,                    -- the newest one that has put a vector there
    PRIMARY KEY (space_id, analyzer_id)
) STRICT, WITHOUT ROWID;
INSERT INTO space_sources (space_id, analyzer_id, generation)
SELECT space_id, analyzer_id, MAX(generation) FROM vectors GROUP BY space_id, analyzer_id;

-- Keywords and the labels of regions are tags, too: what a photo is tagged with stands in one place.
INSERT OR IGNORE INTO labels (label) SELECT text FROM texts WHERE kind = 'keyword';
INSERT OR IGNORE INTO labels (label)
SELECT label FROM regions WHERE label <> '' AND kind NOT IN ('face', 'person');
INSERT INTO tags (photo_id, analyzer_id, label_id, score)
SELECT photo_id, analyzer_id, labels.id, 1.0
FROM texts JOIN labels ON labels.label = texts.text WHERE kind = 'keyword'
ON CONFLICT DO UPDATE SET score = MAX(score, excluded.score);
INSERT INTO tags (photo_id, analyzer_id, label_id, score)
SELECT photo_id, analyzer_id, labels.id, MAX(score)
FROM regions JOIN labels USING (label) WHERE kind NOT IN ('face', 'person') GROUP BY 1, 2, 3
ON CONFLICT DO UPDATE SET score = MAX(score, excluded.score);
