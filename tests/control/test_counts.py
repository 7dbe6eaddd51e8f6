"""Counts that are kept for a while. The clock is the only fake."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from imgd.control.counts import CachedCounts, count_library
from imgd.store.database import Database


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def library(tmp_path, library_services):
    database = library_services.make_library(tmp_path)
    yield database
    database.close()


def test_counts_are_kept_for_a_second_and_then_counted_again(library):
    clock = Clock()
    counts = CachedCounts(library, clock)

    def owed(queue: object) -> dict[str, int]:
        return {job.analyzer: job.owed for job in queue.jobs}

    async def check() -> None:
        assert owed(await counts.read()) == {"technical": 1, "labels": 0}
        change = library.write(lambda connection: connection.execute("DELETE FROM jobs WHERE state = 'owed'"))
        await asyncio.wrap_future(change)
        assert owed(await counts.read()) == {"technical": 1, "labels": 0}
        clock.now += 1.01
        await counts.read()
        await counts.settled()
        assert owed(await counts.read()) == {"technical": 0, "labels": 0}

    asyncio.run(check())


def test_counting_reads_jobs_through_their_partial_indexes(library):
    with library.read() as connection:
        for statement, index in (
            ("owed_counts", "jobs_owed"),
            ("reanalyzed_counts", "jobs_owed"),
            ("failed_counts", "jobs_failed"),
        ):
            plan = explain(connection, statement)
            assert index in plan


def explain(connection: sqlite3.Connection, statement: str) -> str:
    from imgd.store.statements import load_statements

    sql = load_statements("imgd.control", "queries")[statement]
    values = (30,) if "?" in sql else ()
    return "\n".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values))


def count(library: Database) -> dict[str, tuple[int, int, int | None]]:
    """Owed, failed and done, by analyzer."""
    with library.read() as connection:
        return {job.analyzer: (job.owed, job.failed, job.done) for job in count_library(connection).jobs}


def test_what_an_analyzer_that_is_off_has_done_is_not_guessed(library):
    assert count(library)["labels"] == (0, 1, 1)
    library.write(lambda c: c.execute("UPDATE analyzers SET active = 0 WHERE name = 'labels'")).result()
    assert count(library)["labels"] == (0, 1, None)


def test_jobs_that_cannot_be_reached_are_neither_owed_now_nor_done(library):
    owe = "INSERT INTO jobs (photo_id, analyzer_id, priority) VALUES (3, 2, 2)"
    library.write(lambda c: c.execute(owe)).result()
    assert count(library) == {"technical": (1, 1, 0), "labels": (0, 1, 1)}, "photo 3 is missing"
    library.write(lambda c: c.execute("UPDATE roots SET state = 'offline'")).result()
    assert count(library) == {"technical": (0, 1, 0), "labels": (0, 1, 1)}


def test_of_an_analyzer_that_runs_on_request_its_findings_are_counted_and_nothing_is_pending(library):
    library.write(lambda c: c.execute("UPDATE analyzers SET run = 'request'")).result()
    library.write(lambda c: c.execute("DELETE FROM jobs")).result()
    findings = count(library)
    assert findings == {"technical": (0, 0, 0), "labels": (0, 0, 1)}
    library.write(lambda c: c.execute("UPDATE analyzers SET generation = generation + 1")).result()
    assert count(library)["labels"] == (0, 0, 0)
