"""How often the daemon opens each photo in its first analysis, by format: the kernel counts.

    bench/opens.py [--each 5]

A real daemon with the built-in analyzers over generated photos of every format that can be written here (`--each`
of each), every RAW of the corpus, and sidecars beside a JPEG, a HEIC and a RAW. A sidecar is a file of its own.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from library import BUILT_IN, Library, LibraryError, library, make_old, run
from open_counter import OpenCounter
from photos import CORPUS, make_photo, make_sidecar, raw_photos

WRITTEN = ("jpg", "png", "webp", "tif", "heic", "avif", "jxl", "jp2", "psd", "gif", "bmp")
_SIZE = (1600, 1200)  # larger than any analyzer asks for
_WAIT_S = 900.0


def lay_out(root: Path, each: int) -> list[Path]:
    """Every photo and sidecar below `root`; returns the sidecars."""
    for number in range(each):
        for extension in WRITTEN:
            make_photo(root / extension / f"photo{number}.{extension}", number, _SIZE)
    with_sidecars = [root / "jpg" / "photo0.jpg", root / "heic" / "photo0.heic"]
    for path in raw_photos():
        (root / "raw").mkdir(exist_ok=True)
        with_sidecars[2:] = [Path(shutil.copyfile(path, root / "raw" / path.name))]
    return [make_sidecar(photo.with_suffix(".xmp"), "besides") for photo in with_sidecars]


def opens_of(owned: Library) -> Counter[bytes]:
    """Opens by path, from before the daemon starts until all is analyzed."""
    make_old(owned.root)
    with OpenCounter(owned.root) as counter:
        owned.start()
        owned.wait(_WAIT_S)
    if counter.overflowed:
        raise LibraryError("the kernel dropped events: the opens are not known")
    return counter.opens


def measure(each: int) -> dict[str, Any]:
    with library() as owned:
        sidecars = lay_out(owned.root, each)
        files = sum(path.is_file() for path in owned.root.rglob("*"))
        opens = opens_of(owned)
        refused = check(owned, files - len(sidecars))
        by_kind: defaultdict[str, list[int]] = defaultdict(list)
        for path in sorted(owned.root.rglob("*")):
            if path.is_file():
                by_kind[_kind(path)].append(opens[os.fsencode(path)])
        steps = routes(owned)
        others = sum(not Path(os.fsdecode(path)).is_file() for path in opens)
    print(f"{'format':10}{'files':>7}{'refused':>9}{'opens each':>12}   steps of the ladder")
    for kind, counts in by_kind.items():
        said = "-".join(map(str, sorted({min(counts), max(counts)})))
        print(f"{kind:10}{len(counts):7}{refused[kind]:9}{said:>12}   {', '.join(steps.get(kind, []))}")
    return {
        "bench": "opens",
        "corpus": CORPUS.is_dir(),
        "files": files,
        "sidecars": len(sidecars),
        "refused": refused.total(),
        "fewest": min(min(counts) for counts in by_kind.values()),
        "most": max(max(counts) for counts in by_kind.values()),
        "other_files_opened": others,
        "by_format": {kind: max(counts) for kind, counts in by_kind.items()},
        "passed": not others and all(set(counts) == {1} for counts in by_kind.values()),
    }


def check(owned: Library, photos: int) -> Counter[str]:
    """Refused files by kind; all others must have been analyzed whole, and sidecars read, in their one open."""
    refused = {job.path: job.reason for job in owned.failed()}
    for path, reason in refused.items():
        if _kind(Path(path)) in WRITTEN:
            raise LibraryError(f"{path} was not analyzed: {reason}")
    by_photo = owned.rows("SELECT photo_id, COUNT(*) FROM findings GROUP BY photo_id")
    whole = sum(findings == len(BUILT_IN) for _photo, findings in by_photo)
    if whole != photos - len(refused):
        raise LibraryError(f"{whole} of {photos} photos were analyzed whole, {len(refused)} refused")
    with owned.client() as client:
        found = client.search("besides", 100).hits
    sidecars = owned.rows("SELECT COUNT(*) FROM sidecars")[0][0]
    if len(found) != sidecars:
        raise LibraryError(f"{len(found)} photos are found by the words of {sidecars} sidecars")
    return Counter(_kind(Path(path)) for path in refused)


def routes(owned: Library) -> dict[str, list[str]]:
    """Kind of file -> the steps of the ladder that its photos were decoded by."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for name, route in owned.rows("SELECT display_name, route FROM photos WHERE route <> ''"):
        found[_kind(Path(name))].add(route)
    return {kind: sorted(steps) for kind, steps in found.items()}


def _kind(path: Path) -> str:
    return path.suffix.lower().lstrip(".").replace("xmp", "sidecar")


def main() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=5)
    options = parser.parse_args()
    if not CORPUS.is_dir():
        print("the corpus is not here: no RAW is looked at")
    return measure(options.each)


if __name__ == "__main__":
    run(main)
