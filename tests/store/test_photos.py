from __future__ import annotations

from imgd.domain import Priority, SeenFile
from imgd.store.analyzers import AnalyzerDeclaration, synchronise
from imgd.store.folders import find_folders, move_folder
from imgd.store.photos import (
    Registered,
    adopt_missing,
    find_differing,
    find_look_alikes,
    find_unreadable,
    mark_folder_missing,
    mark_missing,
    move_file,
    owe_unreadable,
    register,
)


def _put(library, root, *files, priority=Priority.SCAN, moved=None):
    return library.write(lambda c: register(c, root, files, now=1.0, priority=priority, moved=moved))


def _id(library, name):
    return library.value("SELECT id FROM photos WHERE name = ?", name)


def test_a_new_photo_owes_each_active_analyzer_a_job(library, root, seen):
    library.write(lambda c: c.execute("UPDATE analyzers SET active = 0 WHERE name = 'technical'"))
    assert _put(library, root, seen("a.jpg"), priority=Priority.EVENT).new == 1
    assert library.rows("SELECT analyzer_id, priority, state FROM jobs") == [(1, 10, "owed")]


def test_a_changed_photo_is_a_new_revision_and_owes_everything_again(library, root, seen):
    file = seen("a.jpg")
    _put(library, root, file)
    library.write(lambda c: c.execute("UPDATE photos SET fingerprint = x'01', content_hash = x'02'"))
    library.write(lambda c: c.execute("DELETE FROM jobs WHERE analyzer_id = 1"))
    library.write(lambda c: c.execute("UPDATE jobs SET state = 'failed', attempts = 3, reason = 'bad'"))
    before = library.value("SELECT change_seq FROM photos")
    changed = file._replace(size_bytes=11)
    assert _put(library, root, changed).changed == 1
    assert library.rows("SELECT revision, size, fingerprint, content_hash FROM photos") == [(2, 11, None, None)]
    assert library.rows("SELECT analyzer_id, state, attempts, reason FROM jobs") == [
        (1, "owed", 0, ""),
        (2, "owed", 0, ""),
    ]
    assert library.value("SELECT change_seq FROM photos") > before


def test_an_unchanged_photo_keeps_its_revision_and_its_failure(library, root, seen):
    file = seen("a.jpg")
    _put(library, root, file)
    library.write(lambda c: c.execute("UPDATE jobs SET state = 'failed'"))
    assert _put(library, root, file).unchanged == 1
    assert library.rows("SELECT DISTINCT state FROM jobs") == [("failed",)]
    assert library.value("SELECT revision FROM photos") == 1


def test_only_what_differs_is_found_differing(library, root, seen):
    same, changed, new, elsewhere = seen("a.jpg"), seen("b.jpg"), seen("c.jpg"), seen("a.jpg", b"other")
    _put(library, root, same, changed)
    changed = changed._replace(mtime_ns=6)
    with library.database.read() as connection:
        differing = find_differing(connection, root, [same, changed, new, elsewhere])
    assert set(differing.new) == {new, elsewhere}
    assert differing.known == [changed]


def test_a_folder_that_was_seen_whole_differs_in_the_same_files_as_one_that_was_not(library, root, seen):
    same, changed, missing, relinked, gone = (seen(f"{name}.jpg", b"a") for name in "scmrg")
    _put(library, root, same, changed, missing, relinked, gone, seen("new.jpg", b"b"))
    library.write(lambda c: mark_missing(c, [_id(library, missing.name)], 1.0))
    files = [same, changed._replace(size_bytes=11), missing, relinked._replace(inode=7), seen("new.jpg", b"a")]
    with library.database.read() as connection:
        by_file = find_differing(connection, root, files)
        by_folder = find_differing(connection, root, files, whole={b"a", b"not stored"})
    assert by_folder == by_file
    assert (by_folder.new, by_folder.known) == (files[4:], files[1:4])


def test_new_and_known_files_of_one_registration_are_told_apart(library, root, seen):
    same, changed, missing = (seen(f"{name}.jpg", b"a") for name in "scm")
    _put(library, root, same, changed, missing)
    library.write(lambda c: mark_missing(c, [_id(library, missing.name)], 1.0))
    library.write(lambda c: c.execute("DELETE FROM jobs"))
    fresh = [seen("new.jpg", b"a"), seen("new.jpg", b"b")]
    registered = _put(library, root, same, fresh[0], changed._replace(size_bytes=11), missing, fresh[1])
    assert registered == Registered(new=2, changed=1, back=1, unchanged=1)
    owing = "SELECT name, COUNT(*) FROM jobs JOIN photos ON photos.id = photo_id GROUP BY photos.id ORDER BY name"
    assert library.rows(owing) == [(b"c.jpg", 2), (b"m.jpg", 2), (b"new.jpg", 2), (b"new.jpg", 2)]


