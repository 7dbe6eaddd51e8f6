-- Whose findings an analyzer reads: its own are stale once one of these is newer. By name: it may not be known yet.
CREATE TABLE analyzer_reads (
    name        TEXT NOT NULL,
    analyzer_id INTEGER NOT NULL REFERENCES analyzers ON DELETE CASCADE,
    PRIMARY KEY (name, analyzer_id)
) STRICT, WITHOUT ROWID;
