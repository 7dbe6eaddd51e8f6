-- The library as it is first made. Never edited after a release: a change is a new numbered file.

CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counters VALUES ('change_seq', 0);

CREATE TABLE roots (
    id            INTEGER PRIMARY KEY,
    path          BLOB NOT NULL UNIQUE,             -- absolute, as bytes
    display_path  TEXT NOT NULL,
    filesystem_id TEXT NOT NULL DEFAULT '',         -- st_dev at the last full scan, and whether it was a mount point
    state         TEXT NOT NULL DEFAULT 'online' CHECK (state IN ('online', 'offline')),
    state_reason  TEXT NOT NULL DEFAULT '',
    scanned_at    REAL,
    removed_at    REAL,                             -- when it left the configuration; NULL: it is configured
    purge_held    INTEGER NOT NULL DEFAULT 0,       -- 1: so much went missing at once that a person must confirm
    confirmed_at  REAL NOT NULL DEFAULT 0           -- what went missing until then is meant to be gone
) STRICT;

CREATE TABLE folders (
    id           INTEGER PRIMARY KEY,
    root_id      INTEGER NOT NULL REFERENCES roots ON DELETE CASCADE,
    path         BLOB NOT NULL,                     -- relative to the root; x'' is the root itself
    display_path TEXT NOT NULL,
    UNIQUE (root_id, path)
) STRICT;

CREATE TABLE photos (
    id            INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again: previews and documents are named by it
    folder_id     INTEGER NOT NULL REFERENCES folders ON DELETE CASCADE,
    name          BLOB NOT NULL,
    display_name  TEXT NOT NULL,
    size          INTEGER NOT NULL,
    mtime_ns      INTEGER NOT NULL,
    device        INTEGER NOT NULL,
    inode         INTEGER NOT NULL,
    fingerprint   BLOB,                              -- xxh3-128; NULL until the photo was first read
    content_hash  BLOB,
    revision      INTEGER NOT NULL DEFAULT 1,        -- counts changes of the file and of its sidecars
    width         INTEGER,
    height        INTEGER,
    format        TEXT,
    route         TEXT,
    damage        TEXT NOT NULL DEFAULT '',
    state         TEXT NOT NULL DEFAULT 'present' CHECK (state IN ('present', 'missing')),
    missing_since REAL,
    added_at      REAL NOT NULL,
    change_seq    INTEGER NOT NULL,
    UNIQUE (folder_id, name)
) STRICT;
CREATE INDEX photos_by_inode ON photos (inode);
CREATE INDEX photos_by_change ON photos (change_seq);
CREATE INDEX photos_missing ON photos (missing_since, folder_id) WHERE state = 'missing';
CREATE INDEX photos_missing_by_size ON photos (size, mtime_ns) WHERE state = 'missing';
CREATE INDEX photos_by_fingerprint ON photos (fingerprint) WHERE fingerprint IS NOT NULL;

CREATE TABLE sidecars (
    id       INTEGER PRIMARY KEY,
    photo_id INTEGER NOT NULL REFERENCES photos ON DELETE CASCADE,
    name     BLOB NOT NULL,                          -- in the photo's own folder
    size     INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    UNIQUE (photo_id, name)
) STRICT;

CREATE TABLE analyzers (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    version    TEXT NOT NULL,
    digest     TEXT NOT NULL,                        -- of the settings that change findings
    generation INTEGER NOT NULL DEFAULT 1,           -- raised with every change of version or digest
    active     INTEGER NOT NULL DEFAULT 1            -- 0: not installed or disabled; its findings stay
) STRICT;

CREATE TABLE jobs (
    photo_id    INTEGER NOT NULL REFERENCES photos ON DELETE CASCADE,
    analyzer_id INTEGER NOT NULL REFERENCES analyzers ON DELETE CASCADE,
    priority    INTEGER NOT NULL,                    -- lower is sooner
    state       TEXT NOT NULL DEFAULT 'owed' CHECK (state IN ('owed', 'failed')),
    attempts    INTEGER NOT NULL DEFAULT 0,
    not_before  REAL NOT NULL DEFAULT 0,
    reason      TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (photo_id, analyzer_id)
) STRICT, WITHOUT ROWID;
-- `state` is there so that counts and claims read the index alone.
CREATE INDEX jobs_owed ON jobs (analyzer_id, priority, photo_id, not_before, state) WHERE state = 'owed';
CREATE INDEX jobs_postponed ON jobs (not_before, analyzer_id) WHERE state = 'owed' AND not_before > 0;
CREATE INDEX jobs_failed ON jobs (photo_id, analyzer_id) WHERE state = 'failed';

