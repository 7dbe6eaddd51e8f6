"""Counts that are kept for a while. The clock is the only fake."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from imgd.control.counts import CachedCounts


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
        for statement, index in (("owed_counts", "jobs_owed"), ("failed_counts", "jobs_failed")):
            plan = explain(connection, statement)
            assert index in plan


def explain(connection: sqlite3.Connection, statement: str) -> str:
    from imgd.store.statements import load_statements

    sql = load_statements("imgd.control", "queries")[statement]
    return "\n".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}"))
