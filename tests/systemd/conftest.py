"""A private `systemd --user` for tests, driven through a shell that runs beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

_HARNESS = Path(__file__).with_name("private-systemd")
_MARK = "\x1e"


@dataclass(frozen=True, slots=True)
class Result:
    code: int
    output: str


class UserSystemd:
    """A shell inside the namespace of a private user manager."""

    def __init__(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("IMGD_", "XDG_"))}
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        self._shell = subprocess.Popen(
            [str(_HARNESS), "bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def answers(self) -> bool:
        """Whether the manager came up at all."""
        try:
            return self.run("true").code == 0
        except OSError:
            return False

    def run(self, command: str, timeout_s: float = 120) -> Result:
        """Run a shell command there; its stdout and stderr come together."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        killer = threading.Timer(timeout_s, self._shell.terminate)
        killer.start()
        try:
            self._shell.stdin.write(f"{{ {command}\n}} </dev/null 2>&1; printf '\\036%d\\n' $?\n")
            self._shell.stdin.flush()
            output: list[str] = []
            for line in self._shell.stdout:
                if _MARK in line:
                    text, _, code = line.partition(_MARK)
                    return Result(int(code), "".join([*output, text]))
                output.append(line)
        finally:
            killer.cancel()
        raise OSError(f"the shell ended during {command!r}: {''.join(output)}")

    def check(self, command: str, timeout_s: float = 120) -> str:
        """The output of a command that has to succeed."""
        result = self.run(command, timeout_s)
        assert result.code == 0, f"{command}: exit code {result.code}\n{result.output}\n{self.log()}"
        return result.output.rstrip("\n")

    def wait_until(self, condition: str, timeout_s: int = 60) -> None:
        """Until a shell condition holds; systemctl itself has no way to wait for a restart."""
        loop = f"for _ in $(seq {timeout_s * 10}); do if {condition}; then exit 0; fi; sleep 0.1; done; exit 1"
        self.check(f"( {loop} )", timeout_s + 30)

    def log(self) -> str:
        """What the manager and its services said last."""
        return self.run('tail -n 40 "$HOME/systemd.log"; cat "$HOME/imgd.log" 2>/dev/null').output

    def close(self) -> None:
        assert self._shell.stdin is not None
        try:
            self._shell.stdin.close()
            self._shell.wait(30)
        except (OSError, subprocess.TimeoutExpired):
            self._shell.terminate()
            self._shell.wait(30)
        for stream in (self._shell.stdout, self._shell.stderr):
            assert stream is not None
            stream.close()


def _obstacle() -> str:
    """Why no private systemd can run here, or ""."""
    if os.geteuid() != 0:
        return "a private systemd --user needs root, for a cgroup and namespaces of its own"
    if not Path("/lib/systemd/systemd").exists():
        return "systemd is not installed"
    if shutil.which("unshare") is None:
        return "unshare(1) is not installed"
    return ""


@pytest.fixture
def systemd() -> Iterator[UserSystemd]:
    obstacle = _obstacle()
    if obstacle:
        pytest.skip(obstacle)
    systemd = UserSystemd()
    try:
        if not systemd.answers():
            pytest.skip("no private systemd --user comes up here (no writable cgroup v2, or no namespaces)")
        yield systemd
    finally:
        systemd.close()
