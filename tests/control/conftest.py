from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from imgd.control.client import ControlClient


def load_library_services() -> ModuleType:
    """The module beside this file: test folders are no packages, so it is loaded by its path."""
    name = "imgd_test_library_services"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("library_services.py"))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def library_services() -> ModuleType:
    return load_library_services()


@pytest.fixture
def running(tmp_path: Path, library_services: ModuleType) -> Iterator[object]:
    with library_services.running_server(tmp_path) as server:
        yield server


@pytest.fixture
def client(running: object) -> Iterator[ControlClient]:
    client = ControlClient(running.server.path)  # type: ignore[attr-defined]
    yield client
    client.close()
