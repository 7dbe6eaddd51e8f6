"""Through a real daemon: text in a photo is found by search and shown with its boxes."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.support.daemon_process import Daemon, daemon

Draw = Callable[..., npt.NDArray[np.uint8]]


@pytest.fixture(scope="module")
def library(draw: Draw) -> Iterator[Daemon]:
    with daemon(plugins="ocr") as running:
        for name, words in {
            "pier.png": {(80, 90): "Lighthouse keeper"},
            "gate.png": {(60, 60): "No entry"},
        }.items():
            Image.fromarray(draw(words)).save(running.root / name)
        Image.new("RGB", (640, 480), (90, 140, 200)).save(running.root / "sky.jpg")
        running.start()
        running.wait()
        yield running


@pytest.mark.parametrize("query", ["text:lighthouse", "lighthouse", "keeper", 'text:"lighthouse keeper"'])
def test_a_photo_is_found_by_a_word_in_it(library: Daemon, query: str) -> None:
    library.until(lambda: library.found(query))
    assert [Path(path).name for path in library.found(query)] == ["pier.png"]


def test_each_line_is_shown_with_its_box_and_is_no_tag(library: Daemon) -> None:
    finding = library.findings(library.root / "pier.png")["ocr"]
    (region,) = finding["regions"]
    assert (region["kind"], region["label"]) == ("text", "Lighthouse keeper")
    assert region["box"][0] == pytest.approx(0.1, abs=0.03)
    assert finding.get("tags", []) == []
    shown = library.ctl("show", str(library.root / "pier.png")).out
    assert re.search(r"^ocr\.region text\tLighthouse keeper [01]\.\d\d at 0\.\d+, ", shown, re.MULTILINE)


def test_the_number_of_lines_and_what_was_skipped_are_filters(library: Daemon) -> None:
    assert {Path(path).name for path in library.found("text_lines:>=1")} == {"pier.png", "gate.png"}
    assert [Path(path).name for path in library.found("text_skipped:true")] == ["sky.jpg"]
