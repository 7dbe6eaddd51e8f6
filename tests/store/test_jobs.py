"""What is read of the queue, in which order, and what stays in it."""

from __future__ import annotations

import pytest

from imgd.domain import FileStat, Outcome, Priority, SeenFile, StoredFinding
from imgd.store.findings import commit
from imgd.store.jobs import QueuePosition, any_owed, next_due, read_owed, retry
from imgd.store.photos import mark_missing, register
from imgd.store.roots import configure
from imgd.store.statements import load_statements

BOTH = (1, 2)


@pytest.fixture
def put(library, root, seen):
    def put(*names, priority=Priority.SCAN):
        files = [name if isinstance(name, SeenFile) else seen(name) for name in names]
        library.write(lambda c: register(c, root, files, now=1.0, priority=priority, moved=None))

    return put


def page(library, after=QueuePosition(), *, analyzers=BOTH, limit=100, now=10.0, skip=()):  # noqa: B008
    with library.database.snapshot() as connection:
        return read_owed(connection, analyzers, after, limit=limit, now=now, skip=skip)


def ids(page):
    return [photo.photo_id for photo in page.photos]


def test_photos_come_by_priority_then_as_they_were_registered(library, put):
    put("a.jpg", "b.jpg")
    put("c.jpg", "d.jpg", priority=Priority.EVENT)
    assert ids(page(library)) == [3, 4, 1, 2]


def test_photos_of_one_priority_come_by_folder_and_inode(library, put, seen):
    put(seen("late.jpg", b"b", inode=1), seen("deep.jpg", b"a", inode=90), seen("first.jpg", b"a", inode=7))
    put(seen("urgent.jpg", b"c", inode=99), priority=Priority.EVENT)
    assert [photo.path.rpartition(b"/")[2] for photo in page(library).photos] == [
        b"urgent.jpg",
        b"first.jpg",
        b"deep.jpg",
        b"late.jpg",
    ]


def test_a_photo_has_a_preview_while_its_previewer_s_finding_is_of_its_file_as_it_is(library, put):
    def has_preview(now=1000.0):
        with library.database.snapshot() as connection:
            (photo,) = read_owed(
                connection,
                [1],
                QueuePosition(),
                limit=9,
                now=now,
                previewer=library.value("SELECT MAX(name) FROM analyzers"),
            ).photos
        return photo.has_preview

    put("a.jpg")
    previewer = library.value("SELECT id FROM analyzers ORDER BY name DESC LIMIT 1")
    assert not has_preview()
    library.write(lambda c: commit(c, [], [Outcome(1, previewer, 1, StoredFinding())], 1.0))
    library.write(
        lambda c: c.execute("INSERT OR IGNORE INTO jobs (photo_id, analyzer_id, priority) VALUES (1, 1, 30)")
    )
    assert has_preview()
    assert not has_preview(now=500.0)
    library.write(lambda c: c.execute("UPDATE photos SET revision = 2"))
    assert not has_preview()
    library.write(lambda c: c.execute("UPDATE findings SET revision = 2"))
    assert has_preview()
    library.write(lambda c: c.execute("UPDATE analyzers SET generation = 2"))
    assert not has_preview()


def test_a_page_goes_on_where_the_last_one_ended(library, put):
    put(*(f"{number}.jpg" for number in range(5)))
    put("urgent.jpg", priority=Priority.EVENT)
    found, position = [], QueuePosition()
    while position is not None:
        read = page(library, position, limit=2)
        assert len(read.photos) <= 2
        found += ids(read)
        position = read.end
    assert found == [6, 1, 2, 3, 4, 5]


def test_a_photo_comes_once_with_all_its_jobs_and_what_it_takes_to_read_it(library, put, seen):
    file = seen(b"\xff\xfe.jpg", b"2024/summer")
    put(file)
    library.write(lambda c: c.execute("INSERT INTO sidecars VALUES (1, 1, x'62', 1, 1), (2, 1, x'61', 1, 1)"))
    (photo,) = page(library).photos
    assert photo.path == b"/photos/2024/summer/\xff\xfe.jpg"
    assert photo.stat == FileStat(file.size_bytes, file.mtime_ns, file.device, file.inode)
    assert photo.revision == 1
    assert photo.sidecars == (b"a", b"b")
    assert sorted(job.analyzer_id for job in photo.jobs) == [1, 2]


def test_a_photo_whose_jobs_differ_in_priority_comes_with_all_of_them_at_the_sooner(library, put):
    put("a.jpg", "b.jpg")
    library.write(lambda c: c.execute("UPDATE jobs SET priority = 5 WHERE photo_id = 2 AND analyzer_id = 2"))
    photos = page(library).photos
    assert photos[0].photo_id == 2
    assert len(photos[0].jobs) == 2


def test_only_jobs_of_the_analyzers_asked_for_are_read(library, put):
    put("a.jpg", "b.jpg")
    library.write(lambda c: c.execute("DELETE FROM jobs WHERE photo_id = 1 AND analyzer_id = 2"))
    read = page(library, analyzers=(2,))
    assert [(photo.photo_id, [job.analyzer_id for job in photo.jobs]) for photo in read.photos] == [(2, [2])]
    assert page(library, analyzers=()).photos == ()


