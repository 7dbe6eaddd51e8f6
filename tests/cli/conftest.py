from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

_CONTROL_TESTS = Path(__file__).parents[1] / "control"


def start_server(folder: Path) -> AbstractContextManager[Any]:
    """A control server over a small library; see tests/control/library_services.py."""
    name = "imgd_test_library_services"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, _CONTROL_TESTS / "library_services.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name].running_server(folder)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[object]:
    """A server of the test's own."""
    with start_server(tmp_path) as server:
        yield server


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A server that all tests of a file ask; who changes what it answers changes it back."""
    with start_server(tmp_path_factory.mktemp("shared")) as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory of nobody in particular: nothing of the real one is read or written."""
    home = tmp_path / "home"
    home.mkdir()
    for name in tuple(os.environ):
        if name.startswith(("IMGD_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home / "run"))
    return home


Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def imgctl(home: Path, request: pytest.FixtureRequest) -> Command:
    """Runs the real imgctl; with the `running` fixture in use, against that server."""
    server = request.getfixturevalue("running") if "running" in request.fixturenames else None
    environment = dict(os.environ) | ({"IMGD_SOCKET": str(server.server.path)} if server else {})

    def run(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "imgd.cli.imgctl", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment | extra, cwd=home, timeout=60
        )

    return run


@pytest.fixture
def imgd(home: Path) -> Command:
    def run(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "imgd.cli.imgd", *arguments]
        environment = dict(os.environ) | extra
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, cwd=home, timeout=60
        )

    return run
