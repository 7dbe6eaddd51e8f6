"""Running a check in a process of its own: a crash or a hang becomes a sentence, and takes no test run down.

The process is a fresh interpreter, not a fork: libraries that use threads do not survive one. It finds the class
by its module and name, as workers do; a module that cannot be imported there by its name (a file of tests) is
loaded from its file.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import importlib.util
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imgd.pipeline.hosted import describe_error, find_class
from imgd.pipeline.pool import describe_exit
from imgd.testing.watched import HEAVY

_LAST_LINES, _STACK_LINES = 12, 24
_STACK_HEAD = "Current thread"  # faulthandler's: the lines behind it begin with where the thread is
_STACK_S = 5.0


@dataclass(frozen=True, slots=True)
class Job:
    """`task` (`module:function`) is called with the class, the unpickled `arguments`, and a `Progress`."""

    task: str
    module: str
    file: str
    qualname: str
    arguments: bytes


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a check: `outcomes` by photo or text, and all problems."""

    outcomes: Mapping[str, Any]
    problems: tuple[str, ...] = ()


class Progress:
    """Where a check says what it is about to do. `alone`: it has the process for itself.

    `heavy`: what importing the class has already loaded of what it should not.
    """

    def __init__(self, path: Path | None = None, *, heavy: tuple[str, ...] = ()) -> None:
        self._path = path
        self.alone = path is not None
        self.heavy = heavy

    def __call__(self, doing: str) -> None:
        if self._path is not None:
            self._path.write_text(doing, encoding="utf-8")


def run_apart(task: str, subject: type, arguments: Mapping[str, object], timeout_s: float) -> Report:
    """Run `task` for the class `subject` in a process of its own, for at most `timeout_s`."""
    module = sys.modules.get(subject.__module__)
    file = os.path.abspath(getattr(module, "__file__", None) or "")
    job = Job(task, subject.__module__, file, subject.__qualname__, pickle.dumps(dict(arguments)))
    with tempfile.TemporaryDirectory(prefix="imgd-check-") as name:
        folder = Path(name)
        (folder / "job").write_bytes(pickle.dumps(job))
        with (folder / "said").open("wb") as said:
            status = _await(_start(folder, said.fileno()), timeout_s)
        result = folder / "result"
        if status == 0 and result.exists():
            report: Report = pickle.loads(result.read_bytes())
            return report
        how = f"took longer than {timeout_s:g} s" if status is None else describe_exit(status)
        return Report({}, (_sentence(how, folder),))


def _start(folder: Path, said: int) -> subprocess.Popen[bytes]:
    temporary = folder / "temporary"  # a process that is killed cannot remove what it has there
    temporary.mkdir()
    paths = os.pathsep.join(filter(None, map(os.path.abspath, sys.path)))
    environment = os.environ | {"PYTHONPATH": paths, "TMPDIR": str(temporary)}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "imgd.testing.apart", str(folder)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=said,
        stderr=said,
        start_new_session=True,  # so that nothing that it starts is left
    )


def _await(process: subprocess.Popen[bytes], timeout_s: float) -> int | None:
    """Its exit status; None where it took too long, and was ended."""
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGUSR1)  # it says where it is, if it can
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STACK_S)
        return None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _sentence(how: str, folder: Path) -> str:
    doing = folder / "doing"
    at = doing.read_text(encoding="utf-8") if doing.exists() else "it was being imported"
    lines = (folder / "said").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    stack = next((number for number, line in enumerate(lines) if line.startswith(_STACK_HEAD)), len(lines))
    said = [*lines[:stack][-_LAST_LINES:], *lines[stack:][:_STACK_LINES]]
    tail = "".join(f"\n    {line}" for line in said)
    return f"its process {how} at: {at}" + (f"; the last that it said:{tail}" if tail else "")


def _main(folder: Path) -> None:
    """The process's whole life."""
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, chain=True)  # and then it ends
    job: Job = pickle.loads((folder / "job").read_bytes())
    before = set(sys.modules)
    try:
        subject = _find(job)
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything
        report = Report({}, (f"{job.module} cannot be imported: {describe_error(error)}",))
    else:
        heavy = tuple(name for name in HEAVY if name in sys.modules and name not in before)
        module, _, function = job.task.partition(":")
        task = getattr(importlib.import_module(module), function)
        report = task(subject, progress=Progress(folder / "doing", heavy=heavy), **pickle.loads(job.arguments))
    written = folder / "result.new"
    written.write_bytes(pickle.dumps(report))
    written.replace(folder / "result")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads that a plugin has left do not keep it


def _find(job: Job) -> Any:
    try:
        return find_class(job.module, job.qualname)
    except ModuleNotFoundError:
        spec = importlib.util.spec_from_file_location(job.module, job.file) if job.file else None
        if spec is None or spec.loader is None:
            raise
        sys.modules[job.module] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[job.module])
        return find_class(job.module, job.qualname)


if __name__ == "__main__":
    # Not as `__main__`: what is pickled here is unpickled by those who know it as imgd.testing.apart.
    from imgd.testing.apart import _main as main

    main(Path(sys.argv[1]))