def test_another_inode_alone_is_no_change(library, root, seen):
    _put(library, root, seen("a.jpg"))
    assert _put(library, root, seen("a.jpg", inode=7)).changed == 0
    assert library.rows("SELECT revision, inode FROM photos") == [(1, 7)]


def test_a_file_replaced_by_another_photo_of_equal_size_and_time_is_a_change(library, root, seen):
    first, second = seen("a.jpg"), seen("b.jpg")
    _put(library, root, first, second)
    assert _put(library, root, seen("a.jpg", inode=second.inode)).changed == 1


def test_a_name_that_is_not_utf8_is_kept_and_can_be_shown(library, root, seen):
    _put(library, root, seen(b"caf\xe9.jpg", b"f\xff"), seen("größe.jpg"))
    assert library.rows("SELECT name, display_name FROM photos ORDER BY id DESC") == [
        (b"caf\xe9.jpg", "caf\ufffd.jpg"),
        ("größe.jpg".encode(), "größe.jpg"),
    ] or library.rows("SELECT name, display_name FROM photos ORDER BY name") == [
        (b"caf\xe9.jpg", "caf\ufffd.jpg"),
        ("größe.jpg".encode(), "größe.jpg"),
    ]
    assert library.value("SELECT display_path FROM folders WHERE path = ?", b"f\xff") == "f\ufffd"


def test_a_missing_photo_that_is_back_unchanged_owes_only_what_came_up_meanwhile(library, root, seen):
    file = seen("a.jpg")
    _put(library, root, file)
    library.write(lambda c: c.execute("DELETE FROM jobs"))
    library.write(
        lambda c: c.execute(
            "INSERT INTO findings VALUES (1, 1, (SELECT generation FROM analyzers WHERE id = 1), 1, 0, '{}', '')"
        )
    )
    assert library.write(lambda c: mark_missing(c, [1], 5.0)) == 1
    assert library.rows("SELECT state, missing_since FROM photos") == [("missing", 5.0)]
    assert _put(library, root, file).back == 1
    assert library.rows("SELECT state, missing_since, revision FROM photos") == [("present", None, 1)]
    assert library.rows("SELECT analyzer_id FROM jobs") == [(2,)]


def test_a_moved_file_keeps_its_row(library, root, seen):
    _put(library, root, seen("a.jpg", b"x"))
    assert library.write(lambda c: move_file(c, root, (b"x", b"a.jpg"), (b"y/z", b"b.jpg")))
    assert library.rows(
        "SELECT photos.id, folders.path, name, display_name FROM photos JOIN folders ON folders.id = folder_id"
    ) == [(1, b"y/z", b"b.jpg", "b.jpg")]


def test_a_file_moved_over_a_photo_leaves_that_photo_its_row(library, root, seen):
    _put(library, root, seen("photo.jpg"), seen("edited.jpg"))
    photo = _id(library, b"photo.jpg")
    assert not library.write(lambda c: move_file(c, root, (b"", b"edited.jpg"), (b"", b"photo.jpg")))
    assert _id(library, b"photo.jpg") == photo


def test_a_file_moved_to_the_path_of_a_missing_photo_takes_the_path(library, root, seen):
    _put(library, root, seen("old.jpg"), seen("new.jpg"))
    old, new = _id(library, b"old.jpg"), _id(library, b"new.jpg")
    library.write(lambda c: mark_missing(c, [old], 1.0))
    assert library.write(lambda c: move_file(c, root, (b"", b"new.jpg"), (b"", b"old.jpg")))
    assert library.rows("SELECT id, name FROM photos") == [(new, b"old.jpg")]
    assert library.rows("SELECT photo_id FROM removed_photos") == [(old,)]


def test_a_folder_of_ten_thousand_photos_moves_in_few_statements(library, root, seen):
    files = [seen(f"{n}.jpg", b"a/b" if n % 2 else b"a") for n in range(10_000)]
    _put(library, root, *files, seen("x.jpg", b"ab"), seen("y.jpg", b"a-"))
    statements: list[str] = []
    library.write(lambda c: c.set_trace_callback(statements.append))
    library.write(lambda c: move_folder(c, root, b"a", b"c/d"))
    library.write(lambda c: c.set_trace_callback(None))
    assert len(statements) <= 10
    assert library.rows("SELECT path, display_path FROM folders ORDER BY path") == [
        (b"a-", "a-"),
        (b"ab", "ab"),
        (b"c/d", "c/d"),
        (b"c/d/b", "c/d/b"),
    ]


