"""A Python environment to install into, which is thrown away: it sees imgd and all that is beside it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


class Throwaway:
    """What is installed comes from folders alone, and is built with the tools that are here."""

    def __init__(self, base: Path) -> None:
        self.base = base / "environment"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(self.base)], check=True)
        self.python = self.base / "bin" / "python"
        (self.site,) = self.base.glob("lib/python*/site-packages")
        paths = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), str(REPOSITORY)]
        (self.site / "imgd-of-the-tests.pth").write_text("".join(f"{path}\n" for path in dict.fromkeys(paths)))
        self.home = base / "home"
        self.home.mkdir()
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("IMGD_", "XDG_", "PIP_", "PYTHON"))
        } | {
            "HOME": str(self.home),
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",
            "PIP_CONFIG_FILE": os.devnull,
        }

    def run(self, *arguments: str, cwd: Path | None = None, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run its Python."""
        return subprocess.run(
            [str(self.python), *arguments],
            cwd=cwd or self.base,
            env=self.environment | extra,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    def imgctl(self, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        return self.run("-m", "imgd.cli.imgctl", *arguments, **extra)

    def has(self, distribution: str) -> bool:
        """Whether it is installed here, and not only beside."""
        return any(self.site.glob(f"{distribution.replace('-', '_')}-*.dist-info"))
