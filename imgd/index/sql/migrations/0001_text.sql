-- text.db: one document a present photo, as it was indexed, and the words of all documents.
-- It is derived: where it is damaged, missing or of another schema, it is built anew from the library.

CREATE TABLE manifest (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    covered_seq INTEGER NOT NULL,                    -- every change up to this number is in the documents
    at_seq      INTEGER NOT NULL,                    -- how far a refresh has come, by (change_seq, photo id)
    at_photo    INTEGER NOT NULL
) STRICT;
INSERT INTO manifest VALUES (1, 0, 0, 0);

-- A field with several entries (tags, people, captions) has one a line.
CREATE TABLE documents (
    photo_id INTEGER PRIMARY KEY,
    person   TEXT NOT NULL,
    tag      TEXT NOT NULL,
    caption  TEXT NOT NULL,
    text     TEXT NOT NULL,
    name     TEXT NOT NULL,
    folder   TEXT NOT NULL,
    place    TEXT NOT NULL,
    camera   TEXT NOT NULL,
    other    TEXT NOT NULL
) STRICT;

CREATE VIRTUAL TABLE words USING fts5 (
    person, tag, caption, text, name, folder, place, camera, other,
    content = 'documents', content_rowid = 'photo_id', tokenize = 'porter unicode61 remove_diacritics 2'
);

-- A row leaves the words with the very text it was indexed with, or its words stay behind as ghosts.
CREATE TRIGGER documents_enter AFTER INSERT ON documents BEGIN
    INSERT INTO words (rowid, person, tag, caption, text, name, folder, place, camera, other)
    VALUES (new.photo_id, new.person, new.tag, new.caption, new.text, new.name, new.folder, new.place, new.camera,
            new.other);
END;
CREATE TRIGGER documents_leave AFTER DELETE ON documents BEGIN
    INSERT INTO words (words, rowid, person, tag, caption, text, name, folder, place, camera, other)
    VALUES ('delete', old.photo_id, old.person, old.tag, old.caption, old.text, old.name, old.folder, old.place,
            old.camera, old.other);
END;
CREATE TRIGGER documents_change AFTER UPDATE ON documents BEGIN
    INSERT INTO words (words, rowid, person, tag, caption, text, name, folder, place, camera, other)
    VALUES ('delete', old.photo_id, old.person, old.tag, old.caption, old.text, old.name, old.folder, old.place,
            old.camera, old.other);
    INSERT INTO words (rowid, person, tag, caption, text, name, folder, place, camera, other)
    VALUES (new.photo_id, new.person, new.tag, new.caption, new.text, new.name, new.folder, new.place, new.camera,
            new.other);
END;
