"""Fuzzes for as long as it is told: `python -m fuzzing --minutes 15 --first 0 --finds DIR [NAME ...]`.

Every harmed file has a name and a number, from which it is made again: `python -m fuzzing --again NAME NUMBER`.
"""

from __future__ import annotations

import argparse
import collections
import random
import sys
import threading
import time
from pathlib import Path

from fuzzing import mutations, seeds
from fuzzing.confined import Confined


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzzing", description=__doc__)
    parser.add_argument("names", nargs="*", help="seeds to harm, by the beginning of their names; all by default")
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--first", type=int, help="the first number; by chance where it is not given")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--finds", type=Path, help="a folder for the files that did harm")
    parser.add_argument("--again", nargs=2, metavar=("NAME", "NUMBER"), help="try one file again")
    options = parser.parse_args()
    if options.again:
        return again(options.again[0], int(options.again[1]), options.finds)
    names = [name for name in seeds.names() if not options.names or name.startswith(tuple(options.names))]
    first = random.SystemRandom().randrange(10**9) if options.first is None else options.first
    print(f"{len(names)} seeds, numbers from {first}", flush=True)
    campaign = Campaign(names, first, options.finds)
    end = time.monotonic() + options.minutes * 60
    threads = [threading.Thread(target=campaign.run, args=(end,)) for _ in range(options.workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return campaign.tell()


class Campaign:
    """Harmed files of `names`, one after another, each tried in a confined process."""

    def __init__(self, names: list[str], first: int, finds: Path | None) -> None:
        self._inputs = mutations.each(names, first)
        self._names, self._finds = names, finds
        self._lock = threading.Lock()
        self._tried = self._deaths = 0
        self._problems: collections.Counter[str] = collections.Counter()
        self._slowest: list[tuple[float, str, int]] = []
        self._peak_mb = 0

    def run(self, end: float) -> None:
        with Confined() as process:
            while time.monotonic() < end:
                with self._lock:
                    name, number = next(self._inputs)
                data = mutations.numbered(name, number, seeds.seed, seeds.names())
                verdict = process.attempt(file_name(name), data)
                with self._lock:
                    self._tried += 1
                    self._peak_mb = max(self._peak_mb, verdict.peak_mb)
                    self._slowest = sorted([*self._slowest, (verdict.cpu_s, name, number)])[-5:]
                    for problem in verdict.problems:
                        self._problems[problem] += 1
                        if self._problems[problem] <= 3:
                            print(f"{name} {number}: {problem}", flush=True)
                            keep(self._finds, name, number, data)
            self._deaths += process.deaths

    def tell(self) -> int:
        """Print what came of it; the exit status."""
        print(f"\n{self._tried} files, {self._deaths} deaths, {self._peak_mb} MB at most")
        print("slowest: " + ", ".join(f"{name} {number} {spent:.1f} s" for spent, name, number in self._slowest))
        for problem, count in self._problems.most_common():
            print(f"{count:6d}  {problem}")
        return 1 if self._problems else 0


def file_name(name: str) -> str:
    """What the file is called: some RAW files are known by their ending."""
    kind, _, variant = name.partition("-")
    return f"photo.{variant if kind == 'raw' else kind}"


def keep(finds: Path | None, name: str, number: int, data: bytes) -> None:
    if finds is not None:
        finds.mkdir(parents=True, exist_ok=True)
        (finds / f"{name}-{number}").write_bytes(data)


def again(name: str, number: int, finds: Path | None) -> int:
    data = mutations.numbered(name, number, seeds.seed, seeds.names())
    keep(finds, name, number, data)
    with Confined() as process:
        verdict = process.attempt(file_name(name), data)
    print(f"{len(data)} bytes, {verdict.cpu_s:.2f} s, {verdict.peak_mb} MB", *verdict.problems, sep="\n")
    return 1 if verdict.problems else 0


if __name__ == "__main__":
    sys.exit(main())
