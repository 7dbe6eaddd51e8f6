"""A real daemon in a process of its own, over a library in a temporary directory, and `imgctl` to ask it."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import tomli_w

T = TypeVar("T")

_CAPABILITIES = "-dac_override,-dac_read_search"
UNPRIVILEGED = ("setpriv", f"--inh-caps={_CAPABILITIES}", f"--bounding-set={_CAPABILITIES}")
"""Runs a command as root to whom permissions apply; capabilities(7)."""

_START_S = 120.0
_STOP_S = 40.0
_LEAVE_S = 60.0
_POLL_S = 0.05
_MARK = "DAEMON_PROCESS_MARK"
_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV")

QUICK: Mapping[str, Mapping[str, Any]] = {
    "watch": {"settle_s": 0.3},
    "pipeline": {"commit_interval_s": 0.2, "nice": 0, "workers": 2},
    "index": {"idle_s": 0.2, "max_staleness_s": 2.0},
    "lanes": {"devices": ["cpu"]},
}
"""Settings with short delays."""


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """One JSON object a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def object(self) -> dict[str, Any]:
        (only,) = self.lines
        return only


class DaemonEndedError(AssertionError):
    """The daemon ended before it was ready."""


class Daemon:
    """One library (configuration, state, cache, one root unless told otherwise), and the daemon that serves it.

    The processes see none of the caller's IMGD_*, XDG_* and HOME, and no installed plugin but those in `plugins`.
    `unprivileged`: permissions of files hold for them even where root runs the tests.
    """

    def __init__(
        self,
        base: Path,
        *,
        roots: Sequence[Path] | None = None,
        plugins: str = "",
        python_path: Sequence[Path] = (),
        unprivileged: bool = False,
    ) -> None:
        self.base = base
        self.root = base / "photos"
        self.state_dir = base / "state"
        self.database = self.state_dir / "library.db"
        self.cache_dir = base / "cache"
        self.socket = base / "s" / "imgd.sock"
        self.config = base / "imgd.toml"
        self.log = base / "daemon.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._launcher = UNPRIVILEGED if unprivileged and os.geteuid() == 0 else ()
        if roots is None:
            self.root.mkdir(exist_ok=True)
            roots = [self.root]
        self._sections: dict[str, Any] = {key: dict(section) for key, section in QUICK.items()}
        self._sections["roots"] = [str(root) for root in roots]
        self._sections["paths"] = {
            "state_dir": str(self.state_dir),
            "cache_dir": str(self.cache_dir),
            "models_dir": str(base / "models"),
            "socket": str(self.socket),
        }
        self._environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ} | {
            "HOME": str(base / "home"),
            "XDG_RUNTIME_DIR": str(base / "home"),
            "IMGD_PLUGINS": plugins,
            "PYTHONPATH": os.pathsep.join(str(each) for each in python_path),
            _MARK: secrets.token_hex(8),
        }
        (base / "home").mkdir(mode=0o700, exist_ok=True)
        self.configure()

    # ------------------------------------------------------------------ its life

    def configure(self, **sections: Any) -> None:
        """Merge `sections` into imgd.toml; a running daemon keeps what it has read."""
        for name, section in sections.items():
            if isinstance(section, Mapping):
                self._sections.setdefault(name, {}).update(section)
            else:
                self._sections[name] = section
        self.config.write_text(tomli_w.dumps(self._sections))

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start a daemon process and wait for nothing."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self._launcher, sys.executable, "-m", "imgd.cli.imgd", "run", "--config", str(self.config)],
                env=self._environment,
                cwd=self.base,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self.process

    def start(self) -> Daemon:
        """Start the daemon and return once it says that it is ready, as it says to systemd.

        Raises:
            DaemonEndedError: it ended instead; the message is what it said.
        """
        address = self.base / "notify"
        address.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifications:
            notifications.bind(str(address))
            self._environment["NOTIFY_SOCKET"] = str(address)
            process = self.spawn()
            deadline = time.monotonic() + _START_S
            pidfd = os.pidfd_open(process.pid)
            try:
                while time.monotonic() < deadline:
                    waited_for = [notifications.fileno(), pidfd]
                    ready, _, _ = select.select(waited_for, [], [], deadline - time.monotonic())
                    if notifications.fileno() in ready:
                        if b"READY=1" in notifications.recv(4096):
                            return self
                    elif pidfd in ready:
                        raise DaemonEndedError(f"exit code {process.wait()}\n{self.said}")
            finally:
                os.close(pidfd)
        raise AssertionError(f"the daemon was not ready in {_START_S:g} s\n{self.said}")

    def refuses_to_start(self) -> Answer:
        """Start a daemon that has to end by itself; what it said, and its exit code."""
        return self.run("imgd.cli.imgd", "run", "--config", str(self.config))

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; returns its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        try:
            return self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the daemon did not stop in {_STOP_S:g} s\n{self.said}") from None

    def kill(self) -> None:
        """`kill -9` of the main process alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def said(self) -> str:
        """The daemon's log so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def processes(self) -> list[int]:
        """Every process that descends from a daemon of this library, and is not a zombie."""
        mark = f"{_MARK}={self._environment[_MARK]}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
        return found

    def processes_left(self) -> list[int]:
        """What is still there of a daemon that has ended, after a moment's patience."""
        deadline = time.monotonic() + _LEAVE_S
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        return left

    # ------------------------------------------------------------------ asking it

    def run(self, module: str, *arguments: str, timeout_s: float = 120.0) -> Answer:
        """Run one of the command line programs."""
        result = subprocess.run(
            [*self._launcher, sys.executable, "-m", module, *arguments],
            env=self._environment,
            cwd=self.base,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )
        return Answer(result.returncode, result.stdout, result.stderr)

    def ctl(self, *arguments: str, timeout_s: float = 120.0) -> Answer:
        """Run `imgctl`."""
        return self.run("imgd.cli.imgctl", "--config", str(self.config), *arguments, timeout_s=timeout_s)

    def wait(self, timeout_s: float = 180.0) -> Answer:
        """`imgctl wait`, which has to succeed."""
        answer = self.ctl("wait", "--timeout", str(timeout_s), timeout_s=timeout_s + 30)
        assert answer.code == 0, f"{answer}\n{self.ctl('status').out}\n{self.said}"
        return answer

    def status(self) -> dict[str, Any]:
        answer = self.ctl("status", "--json")
        assert answer.code == 0, f"{answer}\n{self.said}"
        return answer.object

    def faults(self) -> str:
        return " | ".join(f"{each['message']} {each['hint']}" for each in self.status()["faults"])

    def show(self, photo: Path | int) -> dict[str, Any]:
        answer = self.ctl("show", "--json", str(photo))
        assert answer.code == 0, f"{answer}\n{self.said}"
        return answer.object

    def findings(self, photo: Path | int) -> dict[str, dict[str, Any]]:
        """What `imgctl show` says of each analyzer's finding."""
        return {each["analyzer"]: each for each in self.show(photo)["findings"]}

    def found(self, *query: str) -> list[str]:
        """Names of the photos that a search finds, best first."""
        answer = self.ctl("search", "-n", "1000", "--json", *query)
        assert answer.code in (0, 1), f"{answer}\n{self.said}"
        return [Path(line["path"]).name for line in answer.lines]

    def failed(self) -> dict[tuple[str, str], str]:
        """(path, analyzer) -> reason, of `imgctl failed`."""
        answer = self.ctl("failed", "--json")
        assert answer.code == 0, f"{answer}\n{self.said}"
        return {(os.fsdecode(_path(line)), line["analyzer"]): line["reason"] for line in answer.lines}

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Read the library database beside the daemon."""
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30)
        try:
            return connection.execute(query, parameters).fetchall()
        finally:
            connection.close()

    def until(self, condition: Callable[[], T], *, timeout_s: float = 120.0) -> T:
        """Ask until `condition` is truthy; its value."""
        deadline = time.monotonic() + timeout_s
        was_alive = self.alive
        while not (value := condition()):
            assert time.monotonic() < deadline, f"it did not come about in {timeout_s:g} s\n{self.said}"
            assert self.alive or not was_alive, f"the daemon ended\n{self.said}"
            time.sleep(_POLL_S)
        return value

    def sees(self, path: Path) -> dict[str, Any]:
        """Wait until the photo at `path` is known and present."""

        def known() -> dict[str, Any] | None:
            answer = self.ctl("show", "--json", str(path))
            return answer.object if answer.code == 0 and answer.object["state"] == "present" else None

        photo = self.until(known)
        assert photo is not None
        return photo


@contextlib.contextmanager
def daemon(**options: Any) -> Iterator[Daemon]:
    """A library in a directory with a short path (the socket lies in it); nothing of it is left at the end."""
    base = Path(tempfile.mkdtemp(prefix="imgd-"))
    owned = Daemon(base, **options)
    try:
        yield owned
    finally:
        if owned.alive:
            owned.stop()
        left = owned.processes_left()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(base, ignore_errors=True)
        assert not left, f"processes were left behind: {left}"


def write_plugin(folder: Path, name: str, source: str) -> Path:
    """Make `folder` a place on PYTHONPATH where a distribution with the entry point `name` is installed."""
    module = f"plugin_{name}"
    information = folder / f"{module}-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[imgd]\n{name} = {module}\n")
    (folder / f"{module}.py").write_text(source)
    return folder


def _path(line: Mapping[str, str]) -> bytes:
    return base64.b64decode(line["path_base64"]) if line.get("path_base64") else os.fsencode(line["path"])
