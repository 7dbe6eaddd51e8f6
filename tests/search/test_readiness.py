"""The first searches after a start wait for what later ones have."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pytest
from toy_meaning import SPACE, ToyEncoders

from imgd.search import readiness

NOTE = "looks and tags of near meaning are still being prepared: ask again in a moment"


@pytest.fixture
def shelf(bench):
    """A few things, none of them by name; tags that only the encoder can tell to be near."""
    for number, thing in enumerate(("cat", "dog", "boat", "tree", "house")):
        bench.add(f"{number}.jpg", thing, tags={f"{thing} tail": 0.8})
    bench.refresh()
    return bench


def hold_background(bench, monkeypatch: pytest.MonkeyPatch, released: asyncio.Event) -> None:
    """What is encoded in the background waits for `released`."""
    encode = bench.encoders.encode

    async def held(space: str, texts: Sequence[str], *, background: bool = False) -> npt.NDArray[np.float32]:
        if background:
            await released.wait()
        return await encode(space, texts)

    monkeypatch.setattr(bench.encoders, "encode", held)


def test_the_first_search_finds_what_the_next_one_finds(shelf):
    async def twice() -> list[object]:
        return [await shelf.engine.search("cat") for _ in range(2)]

    first, second = asyncio.run(twice())
    assert first.hits
    assert first.hits == second.hits
    assert first.notes == ()


def test_the_first_search_waits_for_what_is_encoded_in_the_background(shelf, monkeypatch):
    async def work() -> None:
        released = asyncio.Event()
        hold_background(shelf, monkeypatch, released)
        searching = asyncio.create_task(shelf.engine.search("cat"))
        done, _ = await asyncio.wait({searching}, timeout=0.3)
        assert not done
        released.set()
        answer = await searching
        assert answer.notes == ()
        assert answer.hits == (await shelf.engine.search("cat")).hits

    asyncio.run(work())


def test_what_takes_long_is_told_and_later_searches_do_not_wait_for_it(shelf, monkeypatch):
    monkeypatch.setattr(readiness, "_PATIENCE_S", 0.05)

    async def work() -> None:
        released = asyncio.Event()
        hold_background(shelf, monkeypatch, released)
        for _ in range(2):
            answer = await asyncio.wait_for(shelf.engine.search("cat"), 120)
            assert answer.notes == (NOTE,)
        released.set()
        await shelf.engine.warm()
        assert (await shelf.engine.search("cat")).notes == ()

    asyncio.run(work())


def test_a_space_whose_model_came_is_prepared_after_all(shelf):
    async def work() -> None:
        shelf.encoders.missing = True
        assert "waiting" in (await shelf.engine.search("cat")).notes[0]
        shelf.encoders.missing = False
        answer = await shelf.engine.search("cat")
        assert answer.notes == ()
        assert any(line.startswith("looks like") for line in answer.hits[0].why)

    asyncio.run(work())


class OfAnAbsentSpace(ToyEncoders):
    """Has one more space, of which the library has no vectors."""

    def spaces(self) -> Sequence[str]:
        return (SPACE, "clip:toy")


def test_a_space_without_vectors_is_not_told_as_being_prepared_for_ever(shelf, monkeypatch):
    now = 0.0
    monkeypatch.setattr(readiness, "time", SimpleNamespace(monotonic=lambda: now))
    shelf.use(OfAnAbsentSpace())

    async def work() -> None:
        nonlocal now
        await shelf.engine.warm()
        now += 3600
        answer = await shelf.engine.search("cat")
        assert answer.hits
        assert answer.notes == ()

    asyncio.run(work())
