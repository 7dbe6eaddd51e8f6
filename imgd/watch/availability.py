"""Whether a root can be reached: an unplugged disk must never look like deleted photos."""

from __future__ import annotations

import os
import stat as stats
from dataclasses import dataclass

from imgd.domain import FileStat, RootState

_ADVICE = "imgd goes on by itself once it is there"


@dataclass(frozen=True, slots=True)
class Filesystem:
    """Where a root lies: its device number, and whether something is mounted right there."""

    device: int
    is_mount: bool

    def __str__(self) -> str:
        return f"{self.device}{' mount' if self.is_mount else ''}"

    @classmethod
    def parse(cls, text: str) -> Filesystem | None:
        """What `str` wrote; None for an empty text."""
        if not text:
            return None
        device, _, kind = text.partition(" ")
        return cls(int(device), kind == "mount")


@dataclass(frozen=True, slots=True)
class Look:
    """A root at one moment. `identity` changes when another folder or filesystem takes its place."""

    state: RootState
    reason: str = ""
    filesystem: Filesystem | None = None
    identity: tuple[int, int] | None = None


def look_at_root(root: bytes, recorded: Filesystem | None) -> Look:
    """Whether `root` can be reached now; `recorded` is where it lay when it was last scanned."""
    try:
        stat = os.stat(root)
        parent = os.stat(os.path.dirname(root.rstrip(b"/")) or b"/")
        if not stats.S_ISDIR(stat.st_mode):
            return Look(RootState.OFFLINE, "is not a folder; correct `roots` in imgd.toml")
        with os.scandir(root) as entries:
            is_empty = next(entries, None) is None
    except FileNotFoundError:
        return Look(RootState.OFFLINE, f"is not there; mount or create it, {_ADVICE}")
    except PermissionError:
        return Look(RootState.OFFLINE, "cannot be read; give imgd's user the right to read it")
    except OSError as error:
        return Look(RootState.OFFLINE, f"cannot be read ({error.strerror}); check its disk or network, {_ADVICE}")
    filesystem = Filesystem(FileStat.of(stat).device, is_mount=stat.st_dev != parent.st_dev)
    if is_empty and recorded is not None and recorded.is_mount and not filesystem.is_mount:
        return Look(RootState.OFFLINE, f"is not mounted; mount it, {_ADVICE}")
    return Look(RootState.ONLINE, "", filesystem, (stat.st_dev, stat.st_ino))
