"""What the daemon's processes take of the machine's memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from imgd.control.protocol import ProcessStatus

_KIB = 1024


def measure_processes(names: Mapping[int, str]) -> tuple[ProcessStatus, ...]:
    """Memory of the processes `names` (name by pid), largest first; one that has ended is left out.

    PSS divides each shared page among its users, so the sum over all is what the daemon takes.
    """
    found = []
    for pid, name in names.items():
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        except OSError:
            continue
        sizes = dict(_sizes(rollup))
        found.append(ProcessStatus(name, pid, sizes.get("Pss", 0), sizes.get("Rss", 0)))
    return tuple(sorted(found, key=lambda process: -process.pss_bytes))


def _sizes(rollup: str) -> list[tuple[str, int]]:
    lines = (line.split() for line in rollup.splitlines())
    return [(line[0].rstrip(":"), int(line[1]) * _KIB) for line in lines if line[-1] == "kB"]