def test_photos_in_flight_are_skipped_and_the_cursor_moves_on(library, put):
    put("a.jpg", "b.jpg", "c.jpg")
    first = page(library, limit=2, skip={1, 2})
    assert first.photos == ()
    assert first.end == QueuePosition(20, 2)
    assert ids(page(library, first.end, limit=2)) == [3]


@pytest.mark.parametrize("how", ["offline", "missing"])
def test_photos_that_cannot_be_reached_are_left_out_and_the_cursor_moves_on(library, put, seen, how):
    put("a.jpg", "b.jpg")
    if how == "missing":
        library.write(lambda c: mark_missing(c, [1, 2], 1.0))
    else:
        library.write(lambda c: c.execute("UPDATE roots SET state = 'offline'"))
    other = library.write(lambda c: configure(c, [b"/photos", b"/elsewhere"], 0.0))[1].id
    library.write(
        lambda c: register(c, other, [seen("c.jpg", size=11)], now=1.0, priority=Priority.SCAN, moved=None)
    )
    first = page(library, limit=2)
    assert first.photos == ()
    assert first.end is not None
    assert ids(page(library, first.end, limit=2)) == [3]
    assert library.value("SELECT COUNT(*) FROM jobs") == 6
    library.write(lambda c: c.execute("DELETE FROM jobs WHERE photo_id = 3"))
    assert library.write(lambda c: any_owed(c, BOTH)) is False


def test_a_postponed_job_waits_for_its_time(library, put):
    put("a.jpg", "b.jpg")
    outcomes = [Outcome(1, analyzer, 1, reason="full", retry_in_s=60.0) for analyzer in BOTH]
    library.write(lambda c: commit(c, [], outcomes, 100.0))
    assert ids(page(library, now=159.9)) == [2]
    assert ids(page(library, now=160.0)) == [1, 2]
    with library.database.read() as connection:
        assert next_due(connection, BOTH, 100.0) == 160.0
        assert next_due(connection, BOTH, 160.0) is None
        assert any_owed(connection, BOTH)


def test_a_photo_with_one_postponed_job_comes_with_the_other(library, put):
    put("a.jpg")
    library.write(lambda c: commit(c, [], [Outcome(1, 1, 1, reason="full", retry_in_s=60.0)], 100.0))
    (photo,) = page(library, now=101.0).photos
    assert [job.analyzer_id for job in photo.jobs] == [2]


def test_failed_jobs_are_not_read_until_they_are_retried(library, put):
    put("a.jpg", "b.jpg")
    outcomes = [Outcome(photo, analyzer, 1, reason="bad") for photo in (1, 2) for analyzer in BOTH]
    library.write(lambda c: commit(c, [], outcomes, 2.0))
    assert page(library).photos == ()
    assert library.write(lambda c: any_owed(c, BOTH)) is False
    assert library.value("SELECT COUNT(*) FROM jobs WHERE state = 'failed' AND analyzer_id = 1") == 2
    assert library.write(lambda c: retry(c, [1], "technical")) == 1
    (photo,) = page(library).photos
    assert [(job.analyzer_id, job.attempts) for job in photo.jobs] == [(2, 0)]
    assert library.value("SELECT priority FROM jobs WHERE analyzer_id = 2 AND photo_id = 1") == Priority.EVENT
    assert library.write(lambda c: retry(c, analyzer="nobody")) == 0
    library.write(lambda c: c.execute("UPDATE analyzers SET active = 0 WHERE id = 1"))
    assert library.write(retry) == 1, "what is switched off could not try"
    library.write(lambda c: c.execute("UPDATE analyzers SET active = 1 WHERE id = 1"))
    assert library.write(retry) == 2
    assert library.value("SELECT COUNT(*) FROM jobs WHERE state = 'failed'") == 0


def test_the_queue_is_read_along_its_index(library, put):
    put("a.jpg")
    sql = load_statements("imgd.store", "jobs")
    values = {
        "priority": 20,
        "least_urgent": 30,
        "photo_id": 7,
        "analyzers": "[1, 2]",
        "analyzer_id": 1,
        "now": 1.0,
        "after": 1.0,
        "limit": 10,
        "photos": "[1]",
        "previewer": "preview",
        "before": 0.0,
    }

    def plan(name):
        with library.database.read() as connection:
            return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql[name]}", values)]

    (search, *rest) = plan("page")
    assert search.startswith("SEARCH jobs USING COVERING INDEX jobs_owed")
    assert not any("photos" in step or "TEMP B-TREE" in step for step in rest)
    assert "jobs_postponed" in plan("next_due")[0]
    for name in ("photos", "jobs_of", "sidecars_of"):
        scanned = [step for step in plan(name) if step.startswith("SCAN")]
        assert all("VIRTUAL TABLE" in step for step in scanned), name


def test_of_analyzers_that_wait_only_what_was_asked_for_is_read(library, put):
    put("a.jpg", "b.jpg", "c.jpg")
    library.write(lambda c: c.execute("UPDATE jobs SET priority = 5 WHERE photo_id = 2 AND analyzer_id = 2"))
    library.write(lambda c: c.execute("DELETE FROM jobs WHERE photo_id = 2 AND analyzer_id = 1"))
    with library.database.snapshot() as connection:
        read = read_owed(connection, [1], QueuePosition(), limit=9, now=10.0, asked=[2])
    assert [(photo.photo_id, [job.analyzer_id for job in photo.jobs]) for photo in read.photos] == [
        (2, [2]),
        (1, [1]),
        (3, [1]),
    ]
