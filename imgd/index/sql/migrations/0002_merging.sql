-- Merging is done apart from writing, in steps of its own: a write merges nothing, however much has been written.
INSERT INTO words (words, rank) VALUES ('automerge', 0);
INSERT INTO words (words, rank) VALUES ('crisismerge', 500);

-- How the documents are assembled: an index of documents of another assembly is built anew.
ALTER TABLE manifest ADD COLUMN assembly INTEGER NOT NULL DEFAULT 1;
