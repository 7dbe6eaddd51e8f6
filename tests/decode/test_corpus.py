"""Real and hostile files, each decoded in a confined process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

CHILD = Path(__file__).with_name("decode_child.py")


def decode_all(paths: list[Path], edge: int, memory_mb: int = 3072) -> dict[Path, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(CHILD), str(edge), str(memory_mb)],
        input=b"".join(os.fsencode(path) + b"\n" for path in paths),
        capture_output=True,
        timeout=240,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return dict(zip(paths, answers, strict=True))


def check(path: Path, answer: dict[str, Any], edge: int) -> None:
    if "error" in answer:
        assert answer["detail"], path
        assert " at 0x" not in answer["detail"], path
        return
    for each, (height, width) in answer["levels"].items():
        assert max(width, height) == min(int(each), max(answer["size"])), path


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_every_format_of_the_corpus_opens_or_is_refused_with_a_reason(corpus: Path) -> None:
    answers = decode_all(files_below(corpus / "03_formats"), 1200)
    for path, answer in answers.items():
        check(path, answer, 1200)
    refused = {path.name for path, answer in answers.items() if "error" in answer}
    # PngSuite's deliberately broken files begin with x; two TIFFs have pixels that Pillow has no mode for.
    assert {name for name in refused if not name.startswith("x")} == {
        "flower-palette-16.tif", "flower-rgb-contig-32.tif", "square-extended-size-container.jxl", "test_live.mov",
    }  # fmt: skip
    assert not any(answer.get("damage") for answer in answers.values())


def test_every_broken_file_of_the_corpus_ends_with_a_picture_or_a_reason(corpus: Path) -> None:
    for path, answer in decode_all(files_below(corpus / "04_broken"), 1200).items():
        check(path, answer, 1200)


def test_a_raw_without_its_image_data_has_a_reason(corpus: Path) -> None:
    answers = decode_all(files_below(corpus / "02_raw/stripped"), 512)
    assert answers
    assert all("error" in answer for answer in answers.values()), answers


def test_a_photo_that_needs_more_memory_than_allowed_is_refused_and_the_worker_goes_on(
    tmp_path: Path, photos: Path
) -> None:
    bomb = tmp_path / "bomb.png"
    Image.new("L", (16000, 16000)).save(bomb)
    answers = decode_all([bomb, photos / "chelsea.png"], 64, memory_mb=200)
    assert answers[bomb] == {
        "error": "LimitError",
        "detail": "decoding it takes more memory than `decode.memory_mb` allows",
    }
    assert answers[photos / "chelsea.png"]["size"] == [451, 300]


def test_importing_decode_loads_no_codec_beside_pillow() -> None:
    code = (
        "import sys, imgd.decode; print([n for n in ('rawpy', 'pillow_heif', 'pillow_jxl') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["chelsea.png", "rocket.jpg", "coffee.png", "astronaut.png", "retina.jpg"])
def test_ordinary_photos_decode_without_damage(name: str, photos: Path) -> None:
    answer = decode_all([photos / name], 512)[photos / name]
    assert answer["damage"] == ""
    check(photos / name, answer, 512)
