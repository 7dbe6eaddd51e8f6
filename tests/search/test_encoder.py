"""The encoder process, for real."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from imgd.errors import ModelMissingError, SearchError
from imgd.pipeline.messages import AnalyzerSpec, FilePixels, PhotoToEncode
from imgd.pipeline.process import ChildStarter
from imgd.search import encoder_child
from imgd.search.encoder import EncoderProcess

_TOYS = Path(__file__).parent / "toys"


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(_TOYS), os.environ.get("PYTHONPATH")])))
    monkeypatch.syspath_prepend(str(_TOYS))


def spec(kind: Any) -> AnalyzerSpec:
    return AnalyzerSpec(kind.space, kind.__module__, kind.__qualname__, None, {})


@asynccontextmanager
async def encoders(*offered: str) -> AsyncIterator[tuple[EncoderProcess, ChildStarter]]:
    """All toy encoders are installed; those `offered` have their models."""
    import toy_encoders

    kinds = {
        name: getattr(toy_encoders, name)
        for name in ("Letters", "Process", "Unloadable", "Colours", "Sizes", "Tints")
    }
    starter = ChildStarter()
    process = EncoderProcess(starter, {kind.space: kind for kind in kinds.values()})
    process.offer(
        {kinds[name].space: spec(kinds[name]) for name in offered},
        {kind.space: "run `imgctl models pull toy`" for name, kind in kinds.items() if name not in offered},
    )
    try:
        async with asyncio.timeout(120):
            yield process, starter
    finally:
        await process.stop()
        await starter.stop()


async def lives_in(process: EncoderProcess) -> int:
    return int((await process.encode("process:2", ["x"]))[0, 0])


def test_texts_become_one_row_each() -> None:
    async def work() -> None:
        async with encoders("Letters") as (process, starter):
            assert starter.pids == []
            rows = await process.encode("letters:3", ["aaa", "cc"])
            assert rows.dtype == np.float32
            np.testing.assert_allclose(rows, [[1, 0, 0], [0, 0, 1]], atol=1e-3)
            assert list(starter.names().values()) == ["imgd-nursery", "imgd-encoder"]
            assert set(process.spaces()) == {"letters:3", "process:2", "unloadable:2", "colours:3", "sizes:4"}
            assert process.background("letters:3") == ("abc", "cab")

    asyncio.run(work())


def test_many_requests_at_once_each_get_their_own_answer_from_one_process() -> None:
    async def work() -> None:
        async with encoders("Letters", "Process") as (process, _):
            texts = ["a" * number + "b" for number in range(20)]
            rows = await asyncio.gather(*(process.encode("letters:3", [text]) for text in texts))
            ratios = [row[0, 0] / row[0, 1] for row in rows]
            np.testing.assert_allclose(ratios, range(20), atol=0.1)
            first = await process.encode("process:2", ["x"])
            second = await process.encode("process:2", ["y"])
            np.testing.assert_array_equal(first, second)
            assert first[0, 1] == 1

    asyncio.run(work())


@pytest.mark.parametrize(
    ("text", "reason"), [("raise", "KeyError: 'no such word'"), ("nan", "not finite"), ("short", "for 1 texts")]
)
def test_an_encoder_that_fails_costs_that_search_only(text: str, reason: str) -> None:
    async def work() -> None:
        async with encoders("Letters", "Process") as (process, _):
            before = await lives_in(process)
            with pytest.raises(SearchError, match=reason):
                await process.encode("letters:3", [text])
            assert reason in process.faults["letters:3"]
            assert (await process.encode("letters:3", ["a"])).shape == (1, 3)
            assert process.faults == {}, "it works again"
            assert await lives_in(process) == before

    asyncio.run(work())


def test_an_encoder_that_cannot_be_loaded_says_why_and_others_serve() -> None:
    async def work() -> None:
        async with encoders("Unloadable", "Letters") as (process, _):
            with pytest.raises(SearchError, match="a library is missing"):
                await process.encode("unloadable:2", ["a"])
            assert (await process.encode("letters:3", ["a"])).shape == (1, 3)
            assert "a library is missing" in process.faults.pop("unloadable:2")
            assert process.faults == {}

    asyncio.run(work())


def test_a_crash_fails_the_query_that_is_to_blame_and_those_behind_it_are_asked_again() -> None:
    async def work() -> None:
        async with encoders("Letters", "Process") as (process, _):
            before = await lives_in(process)
            crashes = str(SearchError("the encoder process ended"))
            texts = ("crash", "a", "crash", "crash", "b")
            answers = await asyncio.gather(
                *(process.encode("letters:3", [text]) for text in texts), return_exceptions=True
            )
            failed = [str(each) if isinstance(each, Exception) else "" for each in answers]
            assert failed == [crashes, "", crashes, crashes, ""]
            np.testing.assert_allclose([answers[1][0], answers[4][0]], [[1, 0, 0], [0, 1, 0]], atol=1e-2)  # type: ignore[index]
            assert await lives_in(process) != before

    asyncio.run(work())


def test_what_waits_behind_a_query_that_takes_too_long_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async with encoders("Letters") as (process, _):
            await process.encode("letters:3", ["a"])
            monkeypatch.setattr(encoder_child, "_TIMEOUT_S", 0.2)
            hanging = asyncio.create_task(process.encode("letters:3", ["hang"]))
            await asyncio.sleep(0)  # it is sent first
            monkeypatch.setattr(encoder_child, "_TIMEOUT_S", 120.0)
            rows = await process.encode("letters:3", ["a"])
            assert rows.shape == (1, 3)
            with pytest.raises(SearchError, match=r"longer than"):
                await hanging

    asyncio.run(work())


def test_one_who_gave_up_waiting_is_still_to_blame_for_a_crash() -> None:
    async def work() -> None:
        async with encoders("Letters") as (process, _):
            await process.encode("letters:3", ["a"])
            impatient = asyncio.create_task(process.encode("letters:3", ["crash"]))
            await asyncio.sleep(0)  # it is sent
            impatient.cancel()
            assert (await process.encode("letters:3", ["a"])).shape == (1, 3)
            assert impatient.cancelled()

    asyncio.run(work())


def test_queries_go_first_between_the_batches_of_a_background_request() -> None:
    async def work() -> None:
        async with encoders("Letters") as (process, _):
            answered: list[str] = []

            async def ask(name: str, texts: list[str], *, background: bool = False) -> None:
                rows = await process.encode("letters:3", texts, background=background)
                answered.append(name)
                np.testing.assert_allclose(rows[-1], rows[0], atol=1e-3)
                assert rows.shape == (len(texts), 3)

            long = asyncio.create_task(ask("vocabulary", ["a"] * 500, background=True))
            await process.encode("letters:3", ["a"])
            other = asyncio.create_task(ask("another vocabulary", ["b"] * 500, background=True))
            await asyncio.gather(*(ask("query", ["abc"]) for _ in range(5)))
            await asyncio.gather(long, other)
            assert answered[:5] == ["query"] * 5
            for background in (False, True):
                assert (await process.encode("letters:3", [], background=background)).shape == (0, 3)

    asyncio.run(work())


def test_a_killed_idle_process_is_replaced() -> None:
    async def work() -> None:
        async with encoders("Process") as (process, starter):
            before = await lives_in(process)
            os.kill(before, signal.SIGKILL)
            while before in starter.pids:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            assert await lives_in(process) != before

    asyncio.run(work())


def test_one_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async with encoders("Letters", "Process") as (process, _):
            before = await lives_in(process)
            monkeypatch.setattr(encoder_child, "_TIMEOUT_S", 0.2)
            with pytest.raises(SearchError, match=r"longer than 0\.2 s"):
                await process.encode("letters:3", ["hang"])
            monkeypatch.setattr(encoder_child, "_TIMEOUT_S", 120.0)
            assert await lives_in(process) != before

    asyncio.run(work())


def test_a_missing_model_is_named_with_what_gets_it() -> None:
    async def work() -> None:
        async with encoders("Letters") as (process, starter):
            with pytest.raises(ModelMissingError) as caught:
                await process.encode("process:2", ["a"])
            assert caught.value.advice == "run `imgctl models pull toy`"
            assert starter.pids == []

    asyncio.run(work())


def test_a_model_that_came_later_serves_the_next_search() -> None:
    async def work() -> None:
        import toy_encoders

        async with encoders("Letters") as (process, _):
            await process.encode("letters:3", ["a"])
            kinds = (toy_encoders.Letters, toy_encoders.Process)
            process.offer({kind.space: spec(kind) for kind in kinds}, {})
            assert await lives_in(process)
            assert (await process.encode("letters:3", ["a"])).shape == (1, 3)

    asyncio.run(work())


def test_an_idle_process_ends_and_the_next_search_starts_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_child, "_IDLE_STOP_S", 0.3)

    async def work() -> None:
        async with encoders("Process") as (process, starter):
            before = await lives_in(process)
            while len(starter.pids) > 1:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            assert await lives_in(process) != before

    asyncio.run(work())


def photo(colour: tuple[int, int, int], name: bytes = b"a.jpg", size: tuple[int, int] = (3, 4)) -> PhotoToEncode:
    pixels = np.full((*size, 3), colour, np.uint8)
    return PhotoToEncode(b"/p/" + name, "jpeg", 40, 30, FilePixels(max(size), *size, pixels.tobytes()))


def test_a_photo_becomes_one_row_in_a_process_of_its_own() -> None:
    async def work() -> None:
        async with encoders("Letters", "Colours", "Sizes") as (process, starter):
            assert process.photo_edges() == {"colours:3": 32, "sizes:4": 64, "tints:3": 32}
            row = await process.encode_photo("colours:3", photo((0, 30, 40)))
            np.testing.assert_allclose(row, [0, 0.6, 0.8], atol=1e-6)
            sizes: npt.NDArray[np.float32] = await process.encode_photo("sizes:4", photo((0, 0, 0)))
            np.testing.assert_allclose(sizes / sizes[0], [1, 4 / 3, 10, 40 / 3], rtol=1e-5)
            assert not (await process.encode_photo("colours:3", photo((0, 0, 0)))).any()
            assert list(starter.names().values()) == ["imgd-nursery", "imgd-likeness"]
            await process.encode("letters:3", ["a"])
            assert "imgd-encoder" in starter.names().values()

    asyncio.run(work())


def test_a_photo_that_crashes_its_encoder_costs_only_its_own_search() -> None:
    async def work() -> None:
        async with encoders("Process", "Colours") as (process, _):
            before = await lives_in(process)
            crashed, *rows = await asyncio.gather(
                process.encode_photo("colours:3", photo((9, 9, 9), b"crash.jpg")),
                process.encode_photo("colours:3", photo((0, 30, 40))),
                process.encode("process:2", ["x"]),
                return_exceptions=True,
            )
            assert str(crashed) == str(SearchError("the encoder process ended"))
            np.testing.assert_allclose(rows[0], [0, 0.6, 0.8], atol=1e-6)  # type: ignore[arg-type]
            assert await lives_in(process) == before

    asyncio.run(work())


def test_a_photo_that_an_encoder_cannot_take_is_refused_with_its_reason() -> None:
    async def work() -> None:
        async with encoders("Sizes", "Letters") as (process, _):
            with pytest.raises(SearchError, match="ValueError: too odd"):
                await process.encode_photo("sizes:4", photo((0, 0, 0), b"odd.jpg"))
            with pytest.raises(SearchError, match="NotImplementedError"):
                await process.encode_photo("letters:3", photo((0, 0, 0)))

    asyncio.run(work())


def test_an_encoder_without_its_models_for_photos_still_serves_words() -> None:
    async def work() -> None:
        import toy_encoders

        async with encoders() as (process, _):
            advice = {"colours:3": "run `imgctl models pull eye`"}
            process.offer({"colours:3": spec(toy_encoders.Colours)}, {}, advice)
            assert (await process.encode("colours:3", ["green"]))[0, 1] == 1
            with pytest.raises(ModelMissingError) as caught:
                await process.encode_photo("colours:3", photo((0, 0, 0)))
            assert caught.value.advice == "run `imgctl models pull eye`"

    asyncio.run(work())


def test_encoders_of_different_models_work_at_the_same_time_and_survive_one_another() -> None:
    async def work() -> None:
        import toy_encoders

        starter = ChildStarter()
        kinds = (toy_encoders.Process, toy_encoders.OtherProcess, toy_encoders.Letters)
        process = EncoderProcess(starter, {kind.space: kind for kind in kinds})
        process.offer({kind.space: spec(kind) for kind in kinds}, {})
        try:
            async with asyncio.timeout(120):
                before = await process.encode("process:other", ["x"])
                assert before[0, 0] != await lives_in(process)
                hanging = asyncio.create_task(process.encode("letters:3", ["hang"]))
                again = await process.encode("process:other", ["x"])
                np.testing.assert_array_equal(again, before)
                assert not hanging.done()
                hanging.cancel()
                await asyncio.gather(hanging, return_exceptions=True)
                assert list(starter.names().values()).count("imgd-encoder") == 2
                await process.stop()
                assert (await process.encode("process:other", ["x"]))[0, 0] != before[0, 0]
        finally:
            await process.stop()
            await starter.stop()

    asyncio.run(work())


def test_what_an_encoder_cannot_do_is_known_without_asking_it() -> None:
    async def work() -> None:
        async with encoders("Letters", "Colours", "Tints") as (process, _):
            assert set(process.unable()) == {"process:2", "unloadable:2", "sizes:4", "tints:3"}
            assert set(process.unable(photos=True)) == {"process:2", "unloadable:2", "sizes:4"}
            assert process.suffice(["colours:3"])
            assert process.suffice(["colours:3", "letters:3", "unheard-of"])
            assert not process.suffice(["letters:3"]), "it brings no photos there"
            assert not process.suffice(["tints:3"]), "it brings no words there"
            assert not process.suffice(["colours:3", "sizes:4"]), "a model is missing"
            assert process.of_texts() == frozenset()

    asyncio.run(work())


def test_captions_are_told_apart_from_looks() -> None:
    import toy_encoders

    process = EncoderProcess(
        ChildStarter(), {"captions:3": toy_encoders.Captions, "letters:3": toy_encoders.Letters}
    )
    assert process.of_texts() == {"captions:3"}
