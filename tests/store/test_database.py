from __future__ import annotations

import contextlib
import sqlite3
import stat
import threading
import time

import pytest

from imgd.errors import StoreBusyError, StoreDamagedError, StoreError, StoreNewerError
from imgd.store.changes import newest_change_seq, next_change_seq
from imgd.store.database import Database
from imgd.store.migrate import Migration, migrate, migrations
from imgd.store.statements import load_statements

_STEPS = [Migration(1, "0001", "CREATE TABLE t (x);"), Migration(2, "0002", "ALTER TABLE t ADD COLUMN y;")]


def test_a_write_is_committed_when_its_future_is_done(library):
    library.write(lambda c: c.execute("INSERT INTO labels (label) VALUES ('a')"))
    assert library.rows("SELECT label FROM labels") == [("a",)]


def test_a_write_that_fails_leaves_nothing(library):
    def work(connection):
        connection.execute("INSERT INTO labels (label) VALUES ('a')")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        library.write(work)
    assert library.rows("SELECT label FROM labels") == []


def test_writes_of_many_threads_run_one_after_the_other(library):
    def add(number):
        library.write(lambda c: c.execute("UPDATE counters SET value = value + 1 WHERE name = 'change_seq'"))

    before = library.write(newest_change_seq)
    threads = [threading.Thread(target=add, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert library.write(newest_change_seq) == before + 8
    assert library.write(next_change_seq) == before + 9


def test_a_reader_cannot_write(library):
    with library.database.read() as connection, pytest.raises(sqlite3.OperationalError):
        connection.execute("INSERT INTO labels (label) VALUES ('a')")


def test_a_snapshot_does_not_see_later_commits(library):
    with library.database.snapshot() as connection:
        assert connection.execute("SELECT COUNT(*) FROM labels").fetchone() == (0,)
        library.write(lambda c: c.execute("INSERT INTO labels (label) VALUES ('a')"))
        assert connection.execute("SELECT COUNT(*) FROM labels").fetchone() == (0,)


def test_the_library_is_readable_by_its_owner_only(library):
    assert stat.S_IMODE(library.database.path.stat().st_mode) == 0o600


def test_a_closed_database_refuses_writes(tmp_path):
    database = Database(tmp_path / "library.db", migrations())
    database.close()
    with pytest.raises(StoreError, match="is closed"):
        database.write(lambda c: None).result()


def test_a_file_that_is_no_database_is_damage(tmp_path):
    path = tmp_path / "library.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreDamagedError) as caught:
        Database(path, migrations())
    assert "move library.db away" in caught.value.advice


def test_a_database_of_another_program_is_left_alone(tmp_path):
    path = tmp_path / "library.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(StoreError, match="another program"):
        Database(path, migrations())


def _schema(connection):
    return connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()


def test_a_migrated_database_equals_a_fresh_one():
    steps = migrations()
    fresh, migrated = (sqlite3.connect(":memory:", isolation_level=None) for _ in range(2))
    migrate(fresh, steps)
    for count in range(1, len(steps) + 1):
        migrate(migrated, steps[:count])
    assert _schema(migrated) == _schema(fresh)
    fresh.close()
    migrated.close()


def test_files_of_an_older_library_changed_last_in_the_revisions_it_has():
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, [step for step in migrations() if step.version < 7])
        connection.executescript(
            "INSERT INTO roots (id, path, display_path) VALUES (1, x'2f', '/');"
            "INSERT INTO folders (id, root_id, path, display_path) VALUES (1, 1, x'', '');"
            "INSERT INTO photos (folder_id, name, display_name, size, mtime_ns, device, inode, revision, added_at,"
            " change_seq) VALUES (1, x'61', 'a', 1, 1, 1, 1, 1, 0, 0), (1, x'62', 'b', 1, 1, 1, 2, 5, 0, 0);"
        )
        migrate(connection, migrations())
        revisions = connection.execute("SELECT revision, file_revision FROM photos ORDER BY id").fetchall()
    assert revisions == [(1, 1), (5, 5)]


def test_a_migration_that_fails_leaves_the_version_before_it():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, [*_STEPS, Migration(3, "0003", "CREATE TABLE u (x); BROKEN;")])
    assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    assert [name for _, name, _ in _schema(connection)] == ["t"]
    connection.close()


