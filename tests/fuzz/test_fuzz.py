"""Hostile files of every format, in confined processes: nothing but plain reasons and whole pictures come out.

The tests draw the same files every time, unless IMGD_FUZZ_SEED says where to begin (`random`: anywhere; the seed
is printed). IMGD_FUZZ_FILES is how many of each seed; `make fuzz` runs for longer and keeps what it finds.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest
from fuzzing import mutations, seeds
from fuzzing.__main__ import file_name
from fuzzing.confined import Confined, Verdict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FILES = int(os.environ.get("IMGD_FUZZ_FILES", "24"))
SEED = os.environ.get("IMGD_FUZZ_SEED", "0")

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def confined() -> Iterator[Confined]:
    with Confined() as process:
        yield process


@pytest.fixture(scope="module")
def first() -> int:
    """The number of the first harmed file."""
    number = random.SystemRandom().randrange(10**9) if SEED == "random" else int(SEED)
    print(f"IMGD_FUZZ_SEED={number}")
    return number


def attempt(confined: Confined, name: str, data: bytes) -> Verdict:
    return confined.attempt(file_name(name), data)


@pytest.mark.parametrize("name", seeds.names())
def test_a_whole_file_of_every_format_is_read_without_a_word(confined: Confined, name: str) -> None:
    assert attempt(confined, name, seeds.seed(name)).problems == ()


@pytest.mark.parametrize("name", seeds.names())
def test_a_harmed_file_ends_with_a_picture_or_a_plain_reason(confined: Confined, first: int, name: str) -> None:
    for number in range(first, first + FILES):
        data = mutations.numbered(name, number, seeds.seed, seeds.names())
        assert attempt(confined, name, data).problems == (), f"python -m fuzzing --again {name} {number}"


@settings(
    max_examples=10 * FILES,
    deadline=None,
    derandomize=SEED != "random",
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    name=st.sampled_from(seeds.names()),
    cut=st.integers(0, 20_000),
    edits=st.lists(st.tuples(st.integers(0, 20_000), st.binary(min_size=1, max_size=8)), max_size=6),
)
def test_a_file_edited_anywhere_ends_with_a_picture_or_a_plain_reason(
    confined: Confined, name: str, cut: int, edits: list[tuple[int, bytes]]
) -> None:
    data = bytearray(seeds.seed(name))
    for position, value in edits:
        at = position % len(data)
        data[at : at + len(value)] = value
    if cut % 4 == 0:
        del data[cut % len(data) + 1 :]
    assert attempt(confined, name, bytes(data)).problems == ()


def test_a_file_that_kills_its_process_is_told_by_its_death_and_the_next_is_tried() -> None:
    with Confined() as process:
        assert process.attempt("photo.jpg", seeds.seed("jpeg-plain")).problems == ()
        started = process.process
        assert started is not None
        started.kill()
        started.wait()
        assert process.attempt("photo.jpg", seeds.seed("jpeg-plain")).problems == ("died of SIGKILL",)
        assert process.attempt("photo.jpg", seeds.seed("jpeg-plain")).problems == ()
        assert process.deaths == 1


def test_a_file_that_takes_for_ever_is_told_by_its_time() -> None:
    with Confined(wall_s=0) as process:
        assert process.attempt("photo.jpg", seeds.seed("jpeg-plain")).problems == ("took more than 0 s",)
        assert process.deaths == 1


@pytest.mark.parametrize("name", seeds.names())
def test_the_same_number_harms_a_file_in_the_same_way(name: str) -> None:
    harmed = {mutations.numbered(name, number, seeds.seed, seeds.names()) for number in range(10)}
    assert len(harmed) > 5
    assert mutations.numbered(name, 3, seeds.seed, seeds.names()) in harmed
