"""A fresh library for every test, and children that find the toy analyzers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pipeline_library import Library, open_library

_TOYS = Path(__file__).parent / "toys"


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [str(_TOYS), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    monkeypatch.syspath_prepend(str(_TOYS))


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with open_library(tmp_path) as opened:
        yield opened


@pytest.fixture
def let_through(library: Library) -> Iterator[Callable[[int], None]]:
    """Lets so many more photos through to the toy analyzer `gated`."""
    gate = library.root.with_name("gate")
    os.mkfifo(gate)
    descriptor = os.open(gate, os.O_RDWR)

    def let(count: int) -> None:
        os.write(descriptor, bytes(count))

    yield let
    os.close(descriptor)
