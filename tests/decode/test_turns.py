"""Large decodes wait for each other, in whatever process they are."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from imgd.decode import Turns
from imgd.decode.turns import NoTurns

HOLDER = """
import os, sys
from imgd.decode import Turns
with Turns(int(sys.argv[1]), 100, print).take(101):
    print("holds it", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def shared() -> Iterator[int]:
    descriptor = os.memfd_create("turns")
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def holder(shared: int) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the turn until a line comes."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(shared)],
        pass_fds=[shared],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "holds it\n"
    with process:
        yield process


def test_a_large_decode_waits_until_the_other_ends_and_a_small_one_does_not(
    shared: int, holder: subprocess.Popen[str]
) -> None:
    said: list[str] = []

    def wait(waits: bool) -> None:
        said.append("waits" if waits else "goes on")
        if waits:
            holder.communicate("go on\n")

    turns = Turns(shared, 100, wait)
    with turns.take(100):
        assert said == []
    with turns.take(101):
        assert said == ["waits", "goes on"]
        assert holder.poll() == 0


def test_the_turn_of_a_process_that_dies_is_free(shared: int, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    with Turns(shared, 0, lambda _waits: pytest.fail("it waited")).take(1):
        pass


def test_without_turns_nothing_waits() -> None:
    with NoTurns().take(1 << 60):
        pass
