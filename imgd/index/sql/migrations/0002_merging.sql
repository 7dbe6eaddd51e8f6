-- Words are put and taken away for many documents at once, by whoever writes the documents: around every statement with
-- a trigger SQLite sets a savepoint, for which FTS5 writes a segment of that one document.
DROP TRIGGER documents_enter;
DROP TRIGGER documents_leave;
DROP TRIGGER documents_change;

-- Merging is done apart from writing, in steps of its own: a write merges nothing, however much has been written.
INSERT INTO words (words, rank) VALUES ('automerge', 0);
INSERT INTO words (words, rank) VALUES ('crisismerge', 500);

-- Sixteen segments of a size become one. With the usual four, the large segment of a new index would be written anew
-- after every few thousand changed photos.
INSERT INTO words (words, rank) VALUES ('usermerge', 16);

-- How the documents are assembled: an index of documents of another assembly is built anew.
ALTER TABLE manifest ADD COLUMN assembly INTEGER NOT NULL DEFAULT 1;
-- The identity of the library that the documents are of.
ALTER TABLE manifest ADD COLUMN library INTEGER NOT NULL DEFAULT 0;
