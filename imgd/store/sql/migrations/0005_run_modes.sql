-- When an analyzer runs. Photos owe nothing by themselves to one that runs on request.
ALTER TABLE analyzers ADD COLUMN run TEXT NOT NULL DEFAULT 'always' CHECK (run IN ('always', 'idle', 'request'));

-- What the generations of an analyzer were, so that a finding of an earlier one can be told as such, and why.
CREATE TABLE generations (
    analyzer_id INTEGER NOT NULL REFERENCES analyzers ON DELETE CASCADE,
    generation  INTEGER NOT NULL,
    version     TEXT NOT NULL,
    digest      TEXT NOT NULL,
    PRIMARY KEY (analyzer_id, generation)
) STRICT, WITHOUT ROWID;
INSERT INTO generations (analyzer_id, generation, version, digest)
SELECT id, generation, version, digest FROM analyzers;

-- How long a photo takes, as measured lately: the more photos, the less one more counts.
CREATE TABLE costs (
    task       TEXT PRIMARY KEY,                     -- the name of an analyzer, or what is decoded
    device     TEXT NOT NULL,                        -- of a lane; '' for the workers
    generation INTEGER NOT NULL,                     -- of the analyzer
    photos     REAL NOT NULL,
    seconds    REAL NOT NULL
) STRICT, WITHOUT ROWID;