def test_a_database_from_a_newer_imgd_is_refused():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, _STEPS)
    with pytest.raises(StoreNewerError):
        migrate(connection, _STEPS[:1])
    connection.close()


def test_statements_are_found_by_name():
    statements = load_statements("imgd.store", "folders")
    assert statements["ids"].startswith("SELECT path, id")
    assert not any(text.endswith(";") for text in statements.values())


def test_a_library_that_another_program_holds_locked_is_said_to_be_so(tmp_path, monkeypatch):
    monkeypatch.setattr("imgd.store.database._BUSY_TIMEOUT_S", 0.0)
    with contextlib.closing(sqlite3.connect(tmp_path / "library.db", isolation_level=None)) as other:
        other.execute("CREATE TABLE t (x)")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreBusyError, match="database is locked"):
            Database(tmp_path / "library.db", _STEPS)


def _is_emptied(path, timeout_s=120.0):
    """Whether the WAL of the database `path` becomes empty in `timeout_s`."""
    wal, deadline = path.with_name(path.name + "-wal"), time.monotonic() + timeout_s
    while wal.stat().st_size and time.monotonic() < deadline:
        time.sleep(0.01)
    return wal.stat().st_size == 0


@pytest.fixture
def hasty(tmp_path, monkeypatch):
    """A database that checkpoints soon after its last write, with a mebibyte in its WAL."""
    monkeypatch.setattr("imgd.store.database._CHECKPOINT_AFTER_S", 0.05)
    database = Database(tmp_path / "library.db", _STEPS)
    yield database
    database.close()


def _fill(database):
    database.write(lambda c: c.execute("INSERT INTO t (x) VALUES (zeroblob(1 << 20))")).result(10)


def test_once_nothing_is_written_the_wal_is_emptied(hasty):
    _fill(hasty)
    assert _is_emptied(hasty.path)
    with hasty.snapshot() as connection:
        connection.execute("SELECT COUNT(*) FROM t").fetchone()  # holds off the checkpoint
        _fill(hasty)
        assert hasty.path.with_name("library.db-wal").stat().st_size > 1 << 20
    assert _is_emptied(hasty.path)


def test_the_wal_is_emptied_once_the_last_reader_of_an_older_state_has_gone(hasty):
    reader = sqlite3.connect(hasty.path, isolation_level=None)
    with contextlib.closing(reader):
        reader.execute("BEGIN")
        assert reader.execute("SELECT COUNT(*) FROM t").fetchone() == (0,)
        for _ in range(5):
            _fill(hasty)  # each in time: no checkpoint holds up the write thread for the reader's sake
            assert not _is_emptied(hasty.path, 0.1)
        assert reader.execute("SELECT COUNT(*) FROM t").fetchone() == (0,)
        reader.execute("COMMIT")
        assert _is_emptied(hasty.path)
        assert reader.execute("SELECT COUNT(*) FROM t").fetchone() == (5,)


def test_a_wal_that_a_killed_daemon_left_behind_is_emptied(tmp_path, hasty):
    _fill(hasty)
    for suffix in ("", "-wal"):
        (tmp_path / f"copy.db{suffix}").write_bytes((tmp_path / f"library.db{suffix}").read_bytes())
    left = Database(tmp_path / "copy.db", _STEPS)
    try:
        with left.read() as connection:
            assert connection.execute("SELECT COUNT(*) FROM t").fetchone() == (1,)
        assert _is_emptied(left.path)
    finally:
        left.close()


def test_commits_that_follow_one_another_do_not_let_the_wal_grow_without_end(tmp_path):
    database = Database(tmp_path / "library.db", _STEPS)
    try:
        for _ in range(100):  # 200 MiB in all
            database.write(lambda c: c.executemany("INSERT INTO t (x) VALUES (zeroblob(1 << 10))", [()] * 2000))
        database.write(lambda _: None).result(60)
        assert tmp_path.joinpath("library.db-wal").stat().st_size < 100 << 20
    finally:
        database.close()
