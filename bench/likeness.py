"""`like:`: does a changed copy find its original, and a photo others of what it shows?

A real daemon over corpus/05_semantic and 08_quality, asked on its socket. Three parts:

- copies of the 211 photos of 05_semantic that lie outside the library (plain ones, and saved again, halved,
  mirrored, cropped, ...): how often the original is the first hit, one of the first five, or found at all;
- photos of one scene in 08_quality (gt/quality.json): the place of each one's nearest other;
- photos whose objects are annotated: how many of the first hits share a kind of object (people apart), against
  chance.

    python bench/likeness.py [--models DIR]

Prints tables and one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from library import Library, LibraryError, library, run
from photos import CORPUS
from PIL import Image, ImageOps

from imgd.control.client import ControlClient

FOLDERS = ("05_semantic", "08_quality")
DEPTH = 50


class Asked:
    """Searches of one daemon, with their times."""

    def __init__(self, client: ControlClient, corpus: Path) -> None:
        self._client = client
        self._corpus = corpus
        self.took_s: list[float] = []

    def like(self, path: Path) -> list[str]:
        """Names (below the corpus) of the hits, best first."""
        started = time.perf_counter()
        answer = self._client.search(f'like:"{path}"', DEPTH)
        self.took_s.append(time.perf_counter() - started)
        if answer.notes:
            raise LibraryError("; ".join(answer.notes))
        return [str(Path(hit.path).relative_to(self._corpus)) for hit in answer.hits]

    def times(self) -> str:
        median, late = np.percentile(self.took_s, (50, 95)) * 1000
        self.took_s.clear()
        return f"{median:.0f} ms, p95 {late:.0f} ms"


def copies(image: Image.Image) -> Iterator[tuple[str, Image.Image, int]]:
    """What people do to photos: its name, the result, and the quality at which that is saved."""
    width, height = image.size
    half = (max(1, width // 2), max(1, height // 2))
    twentieth = (width // 20, height // 20, width - width // 20, height - height // 20)
    yield "saved again (q80)", image, 80
    yield "half the size (q80)", image.resize(half, Image.Resampling.LANCZOS), 80
    yield "of 200 px (q60)", ImageOps.contain(image, (200, 200)), 60
    yield "mirrored", ImageOps.mirror(image), 95
    yield "cropped by a tenth", image.crop(twentieth), 95
    yield "darker by a third", image.point(lambda value: int(value * 0.67)), 95


def find_copies(asked: Asked, corpus: Path, names: Sequence[str], scratch: Path) -> dict[str, dict[str, float]]:
    """By kind of copy: the shares of originals that are first, among the first five, and found."""
    places: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        with Image.open(corpus / name) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
        plain = Path(shutil.copyfile(corpus / name, scratch / f"{number}{Path(name).suffix}"))
        places.setdefault("plain", []).append(place_of(name, asked.like(plain)))
        for kind, copy, quality in copies(image):
            path = scratch / f"{number}_{len(kind)}.jpg"
            copy.save(path, quality=quality)
            places.setdefault(kind, []).append(place_of(name, asked.like(path)))
            path.unlink()
    return {
        kind: {
            "first": float(np.mean([place == 0 for place in each])),
            "of five": float(np.mean([place < 5 for place in each])),
            "found": float(np.mean([place < DEPTH for place in each])),
        }
        for kind, each in places.items()
    }


def find_scenes(asked: Asked, corpus: Path) -> dict[str, list[int]]:
    """By scene: for each of its photos, the place (from 1) of the nearest other one among the other hits."""
    scenes: dict[str, list[str]] = {}
    for entry in json.loads((corpus / "gt" / "quality.json").read_bytes()):
        scene = entry.get("group") or entry.get("pair") or entry.get("scene")
        if scene:
            scenes.setdefault(scene, []).append(entry["path"])
    return {
        scene: [
            1 + min(place_of(other, hits) for other in names if other != name)
            for name in names
            if (hits := [hit for hit in asked.like(corpus / name) if hit != name]) is not None
        ]
        for scene, names in scenes.items()
    }


def find_things(asked: Asked, corpus: Path, names: Sequence[str]) -> dict[str, float]:
    """The shares of hits that show a thing that the photo shows: of all photos (chance), of first hits, and of the
    first five."""
    things = read_things(corpus, names)
    chance, first, five = [], [], []
    for name, shown in things.items():
        chance.append(np.mean([bool(shown & other) for each, other in things.items() if each != name]))
        hits = [hit for hit in asked.like(corpus / name) if hit in things and hit != name]
        if hits:
            first.append(bool(shown & things[hits[0]]))
            five.append(np.mean([bool(shown & things[hit]) for hit in hits[:5]]))
    return {
        "photos": len(things),
        "with a hit": len(first),
        "chance": float(np.mean(chance)),
        "first": float(np.mean(first)),
        "of five": float(np.mean(five)),
    }


def read_things(corpus: Path, names: Sequence[str]) -> Mapping[str, set[str]]:
    truth = json.loads((corpus / "gt" / "semantic.json").read_bytes())
    things = {name: {each[0] for each in truth[name].get("objects", ())} - {"person"} for name in names}
    return {name: shown for name, shown in things.items() if shown}


def place_of(name: str, hits: Sequence[str]) -> int:
    return hits.index(name) if name in hits else DEPTH


def print_tables(
    copies: Mapping[str, Mapping[str, float]],
    scenes: Mapping[str, Sequence[int]],
    things: Mapping[str, float],
) -> None:
    """What `find_copies`, `find_scenes` and `find_things` have found."""
    print(f"{'copy':24}{'first':>8}{'of five':>9}{'found':>8}")
    for kind, shares in copies.items():
        print(f"{kind:24}{shares['first']:8.3f}{shares['of five']:9.3f}{shares['found']:8.3f}")
    print("\nplaces of the nearest other photo of the scene")
    for scene, places in scenes.items():
        print(f"{scene:24}{' '.join('-' if place > DEPTH else str(place) for place in places)}")
    print(
        f"\nthe same thing is shown by {things['first']:.2f} of the first hits and {things['of five']:.2f} of the"
        f" first five; by chance {things['chance']:.2f}"
        f" ({things['with a hit']} of {things['photos']} photos have hits)"
    )


def measure(owned: Library, corpus: Path, scratch: Path) -> dict[str, object]:
    names = sorted(json.loads((corpus / "gt" / "semantic.json").read_bytes()))
    with owned.client() as client:
        asked = Asked(client, corpus)
        Image.new("RGB", (300, 200), "teal").save(scratch / "first.png")
        asked.like(scratch / "first.png")
        cold_s = asked.took_s.pop()
        found = find_copies(asked, corpus, names, scratch)
        of_files = asked.times()
        scenes = find_scenes(asked, corpus)
        things = find_things(asked, corpus, names)
        of_photos = asked.times()
    print_tables(found, scenes, things)
    print(f"a file: {of_files}; the first one {cold_s:.1f} s; a photo of the library: {of_photos}")
    return {"bench": "likeness", "copies": found, "scenes": scenes, "things": things, "cold_s": round(cold_s, 2)}


def main() -> dict[str, object]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--models", type=Path, default=os.environ.get("IMGD_TEST_MODELS"))
    options = parser.parse_args()
    if not options.corpus.is_dir():
        raise LibraryError(f"no corpus at {options.corpus}; name it with --corpus")
    settings = {"paths": {"models_dir": str(Path(options.models).absolute())}} if options.models else None
    roots = [options.corpus / folder for folder in FOLDERS]
    with (
        tempfile.TemporaryDirectory(prefix="imgd-bench-") as scratch,
        library(roots=roots, settings=settings, plugins="concepts") as owned,
    ):
        owned.start()
        owned.wait(600)
        return measure(owned, options.corpus, Path(scratch))


if __name__ == "__main__":
    run(main)
