from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tiny_blip import make_tiny_blip


@pytest.fixture(scope="session")
def tiny_blip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a BLIP of tiny sizes that tells red squares from blue ones."""
    return make_tiny_blip(tmp_path_factory.mktemp("tiny-blip"))


@pytest.fixture
def copy_of(tiny_blip: Path, tmp_path: Path) -> Path:
    """A copy of that directory, to be spoilt."""
    directory = tmp_path / "spoilt"
    shutil.copytree(tiny_blip, directory)
    return directory