def test_a_folder_moved_to_where_photos_went_missing_takes_their_place(library, root, seen):
    _put(library, root, seen("1.jpg", b"old"), seen("1.jpg", b"new"), seen("2.jpg", b"new"), seen("3.jpg", b"old"))
    library.write(lambda c: mark_folder_missing(c, root, b"old", 1.0))
    library.write(lambda c: move_folder(c, root, b"new", b"old"))
    found = library.rows(
        "SELECT folders.path, name, state FROM photos JOIN folders ON folders.id = folder_id ORDER BY name"
    )
    assert found == [(b"old", b"1.jpg", "present"), (b"old", b"2.jpg", "present"), (b"old", b"3.jpg", "missing")]


def test_a_folder_that_is_gone_takes_all_below_it(library, root, seen):
    _put(library, root, seen("1.jpg", b"a"), seen("2.jpg", b"a/b"), seen("3.jpg", b"ab"))
    assert library.write(lambda c: mark_folder_missing(c, root, b"a", 1.0)) == 2
    assert library.rows("SELECT name FROM photos WHERE state = 'present'") == [(b"3.jpg",)]


def test_a_look_alike_has_the_same_inode_size_and_time(library, root, seen):
    old = seen("old.jpg", b"a")
    _put(library, root, old)
    with library.database.read() as connection:
        (alike,) = find_look_alikes(connection, [seen("new.jpg", inode=old.inode)])
        assert alike.path == b"/photos/a/old.jpg"
        assert not find_look_alikes(connection, [seen("new.jpg", inode=old.inode, mtime_ns=6)])
        assert not find_look_alikes(connection, [seen("new.jpg")])


def test_a_photo_on_an_unplugged_disk_is_nobodys_look_alike(library, root, seen):
    old = seen("old.jpg")
    _put(library, root, old)
    library.write(lambda c: c.execute("UPDATE roots SET state = 'offline'"))
    with library.database.read() as connection:
        assert not find_look_alikes(connection, [seen("new.jpg", inode=old.inode)])


def test_a_photo_seen_at_a_new_path_keeps_its_row_and_owes_nothing(library, root, seen):
    old = seen("old.jpg")
    _put(library, root, old)
    library.write(lambda c: c.execute("DELETE FROM jobs"))
    new = seen("new.jpg", b"x", inode=old.inode)
    registered = _put(library, root, new, moved={1: new})
    assert (registered.moved, registered.new) == (1, 0)
    assert library.rows("SELECT id, name FROM photos") == [(1, b"new.jpg")]
    assert not library.rows("SELECT * FROM jobs")


def _fingerprint(library, **prints):
    for name, value in prints.items():
        library.write(
            lambda c, n=name, v=value: c.execute(
                "UPDATE photos SET fingerprint = ? WHERE name = ?", (v, n.encode())
            )
        )


def test_a_new_photo_that_is_a_missing_one_gives_its_path_to_the_old_row(library, root, seen):
    _put(library, root, seen("old"))
    library.write(lambda c: mark_missing(c, [1], 1.0))
    _put(library, root, seen("new", b"there"))
    _fingerprint(library, old=b"same", new=b"same")
    assert library.write(lambda c: adopt_missing(c, [2])) == {2: 1}
    assert library.rows("SELECT id, name, state FROM photos") == [(1, b"new", "present")]
    assert library.rows("SELECT DISTINCT photo_id FROM jobs") == [(1,)]
    assert library.rows("SELECT photo_id FROM removed_photos") == [(2,)]


def test_same_size_and_time_alone_never_make_two_files_one(library, root, seen):
    _put(library, root, seen("old"))
    library.write(lambda c: mark_missing(c, [1], 1.0))
    _put(library, root, seen("new"))
    _fingerprint(library, old=b"one", new=b"two")
    assert library.write(lambda c: adopt_missing(c, [2])) == {}


def test_one_of_several_equal_photos_adopts_nothing(library, root, seen):
    _put(library, root, seen("old"), seen("copy"))
    old, copy = _id(library, b"old"), _id(library, b"copy")
    library.write(lambda c: mark_missing(c, [old], 1.0))
    _put(library, root, seen("new"))
    _fingerprint(library, old=b"same", copy=b"same", new=b"same")
    assert library.write(lambda c: adopt_missing(c, [_id(library, b"new")])) == {}
    assert library.value("SELECT COUNT(*) FROM photos") == 3
    assert copy != old


