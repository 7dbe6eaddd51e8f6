"""A library that grows photo by photo, and its text index."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from grown_library import Library

from imgd.index.text import TextIndex


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    made = Library(tmp_path / "library.db")
    yield made
    made.database.close()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[TextIndex]:
    made = TextIndex(tmp_path / "text.db")
    yield made
    made.close()


@pytest.fixture
def make_library() -> Callable[[Path], Library]:
    """For tests that need more than one."""
    return Library
