"""A library that grows photo by photo."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from grown_library import Library


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    made = Library(tmp_path / "library.db")
    yield made
    made.database.close()


@pytest.fixture
def make_library() -> Callable[[Path], Library]:
    """For tests that need more than one."""
    return Library