def test_ten_thousand_files_are_registered_in_few_statements(library, root, seen):
    files = [seen(f"{n}.jpg", b"%d" % folder) for folder in range(100) for n in range(100)]
    statements: list[str] = []
    library.write(lambda c: c.set_trace_callback(statements.append))
    assert _put(library, root, *files).new == 10_000
    assert len(statements) <= 100
    assert library.value("SELECT COUNT(*) FROM jobs") == 20_000
    with library.database.read() as connection:
        reads: list[str] = []
        connection.set_trace_callback(reads.append)
        differing = find_differing(connection, root, files)
        connection.set_trace_callback(None)
    assert not differing.new
    assert not differing.known
    assert len(reads) <= 10


def test_a_folder_gets_one_row_whoever_adds_it(library, root):
    file = SeenFile(b"a", b"1.jpg", 1, 1, 1, 1)
    futures = [library.database.write(lambda c: register(c, root, [file], now=1.0)) for _ in range(4)]
    assert sorted(future.result().new for future in futures) == [0, 0, 0, 1]
    with library.database.read() as connection:
        assert list(find_folders(connection, root, [b"a", b"b"])) == [b"a"]


def _analyze(library, photo_id):
    """All that the photo owes is found."""
    library.write(lambda c: c.execute("DELETE FROM jobs WHERE photo_id = ?", (photo_id,)))
    library.write(
        lambda c: c.execute(
            "INSERT OR REPLACE INTO findings SELECT ?, id, generation, 1, 0, '{}', '' FROM analyzers", (photo_id,)
        )
    )


def _change_technical_and_add_tags(library):
    declared = [("metadata", "1"), ("technical", "2"), ("tags", "1")]
    library.write(lambda c: synchronise(c, [AnalyzerDeclaration(*each, "") for each in declared]))


def _owed(library):
    return library.rows("SELECT photo_id, name FROM jobs JOIN analyzers ON id = analyzer_id ORDER BY name")


def test_a_missing_photo_found_by_its_fingerprint_owes_what_came_up_meanwhile(library, root, seen):
    _put(library, root, seen("old"))
    _analyze(library, 1)
    library.write(lambda c: mark_missing(c, [1], 1.0))
    _change_technical_and_add_tags(library)
    _put(library, root, seen("new"))
    _analyze(library, 2)
    _fingerprint(library, old=b"same", new=b"same")
    assert library.write(lambda c: adopt_missing(c, [2])) == {2: 1}
    assert _owed(library) == [(1, "tags"), (1, "technical")]


def test_a_missing_photo_seen_at_a_new_path_owes_what_came_up_meanwhile(library, root, seen):
    old = seen("old.jpg")
    _put(library, root, old)
    _analyze(library, 1)
    library.write(lambda c: mark_missing(c, [1], 1.0))
    _change_technical_and_add_tags(library)
    new = seen("new.jpg", inode=old.inode)
    assert _put(library, root, new, moved={1: new}).moved == 1
    assert _owed(library) == [(1, "tags"), (1, "technical")]


def test_a_missing_photo_that_is_renamed_owes_what_came_up_meanwhile(library, root, seen):
    _put(library, root, seen("old.jpg"))
    _analyze(library, 1)
    library.write(lambda c: mark_missing(c, [1], 1.0))
    _change_technical_and_add_tags(library)
    assert library.write(lambda c: move_file(c, root, (b"", b"old.jpg"), (b"", b"new.jpg")))
    assert _owed(library) == [(1, "tags"), (1, "technical")]


def test_only_jobs_that_failed_because_the_file_could_not_be_read_are_owed_again(library, root, seen):
    files = [seen("a.jpg"), seen("b.jpg"), seen("c.jpg")]
    _put(library, root, *files)
    library.write(
        lambda c: c.execute(
            "UPDATE jobs SET state = 'failed', attempts = 1, reason = CASE photo_id WHEN ? "
            "THEN 'the file cannot be read: Permission denied' ELSE 'it is no image' END",
            (_id(library, b"b.jpg"),),
        )
    )
    with library.database.read() as connection:
        found = find_unreadable(connection, root, files)
    assert found == [_id(library, b"b.jpg")]
    assert library.write(lambda c: owe_unreadable(c, found)) == 2
    assert library.rows("SELECT DISTINCT photo_id, attempts, reason, priority FROM jobs WHERE state = 'owed'") == [
        (found[0], 0, "", 10)
    ]
