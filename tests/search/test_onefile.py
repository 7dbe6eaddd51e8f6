"""Any file as pixels, by a real confined child."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sample_photos import make_photo

from imgd.config import DecodeSettings
from imgd.decode import DecodeLimits, FormatRegistry, Source, decode, pyramid
from imgd.errors import SearchError
from imgd.pipeline.messages import FileAnswer
from imgd.pipeline.process import ChildStarter
from imgd.search.onefile import FileReader

_TOYS = Path(__file__).parent / "toys"
_BOUNDS = DecodeSettings(memory_mb=512, cpu_s=1.0, timeout_s=20.0)


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(_TOYS), os.environ.get("PYTHONPATH")])))


@asynccontextmanager
async def reader(
    settings: DecodeSettings = _BOUNDS, **options: Any
) -> AsyncIterator[tuple[FileReader, ChildStarter]]:
    starter = ChildStarter()
    try:
        async with asyncio.timeout(60):
            yield FileReader(starter, settings, **options), starter
    finally:
        await starter.stop()


def read(path: Path | bytes, *edges: int, settings: DecodeSettings = _BOUNDS, **options: Any) -> FileAnswer:
    async def work() -> FileAnswer:
        async with reader(settings, **options) as (files, _):
            return await files.read(path if isinstance(path, bytes) else os.fsencode(path), edges)

    return asyncio.run(work())


def pixels_of(answer: FileAnswer) -> dict[int, np.ndarray[Any, Any]]:
    return {
        each.edge: np.frombuffer(each.pixels, np.uint8).reshape(each.height, each.width, 3)
        for each in answer.levels
    }


def refusal(path: Path | bytes, edge: int = 32, **options: Any) -> str:
    return refusals([path], edge, **options)[0]


def refusals(paths: Sequence[Path | bytes], edge: int = 32, settings: DecodeSettings = _BOUNDS) -> list[str]:
    """Why each of `paths` is refused; they are read one after the other by children of one nursery."""

    async def work() -> list[str]:
        details = []
        async with reader(settings) as (files, _):
            for path in paths:
                with pytest.raises(SearchError) as caught:
                    await files.read(os.fsencode(path), [edge])
                assert caught.value.advice
                details.append(caught.value.detail)
        return details

    return asyncio.run(work())


def test_a_file_is_given_at_each_size_that_is_asked_for(tmp_path: Path) -> None:
    path = make_photo(tmp_path / "a.png", 1, size=(160, 120))
    answer = read(path, 64, 32, 640)
    assert (answer.format, answer.width, answer.height, answer.reason) == ("png", 160, 120, "")
    assert (answer.size_bytes, answer.mtime_ns) == (path.stat().st_size, path.stat().st_mtime_ns)
    sizes = {edge: each.shape for edge, each in pixels_of(answer).items()}
    assert sizes == {32: (24, 32, 3), 64: (48, 64, 3), 640: (120, 160, 3)}


def test_a_photo_is_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (80, 40), "red").save(tmp_path / "a.jpg", exif=exif.tobytes())
    answer = read(tmp_path / "a.jpg", 40)
    assert (answer.width, answer.height) == (40, 80)
    assert pixels_of(answer)[40].shape == (40, 20, 3)


def test_with_the_sizes_of_all_analyzers_the_pixels_are_those_of_an_analysis(tmp_path: Path) -> None:
    path = make_photo(tmp_path / "a.jpg", 2, size=(1600, 1200))
    with Source.open(os.fsencode(path), 1 << 30) as source:
        picture = decode(source, 512, DecodeLimits.of(_BOUNDS), FormatRegistry())
    analyzed = pyramid(picture, (512, 320, 64))[64]
    np.testing.assert_array_equal(pixels_of(read(path, 64, usual_edges=(0, 320, 512)))[64], analyzed)
    assert (pixels_of(read(path, 64))[64] != analyzed).any()


def test_a_name_of_any_bytes_serves(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff\xfe.png"
    make_photo(tmp_path / "a.png", 3).rename(os.fsdecode(path))
    assert read(path, 32).width == 160


def test_what_is_no_photo_is_refused_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no photo at all")
    (tmp_path / "empty.jpg").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.jpg")
    large = make_photo(tmp_path / "large.png", 1)
    text, empty, folder, pipe, gone = refusals(
        [tmp_path / "text.jpg", tmp_path / "empty.jpg", tmp_path, tmp_path / "pipe.jpg", tmp_path / "gone.jpg"]
    )
    assert "this is plain text" in text
    assert "the file is empty" in empty
    assert "this is a folder" in folder
    assert "this is a pipe" in pipe
    assert gone == "it cannot be read: No such file or directory"
    with large.open("r+b") as file:
        file.truncate(2_000_000)
    assert "decode.max_file_mb" in refusal(large, settings=dataclasses.replace(_BOUNDS, max_file_mb=1))


@pytest.mark.parametrize(
    ("does", "reason"),
    [
        ("abort", "the process that decoded it was killed by signal 6"),
        ("burn", "the process that decoded it used more CPU time than `decode.cpu_s` allows"),
        ("grow", "memory"),
        ("hang", "decoding it took longer than 0.5 s"),
    ],
)
def test_a_hostile_file_costs_nothing_but_its_own_search(tmp_path: Path, does: str, reason: str) -> None:
    (tmp_path / "hostile.toy").write_bytes(b"toy picture " + does.encode())
    (tmp_path / "good.toy").write_bytes(b"toy picture grey")
    hostile, good = (os.fsencode(tmp_path / name) for name in ("hostile.toy", "good.toy"))
    formats = [("toy_formats", "Behaving")]

    async def work() -> None:
        async with reader(formats=formats) as (files, starter):
            await files.read(good, [32])
            hasty = FileReader(starter, dataclasses.replace(_BOUNDS, timeout_s=0.5), formats=formats)
            refused, answer = await asyncio.gather(
                (hasty if does == "hang" else files).read(hostile, [32]),
                files.read(good, [32]),
                return_exceptions=True,
            )
            assert isinstance(refused, SearchError)
            assert reason in refused.detail
            assert isinstance(answer, FileAnswer)
            assert pixels_of(answer)[32].shape == (24, 32, 3)
            assert list(starter.names().values()) == ["imgd-nursery"]

    asyncio.run(work())


def test_pixels_that_no_message_holds_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (6000, 4000)).save(tmp_path / "large.png")
    assert "too many for one message" in refusal(tmp_path / "large.png", 6000)


def test_a_search_that_is_given_up_leaves_no_process(tmp_path: Path) -> None:
    (tmp_path / "hang.toy").write_bytes(b"toy picture hang")

    async def work() -> None:
        async with reader(formats=[("toy_formats", "Behaving")]) as (files, starter):
            reading = asyncio.create_task(files.read(os.fsencode(tmp_path / "hang.toy"), [32]))
            while "imgd-onefile" not in starter.names().values():  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            while list(starter.names().values()) != ["imgd-nursery"]:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    asyncio.run(work())
