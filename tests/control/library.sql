-- A small library: an analyzed photo (1), one with an odd name that failed (2), one that is missing (3).
INSERT INTO roots (id, path, display_path) VALUES (1, CAST('/photos' AS BLOB), '/photos');
INSERT INTO folders (id, root_id, path, display_path)
VALUES (1, 1, x'', ''), (2, 1, CAST('2023/may' AS BLOB), '2023/may');
INSERT INTO analyzers (id, name, version, digest, generation)
VALUES (1, 'technical', '2', 'd', 3), (2, 'labels', '1', 'd', 1);
INSERT INTO photos (id, folder_id, name, display_name, size, mtime_ns, device, inode, added_at, change_seq,
                    fingerprint, revision, width, height, format, route)
VALUES (1, 2, CAST('cat.jpg' AS BLOB), 'cat.jpg', 1234, 1700000000500000000, 1, 10, 1.0, 1,
        x'00ff', 2, 640, 480, 'jpeg', 'dct 1/2');
INSERT INTO photos (id, folder_id, name, display_name, size, mtime_ns, device, inode, added_at, change_seq,
                    state, missing_since)
VALUES (2, 1, x'636166e90a1b5b33316d7265642e6a7067', 'odd', 5, 0, 1, 11, 1.0, 2, 'present', NULL),
       (3, 1, CAST('gone.jpg' AS BLOB), 'gone.jpg', 5, 0, 1, 12, 1.0, 3, 'missing', 99.0);
INSERT INTO sidecars (photo_id, name, size, mtime_ns) VALUES (1, CAST('cat.xmp' AS BLOB), 7, 2000000000);
INSERT INTO findings (photo_id, analyzer_id, generation, revision, analyzed_at, facts)
VALUES (1, 1, 2, 1, 1700000001.0, '{"sharpness": 0.5}'), (1, 2, 1, 2, 1700000002.0, '{}');
INSERT INTO labels (id, label) VALUES (1, 'cat'), (2, 'sofa');
INSERT INTO tags (photo_id, analyzer_id, label_id, score) VALUES (1, 2, 1, 0.9), (1, 2, 2, 0.4);
INSERT INTO texts (photo_id, analyzer_id, ordinal, kind, text) VALUES (1, 2, 0, 'caption', 'a cat on a sofa');
INSERT INTO regions (photo_id, analyzer_id, ordinal, kind, label, score, box_left, box_top, box_width, box_height)
VALUES (1, 2, 0, 'object', 'cat', 0.8, 0.1, 0.2, 0.3, 0.4);
INSERT INTO spaces (id, name, dimensions) VALUES (1, 'concept:test', 384);
INSERT INTO vectors (space_id, photo_id, analyzer_id, region, generation, data) VALUES (1, 1, 2, NULL, 1, x'00');
INSERT INTO metadata (photo_id, camera_make, iso) VALUES (1, 'Canon', 200);
INSERT INTO jobs (photo_id, analyzer_id, priority) VALUES (1, 1, 2);
INSERT INTO jobs (photo_id, analyzer_id, priority, state, attempts, reason)
VALUES (2, 1, 2, 'failed', 1, 'truncated file: 1 of 2 KiB'),
       (2, 2, 2, 'failed', 3, 'no pixels'),
       (3, 1, 2, 'failed', 1, 'gone');
