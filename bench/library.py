"""A benchmark's own library: a temporary directory, the daemon that serves it, and imgd's client to ask it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w

from imgd.control.client import ControlClient
from imgd.control.protocol import FailedJob, StatusAnswer
from imgd.errors import ImgdError

_START_S = 60.0
_STOP_S = 60.0
_POLL_S = 0.05
_LONG_AGO = 1_600_000_000
_PLACES = {"state_dir": "state", "cache_dir": "cache", "models_dir": "models", "socket": "imgd.sock"}

BUILT_IN = ("metadata", "preview", "technical")
"""The analyzers that need no plugin and no model."""


class LibraryError(Exception):
    """The daemon did not do what a benchmark needs; the message says what."""


class Library:
    """imgd.toml, state, cache and one folder of photos below `base`, and a daemon over them.

    `plugins`: as $IMGD_PLUGINS; the built-in analyzers alone by default, None for all that are installed.
    """

    def __init__(
        self,
        base: Path,
        *,
        roots: Sequence[Path] = (),
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        plugins: str | None = "",
        python_path: Sequence[Path] = (),
    ) -> None:
        self.base = base
        self.root = base / "photos"
        self.database = base / "state" / "library.db"
        self.text_database = base / "state" / "text.db"
        self.cache_dir = base / "cache"
        self.socket = base / "imgd.sock"
        self.config = base / "imgd.toml"
        self.log = base / "imgd.log"
        self._process: subprocess.Popen[bytes] | None = None
        if not roots:
            self.root.mkdir()
        paths = {name: str(base / place) for name, place in _PLACES.items()}
        sections: dict[str, Any] = {name: dict(section) for name, section in (settings or {}).items()}
        sections["roots"] = [str(root) for root in roots or [self.root]]
        sections["paths"] = paths | sections.get("paths", {})
        self.config.write_text(tomli_w.dumps(sections))
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("IMGD_", "NOTIFY_", "LISTEN_"))
        }
        if plugins is not None:
            self._environment["IMGD_PLUGINS"] = plugins
        if python_path:
            before = filter(None, [os.environ.get("PYTHONPATH")])
            self._environment["PYTHONPATH"] = os.pathsep.join([*map(str, python_path), *before])

    # ------------------------------------------------------------------ the daemon's life

    def start(self) -> None:
        """Start the daemon, and return once it answers.

        Raises:
            LibraryError: it ended, or does not answer; with the end of its log.
        """
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "imgd.cli.imgd", "run", "--config", str(self.config)],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the benchmark, which then stops it in order
            )
        self.until(self._answers, _START_S, "the daemon answers")

    def stop(self) -> None:
        """Stop the daemon in order, and by force if it does not stop; nothing happens where none runs."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    @property
    def pid(self) -> int:
        """The main process."""
        if self._process is None:
            raise LibraryError("no daemon runs")
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def said(self) -> str:
        """The daemon's log so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def processes(self) -> dict[int, str]:
        """Pid -> name of the daemon's processes: `imgd`, `imgd-nursery`, `imgd-worker0`, ... One that ended
        meanwhile is left out."""
        if not self.alive:
            return {}
        found = {self.pid: "imgd"}
        for nursery in _children(self.pid):
            found[nursery] = "imgd-nursery"
            for child in _children(nursery):
                with contextlib.suppress(OSError):
                    found[child] = Path(f"/proc/{child}/comm").read_text(encoding="utf-8").strip()
        return found

    # ------------------------------------------------------------------ asking it

    def client(self) -> ControlClient:
        return ControlClient(self.socket)

    def imgctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run imgctl, as a person would."""
        return subprocess.run(
            [*self.imgctl_command(), *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def imgctl_command(self) -> list[str]:
        """The installed command where there is one."""
        installed = Path(sys.executable).with_name("imgctl")
        start = [str(installed)] if installed.exists() else [sys.executable, "-m", "imgd.cli.imgctl"]
        return [*start, "--config", str(self.config)]

    def status(self) -> StatusAnswer:
        with self.client() as client:
            return client.status()

    def failed(self) -> list[FailedJob]:
        with self.client() as client:
            return list(client.failed())

    def wait(self, timeout_s: float) -> None:
        """Wait until every photo is analyzed and can be found.

        Raises:
            LibraryError: that takes longer than `timeout_s`, or the daemon ends.
        """
        try:
            with self.client() as client:
                answer = client.wait(timeout_s)
        except ImgdError as error:
            raise LibraryError(f"{error}\n{self.said[-2000:]}") from error
        if not answer.finished:
            raise LibraryError(f"the analysis did not end in {timeout_s:.0f} s: {answer.progress}")

    def rows(self, query: str, *parameters: object, database: Path | None = None) -> list[tuple[Any, ...]]:
        """Read the library, or `database`, beside the daemon."""
        connection = sqlite3.connect(f"file:{database or self.database}?mode=ro", uri=True, timeout=30)
        with contextlib.closing(connection):
            return connection.execute(query, parameters).fetchall()

    def done(self) -> int:
        """How many photos have findings."""
        return int(self.rows("SELECT COUNT(DISTINCT photo_id) FROM findings")[0][0])

    def until(self, condition: Callable[[], object], timeout_s: float, what: str) -> None:
        """Ask until `condition` is true.

        Raises:
            LibraryError: it is not in `timeout_s`, or the daemon has ended; `what` says what was waited for.
        """
        deadline = time.monotonic() + timeout_s
        while not condition():
            if not self.alive:
                raise LibraryError(f"the daemon ended:\n{self.said[-2000:]}")
            if time.monotonic() > deadline:
                raise LibraryError(f"not in {timeout_s:.0f} s: {what}\n{self.said[-2000:]}")
            time.sleep(_POLL_S)

    def _answers(self) -> bool:
        with contextlib.suppress(ImgdError), self.client() as client:
            client.status()
            return True
        return False


@contextlib.contextmanager
def library(**options: Any) -> Iterator[Library]:
    """A library in a temporary directory; neither it nor its daemon is left, however this ends."""
    with tempfile.TemporaryDirectory(prefix="imgd-bench-", ignore_cleanup_errors=True) as name:
        owned = Library(Path(name), **options)
        try:
            yield owned
        finally:
            owned.stop()


def make_old(folder: Path) -> None:
    """Date every file below `folder` long ago: what looks cut and was just written is tried again on purpose."""
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (_LONG_AGO, _LONG_AGO))


def write_plugin(folder: Path, name: str, source: str) -> Path:
    """Make `folder` a place for `python_path` where a plugin `name` is installed; returns it."""
    module = f"bench_{name}"
    information = folder / f"{module}-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[imgd]\n{name} = {module}\n")
    (folder / f"{module}.py").write_text(source)
    return folder


def run(main: Callable[[], dict[str, Any]]) -> None:
    """Run a benchmark and print its figures as one line of JSON; where nothing could be measured it ends in a
    sentence and an exit code of 1. Ctrl-C and SIGTERM let it clean up."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        print(json.dumps(main()))
    except (LibraryError, ImgdError) as error:
        sys.exit(f"not measured: {error}")
    except KeyboardInterrupt:
        sys.exit("not measured: interrupted")


def _children(pid: int) -> list[int]:
    """Children of all threads of `pid`; none where it has ended."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in task.read_text(encoding="ascii").split()]
    return found
