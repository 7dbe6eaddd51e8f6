"""Captions through a real daemon: found by their words, and what is missing is told by `imgctl analyzers`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from daemon_process import Daemon, daemon
from PIL import Image
from tiny_blip import COLOURS, caption_of, square

NAMES = {f"{colour}{number}.jpg": colour for colour in COLOURS for number in range(2)}


@pytest.fixture
def library(tiny_blip: Path) -> Iterator[Daemon]:
    """Photos of squares; the model is added, and asked for by the settings."""
    with daemon(plugins="caption") as made:
        for seed, (name, colour) in enumerate(NAMES.items()):
            Image.fromarray(square(colour, 20_000 + seed, (240, 320))).save(made.root / name, quality=95)
        added = made.ctl("models", "add", str(tiny_blip), "--as", "tiny-blip")
        assert added.code == 0, added
        made.configure(analyzers={"caption": {"model": "tiny-blip", "threads": 1}})
        yield made


def analyzer(library: Daemon) -> dict[str, Any]:
    return next(each for each in library.ctl("analyzers", "--json").lines if each["name"] == "caption")


def test_photos_are_found_by_the_words_of_their_captions(library: Daemon) -> None:
    library.start().wait()
    assert analyzer(library)["state"] == "ready"
    for name, colour in NAMES.items():
        texts = library.findings(library.root / name)["caption"]["texts"]
        assert [(text["kind"], text["text"]) for text in texts] == [("caption", caption_of(colour))]
    library.until(lambda: set(library.found("blue square")) >= {"blue0.jpg", "blue1.jpg"})
    assert set(library.found('"blue square"')) == {"blue0.jpg", "blue1.jpg"}


def test_a_model_that_is_not_there_is_told_with_the_command_that_fetches_it(library: Daemon) -> None:
    library.configure(analyzers={"caption": {}})
    library.start().wait()
    told = analyzer(library)
    assert told["state"] == "waiting for model"
    assert "imgctl models pull blip-base" in told["advice"]


def test_a_model_of_another_kind_breaks_the_analyzer_with_a_plain_reason(library: Daemon, copy_of: Path) -> None:
    (copy_of / "config.json").write_text('{"model_type": "clip"}')
    assert library.ctl("models", "add", str(copy_of), "--as", "no-blip").code == 0
    library.configure(analyzers={"caption": {"model": "no-blip"}})
    library.start()
    library.until(lambda: analyzer(library)["state"] == "broken")
    assert "the model in no-blip is a 'clip', not a 'blip'" in analyzer(library)["advice"]
    library.wait()
    assert library.findings(library.root / "red0.jpg").keys() >= {"metadata", "technical"}
