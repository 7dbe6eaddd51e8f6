-- What is done in text.db.

-- name: manifest
SELECT covered_seq, at_seq, at_photo, assembly, library FROM manifest;

-- name: move_on
UPDATE manifest SET at_seq = :at_seq, at_photo = :at_photo;

-- name: cover
UPDATE manifest SET covered_seq = max(covered_seq, :covered);

-- name: cover_all
UPDATE manifest
SET covered_seq = :covered, at_seq = :covered, at_photo = 0x7fffffffffffffff, assembly = :assembly, library = :library;

-- name: put
INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: drop
DELETE FROM documents WHERE photo_id IN (SELECT value FROM json_each(:photo_ids));

-- name: enter_words
INSERT INTO words (rowid, person, tag, caption, text, name, folder, place, camera, other)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: leave_words
-- A row leaves the words with the very text it was indexed with, or its words stay behind as ghosts.
INSERT INTO words (words, rowid, person, tag, caption, text, name, folder, place, camera, other)
VALUES ('delete', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: optimize_words
INSERT INTO words (words) VALUES ('optimize');

-- name: hash_size
INSERT INTO words (words, rank) VALUES ('hashsize', :bytes);

-- name: merge_words
INSERT INTO words (words, rank) VALUES ('merge', :pages);

-- name: check_words
INSERT INTO words (words, rank) VALUES ('integrity-check', 1);

-- name: ranked
-- Weights by field: person > tag > caption > text in the picture > file name > folder > place > camera, other.
SELECT rowid, bm25(words, 12.0, 10.0, 6.0, 4.0, 3.0, 2.0, 1.5, 1.0, 1.0) AS cost
FROM words WHERE words MATCH :match ORDER BY cost, rowid LIMIT :limit;

-- name: ranked_within
-- The plus keeps rowid from FTS5, which would walk the matches again for every single id.
SELECT rowid, bm25(words, 12.0, 10.0, 6.0, 4.0, 3.0, 2.0, 1.5, 1.0, 1.0) AS cost
FROM words WHERE words MATCH :match AND rowid BETWEEN :first AND :last
AND +rowid IN (SELECT value FROM json_each(:within)) ORDER BY cost, rowid LIMIT :limit;

-- name: matching
-- One text of all ids: a row of its own for each costs three times as much.
SELECT group_concat(rowid) FROM
    (SELECT rowid FROM words WHERE words MATCH :match AND rowid BETWEEN :first AND :last LIMIT :limit);

-- name: newest_matching
SELECT group_concat(rowid) FROM
    (SELECT rowid FROM words WHERE words MATCH :match ORDER BY rowid DESC LIMIT :limit);

-- name: count_matching
SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH :match LIMIT :limit);

-- name: count_documents
SELECT count(*) FROM words_docsize;

-- name: names
SELECT photo_id, name FROM documents WHERE photo_id IN (SELECT value FROM json_each(:photo_ids)) ORDER BY photo_id DESC;

-- name: documents
SELECT * FROM documents WHERE photo_id IN (SELECT value FROM json_each(:photo_ids)) ORDER BY photo_id;

-- name: few_words
-- The words of a few documents, tokenized as those of all are, in a database in memory.
CREATE VIRTUAL TABLE words USING fts5 (
    person, tag, caption, text, name, folder, place, camera, other, tokenize = 'porter unicode61 remove_diacritics 2'
);

-- name: marked
SELECT rowid, highlight(words, 0, char(2), char(3)), highlight(words, 1, char(2), char(3)),
       highlight(words, 2, char(2), char(3)), highlight(words, 3, char(2), char(3)),
       highlight(words, 4, char(2), char(3)), highlight(words, 5, char(2), char(3)),
       highlight(words, 6, char(2), char(3)), highlight(words, 7, char(2), char(3)),
       highlight(words, 8, char(2), char(3))
FROM words WHERE words MATCH :match;
