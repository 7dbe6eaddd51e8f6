-- The revision in which the file itself changed last: what was found of it alone in this or a later one is true still.
ALTER TABLE photos ADD COLUMN file_revision INTEGER NOT NULL DEFAULT 1;
-- Nothing is being analyzed now, so nobody asks which of the changes so far were those of files.
UPDATE photos SET file_revision = revision WHERE revision > 1;