CREATE TABLE findings (
    photo_id    INTEGER NOT NULL REFERENCES photos ON DELETE CASCADE,
    analyzer_id INTEGER NOT NULL REFERENCES analyzers ON DELETE CASCADE,
    generation  INTEGER NOT NULL,
    revision    INTEGER NOT NULL,
    analyzed_at REAL NOT NULL,
    facts       TEXT NOT NULL,                       -- JSON object
    PRIMARY KEY (photo_id, analyzer_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE metadata (
    photo_id       INTEGER PRIMARY KEY REFERENCES photos ON DELETE CASCADE,
    taken_at       TEXT,                             -- local wall time, ISO 8601 without a zone
    taken_offset_s INTEGER,
    camera_make    TEXT,
    camera_model   TEXT,
    lens           TEXT,
    iso            REAL,
    aperture       REAL,
    shutter_s      REAL,
    focal_mm       REAL,
    orientation    INTEGER,
    rating         INTEGER,
    lat            REAL,
    lon            REAL,
    altitude_m     REAL,
    city           TEXT,
    region         TEXT,
    country        TEXT,
    country_code   TEXT
) STRICT;
CREATE INDEX metadata_by_taken ON metadata (taken_at) WHERE taken_at IS NOT NULL;
CREATE INDEX metadata_by_iso ON metadata (iso) WHERE iso IS NOT NULL;
CREATE INDEX metadata_by_camera ON metadata (camera_model COLLATE NOCASE) WHERE camera_model IS NOT NULL;
CREATE INDEX metadata_by_lens ON metadata (lens COLLATE NOCASE) WHERE lens IS NOT NULL;
CREATE INDEX metadata_by_position ON metadata (lat, lon) WHERE lat IS NOT NULL;
CREATE INDEX metadata_by_city ON metadata (city COLLATE NOCASE) WHERE city IS NOT NULL;

CREATE TABLE facts (
    photo_id    INTEGER NOT NULL REFERENCES photos ON DELETE CASCADE,
    analyzer_id INTEGER NOT NULL REFERENCES analyzers ON DELETE CASCADE,
    key         TEXT NOT NULL,
    number      REAL,
    text        TEXT,
    PRIMARY KEY (photo_id, analyzer_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX facts_by_number ON facts (key, number) WHERE number IS NOT NULL;
CREATE INDEX facts_by_text ON facts (key, text) WHERE text IS NOT NULL;

CREATE TABLE texts (
    photo_id    INTEGER NOT NULL REFERENCES photos ON DELETE CASCADE,
    analyzer_id INTEGER NOT NULL REFERENCES analyzers ON DELETE CASCADE,
    ordinal     INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    text        TEXT NOT NULL,
    PRIMARY KEY (photo_id, analyzer_id, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE labels (
    id    INTEGER PRIMARY KEY,
    label TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE tags (
    photo_id    INTEGER NOT NULL REFERENCES photos ON DELETE CASCADE,
    analyzer_id INTEGER NOT NULL REFERENCES analyzers ON DELETE CASCADE,
    label_id    INTEGER NOT NULL REFERENCES labels,
    score       REAL NOT NULL,
    PRIMARY KEY (photo_id, analyzer_id, label_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_by_label ON tags (label_id, score);

CREATE TABLE regions (
    photo_id    INTEGER NOT NULL REFERENCES photos ON DELETE CASCADE,
    analyzer_id INTEGER NOT NULL REFERENCES analyzers ON DELETE CASCADE,
    ordinal     INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    label       TEXT NOT NULL,
    score       REAL NOT NULL,
    box_left    REAL NOT NULL,                       -- fractions of the upright photo
    box_top     REAL NOT NULL,
    box_width   REAL NOT NULL,
    box_height  REAL NOT NULL,
    landmarks   TEXT NOT NULL DEFAULT '[]',
    PRIMARY KEY (photo_id, analyzer_id, ordinal)
) STRICT, WITHOUT ROWID;
CREATE INDEX regions_by_label ON regions (kind, label);

CREATE TABLE spaces (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    dimensions INTEGER NOT NULL
) STRICT;

CREATE TABLE vectors (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,   -- never used again: an index may still hold a removed one
    space_id    INTEGER NOT NULL REFERENCES spaces,
    photo_id    INTEGER NOT NULL REFERENCES photos ON DELETE CASCADE,
    analyzer_id INTEGER NOT NULL REFERENCES analyzers ON DELETE CASCADE,
    region      INTEGER,                             -- ordinal among the finding's regions
    generation  INTEGER NOT NULL,
    data        BLOB NOT NULL                        -- float16, L2-normalised
) STRICT;
CREATE INDEX vectors_by_photo ON vectors (photo_id, analyzer_id);
CREATE INDEX vectors_by_space ON vectors (space_id, id);

-- What indexes must forget. Rows go once every index covers their change_seq.
CREATE TABLE removed_vectors (
    vector_id  INTEGER PRIMARY KEY,
    space_id   INTEGER NOT NULL,
    change_seq INTEGER NOT NULL
) STRICT;
CREATE INDEX removed_vectors_by_space ON removed_vectors (space_id, change_seq);
CREATE TABLE removed_photos (
    photo_id   INTEGER PRIMARY KEY,
    change_seq INTEGER NOT NULL
) STRICT;
CREATE INDEX removed_photos_by_change ON removed_photos (change_seq);

-- Whoever deletes has taken the next change_seq in the same transaction.
CREATE TRIGGER vectors_leave AFTER DELETE ON vectors BEGIN
    INSERT OR REPLACE INTO removed_vectors
    VALUES (old.id, old.space_id, (SELECT value FROM counters WHERE name = 'change_seq'));
END;
CREATE TRIGGER photos_leave AFTER DELETE ON photos BEGIN
    INSERT OR REPLACE INTO removed_photos
    VALUES (old.id, (SELECT value FROM counters WHERE name = 'change_seq'));
END;
