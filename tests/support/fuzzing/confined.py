"""A process that tries hostile files, and another one in its place when it dies."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

WALL_S = 60.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one file did. `problems`: what should not have happened, the process's death included."""

    problems: tuple[str, ...]
    cpu_s: float = 0.0
    peak_mb: int = 0


class Confined:
    """Tries files in a process of its own, for as long as the context lasts."""

    def __init__(self, wall_s: float = WALL_S) -> None:
        self._wall_s = wall_s
        self.process: subprocess.Popen[bytes] | None = None
        self.deaths = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def attempt(self, name: str, data: bytes) -> Verdict:
        """The file `data`, called `name`, decoded at several edges and its metadata read."""
        process = self.process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(f"{name} {len(data)}\n".encode() + data)
            process.stdin.flush()
        except BrokenPipeError:
            return self._died("died")
        if not select.select([process.stdout], [], [], self._wall_s)[0]:
            return self._died(f"took more than {self._wall_s:.0f} s")
        line = process.stdout.readline()
        if not line:
            return self._died("died")
        answer = json.loads(line)
        return Verdict(tuple(answer["problems"]), answer["cpu_s"], answer["peak_mb"])

    def _start(self) -> subprocess.Popen[bytes]:
        paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
        self.process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-m", "fuzzing.subject"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment,
        )  # fmt: skip
        return self.process

    def _died(self, what: str) -> Verdict:
        self.deaths += 1
        code = self._end()
        if what == "died":
            what = f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        return Verdict((what,))

    def _end(self) -> int:
        process, self.process = self.process, None
        if process is None:
            return 0
        assert process.stdin is not None
        assert process.stdout is not None
        # One that hangs is killed; one that died already, or waits for the next file, ends by itself.
        process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        try:
            return process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
