"""The demo's own daemon: its configuration, its start, and its end in every case."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_PATH_LIMIT_BYTES = 100
_START_S = 60.0
_STOP_S = 60.0


class DemoError(Exception):
    """The demo cannot go on; the message says why."""


class DemoDaemon:
    """An imgd with everything it writes below `folder`, apart from the models."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "imgd.toml"
        self.log = folder / "imgd.log"
        self._bin = Path(sys.executable).parent
        # The daemon of the user who tries this, and its settings, are not to be met.
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("IMGD_", "NOTIFY_", "LISTEN_"))
        }

    def configure(self, photos: Path, models: Path) -> Path:
        """Write the configuration for `photos`; returns the library's database, one for each folder of photos."""
        state = self.folder / f"library-{_digest(photos)}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._run(
            *("imgd", "init", str(photos), "--force", "--config", str(self.config)),
            *("--state-dir", str(state), "--cache-dir", str(state / "cache")),
            *("--models-dir", str(models), "--socket", str(self._socket())),
            quiet=True,
        )
        return state / "library.db"

    def imgctl(self, *arguments: str) -> int:
        """Run imgctl, its output going where ours goes."""
        return self._run("imgctl", "--config", str(self.config), *arguments)

    def ask(self, *arguments: str) -> list[Any]:
        """What imgctl answers in JSON; nothing where it fails or finds nothing."""
        answer = subprocess.run(
            [self._bin / "imgctl", "--config", self.config, "--json", *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        return [json.loads(line) for line in answer.stdout.splitlines()] if answer.returncode == 0 else []

    def stop(self) -> bool:
        """Stop the daemon that answers here, if one does; returns whether it did."""
        if not self.config.exists():
            return False
        answers = self.ask("status")
        if not answers:
            return False
        _end(int(answers[0]["pid"]))
        return True

    @contextlib.contextmanager
    def running(self, *, keep: bool) -> Iterator[None]:
        """The daemon, answering; it is stopped at the end, unless it shall be kept and all went well."""
        process = self._start()
        kept = False
        try:
            self._await_answer(process)
            yield
            kept = keep
        finally:
            if not kept:
                _end(process.pid, process)
                with contextlib.suppress(OSError):  # a folder for the socket alone; else it is not empty
                    self._socket().parent.rmdir()

    def _start(self) -> subprocess.Popen[bytes]:
        with self.log.open("wb") as log:
            return subprocess.Popen(
                [self._bin / "imgd", "run", "--config", self.config],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the demo, which then stops it in order
            )

    def _await_answer(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_S
        while not self.ask("status"):
            if process.poll() is not None:
                raise DemoError(f"the daemon ended:\n{self.log.read_text(errors='replace')[-2000:]}")
            if time.monotonic() > deadline:
                raise DemoError(f"the daemon does not answer; its log is {self.log}")
            time.sleep(0.1)

    def _run(self, program: str, *arguments: str, quiet: bool = False) -> int:
        output = subprocess.DEVNULL if quiet else None
        command = [str(self._bin / program), *arguments]
        return subprocess.run(command, env=self._environment, stdout=output, check=False).returncode

    def _socket(self) -> Path:
        """In the demo's folder, or, where that path is too long for a socket, in one of the user's own."""
        near = self.folder / "imgd.sock"
        if len(os.fsencode(near)) <= _PATH_LIMIT_BYTES:
            return near
        base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
        return Path(base) / f"imgd-demo-{os.getuid()}-{_digest(self.folder)}" / "imgd.sock"


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:8]


def _end(pid: int, process: subprocess.Popen[bytes] | None = None) -> None:
    """Stop the daemon `pid` in order, and by force if it does not."""
    deadline = time.monotonic() + _STOP_S
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            if process is not None and process.poll() is not None:
                return
            os.kill(pid, 0)
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
    if process is not None:
        process.wait()
