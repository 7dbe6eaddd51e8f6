"""What each list of `imgctl duplicates` costs in a large library, and how fast files are hashed.

    python bench/duplicates.py [--count 50000] [--seed 0]

A library of `--count` photos (bench/synthetic.py) in which one photo in fifty is a copy of another by its
content hash, and one in fifty looks like another: a hash that differs in 1 to 8 bits, and the same vector. Each
list is made in a process of its own, as the daemon makes it; the floor is one pass over the rows that the list has
to read. Hashing is compared with sha256sum over the same files, both from the page cache.

Prints a table and one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from synthetic import make_library

from imgd.domain import FileStat
from imgd.duplicates.bursts import list_bursts
from imgd.duplicates.child import FileToHash
from imgd.duplicates.hashing import Hands
from imgd.duplicates.identical import list_identical
from imgd.duplicates.listing import Listing
from imgd.duplicates.near import list_near
from imgd.duplicates.pairs import list_pairs
from imgd.pipeline.process import ChildStarter
from imgd.store.database import Database
from imgd.store.migrate import migrations

_ONE_IN = 50
_FILES, _FILE_BYTES = 32, 16 << 20
_MOST_FLIPS = 8

LISTS: dict[str, tuple[Callable[[Database, Callable[[], bool]], Listing], str]] = {
    "identical": (list_identical, "SELECT content_hash, id FROM photos WHERE content_hash IS NOT NULL"),
    "near": (list_near, "SELECT text, photo_id FROM facts WHERE key = 'phash' AND text IS NOT NULL"),
    "bursts": (list_bursts, "SELECT taken_at, camera_model, photo_id FROM metadata WHERE taken_at IS NOT NULL"),
    "pairs": (list_pairs, "SELECT id, folder_id, name FROM photos WHERE format = 'raw'"),
}
"""How each list is made, and its floor."""


@dataclass(frozen=True, slots=True)
class Cost:
    """`grown_bytes`: the peak of the process's memory above what it had before."""

    groups: int
    files: int
    took_s: float
    floor_s: float
    grown_bytes: int


def plant(path: Path, seed: int) -> dict[str, int]:
    """Put copies into a made library, and its root online; returns how many pairs of each kind there are."""
    random = np.random.default_rng(seed)
    database = Database(path, migrations())
    with database.read() as connection:
        (count,) = connection.execute("SELECT max(id) FROM photos").fetchone()
        hashes = dict(connection.execute("SELECT photo_id, text FROM facts WHERE key = 'phash'"))
    chosen = random.permutation(np.array(sorted(hashes)))[: 4 * (count // _ONE_IN)].reshape(4, -1).tolist()
    same = [(os.urandom(32), a, b) for a, b in zip(*chosen[:2], strict=True)]
    alike = []
    for original, copy in zip(*chosen[2:], strict=True):
        flips = random.choice(64, int(random.integers(1, _MOST_FLIPS + 1)), replace=False)
        mark = int(hashes[original], 16) ^ sum(1 << int(bit) for bit in flips)
        alike.append((f"{mark:016x}", copy, original))

    def work(connection: object) -> None:
        run, many = connection.execute, connection.executemany  # type: ignore[attr-defined]
        run("UPDATE roots SET state = 'online'")
        many("UPDATE photos SET content_hash = ? WHERE id IN (?, ?)", same)
        many("UPDATE facts SET text = ? WHERE key = 'phash' AND photo_id = ?", [each[:2] for each in alike])
        many(
            "UPDATE vectors SET data = (SELECT data FROM vectors AS other WHERE other.photo_id = ?2"
            " AND other.region IS NULL) WHERE photo_id = ?1 AND region IS NULL",
            [each[1:] for each in alike],
        )
        many(
            "UPDATE photos SET (width, height) = (SELECT width, height FROM photos WHERE id = ?2) WHERE id = ?1",
            [each[1:] for each in alike],
        )

    database.write(work).result()
    database.close()
    return {"identical": len(same), "near": len(alike)}


def measure(name: str, path: Path) -> Cost:
    """One list, in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (name, path))


def _measure(name: str, path: Path) -> Cost:
    make, floor = LISTS[name]
    with contextlib.closing(Database(path, migrations())) as database:
        with database.read() as connection:
            for _ in connection.execute(floor):  # what was never read comes from the disk, which is not measured
                pass
            began = time.perf_counter()
            for _ in connection.execute(floor):
                pass
            floor_s = time.perf_counter() - began
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew; proc(5)
        before = _memory("VmRSS")
        began = time.perf_counter()
        listing = make(database, lambda: False)
        took_s = time.perf_counter() - began
        return Cost(len(listing), len(listing.members), took_s, floor_s, _memory("VmHWM") - before)


def _memory(name: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) << 10
    raise LookupError(name)


def hashing_speeds(folder: Path) -> tuple[float, float]:
    """Bytes a second of imgd's hashing process, and of sha256sum."""
    files = list(_make_files(folder))
    subprocess.run(["sha256sum", *files], check=True, stdout=subprocess.DEVNULL)  # into the page cache
    began = time.perf_counter()
    subprocess.run(["sha256sum", *files], check=True, stdout=subprocess.DEVNULL)
    theirs_s = time.perf_counter() - began
    ours_s = asyncio.run(_hash(files))
    total = _FILES * _FILE_BYTES
    return total / ours_s, total / theirs_s


def _make_files(folder: Path) -> Iterator[Path]:
    content = os.urandom(_FILE_BYTES)
    for number in range(_FILES):
        path = folder / f"{number}.raw"
        path.write_bytes(content)
        yield path


async def _hash(files: list[Path]) -> float:
    starter = ChildStarter()
    hands = Hands(starter)
    asked = [FileToHash(n, bytes(file), FileStat.of(file.stat())) for n, file in enumerate(files)]
    try:
        await hands.hash(asked[:1])  # the process starts
        await asyncio.to_thread(files[0].read_bytes)
        began = time.perf_counter()
        hashed = await hands.hash(asked)
        took_s = time.perf_counter() - began
        assert all(each.digest for each in hashed)
        return took_s
    finally:
        await hands.leave()
        await starter.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="imgd-bench-") as folder:
        path = make_library(Path(folder) / "state", options.count, options.seed) / "library.db"
        planted = plant(path, options.seed)
        costs = {name: measure(name, path) for name in LISTS}
        ours, theirs = hashing_speeds(Path(folder))
    print(
        f"{options.count:,} photos; planted: {planted['identical']:,} identical pairs, {planted['near']:,} alike\n"
    )
    print(f"{'list':<10} {'groups':>8} {'files':>8} {'s':>8} {'floor s':>8} {'memory MB':>10}")
    for name, cost in costs.items():
        print(
            f"{name:<10} {cost.groups:>8,} {cost.files:>8,} {cost.took_s:>8.2f} {cost.floor_s:>8.2f}"
            f" {cost.grown_bytes / 1e6:>10.0f}"
        )
    print(f"\nhashing {ours / 1e6:.0f} MB/s, sha256sum {theirs / 1e6:.0f} MB/s")
    print(
        json.dumps(
            {
                "bench": "duplicates",
                "photos": options.count,
                "planted": planted,
                "lists": {
                    name: {
                        "groups": cost.groups,
                        "s": round(cost.took_s, 2),
                        "floor_s": round(cost.floor_s, 2),
                        "memory_mb": round(cost.grown_bytes / 1e6),
                    }
                    for name, cost in costs.items()
                },
                "hash_mb_s": round(ours / 1e6),
                "sha256sum_mb_s": round(theirs / 1e6),
            }
        )
    )


if __name__ == "__main__":
    main()
