"""Texts are encoded once, and failures are not remembered."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from imgd.errors import ModelMissingError
from imgd.search.query_texts import QueryTexts

SPACE = "meaning"


def test_texts_that_several_ask_for_at_once_are_encoded_once(bench, tmp_path: Path):
    texts = QueryTexts(bench.encoders, tmp_path / "cache")

    async def ask() -> None:
        one, other = await asyncio.gather(
            texts.encode(SPACE, ["cat", "dog", "cat"]), texts.encode(SPACE, ["dog", "moon"])
        )
        assert np.array_equal(one[1], other[0])
        assert np.array_equal(one[0], one[2])

    asyncio.run(ask())
    assert sorted(bench.encoders.texts) == ["cat", "dog", "moon"]


def test_a_failure_reaches_everybody_who_waits_and_is_tried_again(bench, tmp_path: Path):
    texts = QueryTexts(bench.encoders, tmp_path / "cache")
    bench.encoders.missing = True

    async def fail() -> list[object]:
        asked = (texts.encode(SPACE, ["cat"]), texts.encode(SPACE, ["cat", "dog"]))
        return await asyncio.gather(*asked, return_exceptions=True)

    assert [type(each) for each in asyncio.run(fail())] == [ModelMissingError, ModelMissingError]
    bench.encoders.missing = False
    assert asyncio.run(texts.encode(SPACE, ["cat"])).shape[0] == 1


def test_a_background_is_kept_over_a_restart(bench, tmp_path: Path):
    first = asyncio.run(QueryTexts(bench.encoders, tmp_path / "cache").whole_background(SPACE))
    bench.encoders.texts.clear()
    again = asyncio.run(QueryTexts(bench.encoders, tmp_path / "cache").whole_background(SPACE))
    assert again == pytest.approx(first, abs=1e-3)
    assert len(bench.encoders.texts) == 2  # to see that the model is the same


def test_the_first_search_of_all_waits_for_a_part_of_a_large_background(bench, tmp_path: Path):
    things = [f"thing{number}" for number in range(300)]
    bench.encoders._background = things
    texts = QueryTexts(bench.encoders, tmp_path / "cache")

    async def ask() -> tuple[int, int]:
        part = await texts.background(SPACE)
        return len(part), len(await texts.whole_background(SPACE))

    part, whole = asyncio.run(ask())
    assert part < 100
    assert whole == 300


def test_a_background_of_other_texts_is_encoded_anew(bench, tmp_path: Path):
    asyncio.run(QueryTexts(bench.encoders, tmp_path / "cache").whole_background(SPACE))
    bench.encoders._background = ("sea", "sky")
    assert len(asyncio.run(QueryTexts(bench.encoders, tmp_path / "cache").whole_background(SPACE))) == 2
