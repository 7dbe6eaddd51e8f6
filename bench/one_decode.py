"""Every analyzer that is installed, at once: how often is each photo opened and decoded in its first analysis?

    bench/one_decode.py [--photos 40] [--models DIR]

A real daemon with all plugins and the models of --models (else the model store of the environment) over JPEGs of
the corpus, or generated ones. The kernel counts the opens. A plugin that takes the place of imgd's own JPEG format
counts the decodes: it hands each on to imgd's, and writes down whose it was. Prints a table and, last, one JSON
line. The bar: one open and one decode of each photo, with a finding of every analyzer that is ready.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from library import Library, LibraryError, library, run, write_plugin
from opens import opens_of
from photos import CORPUS, make_photo, ordinary_photos

from imgd.config import PathSettings

_IMAGE_TOWER, _SMALL_BLIP = "ViT-B-16__openai-int8", "small-blip"
_COUNTING = '''
import hashlib, os
import imgd
from imgd.decode.formats import Jpeg
from imgd.decode.turns import NoTurns

LOG = {log!r}

class Counting(imgd.ImageFormat):
    """imgd's own JPEG format, with a line for every decode of pixels."""

    name = "jpeg"
    extensions = (".jpg",)

    def matches(self, data, name):
        return data.startswith(b"\\xff\\xd8")

    def decode(self, data, edge_px, max_pixels):
        if edge_px:
            line = hashlib.sha256(data).hexdigest() + "\\n"
            log = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            os.write(log, line.encode())
            os.close(log)
        return Jpeg(NoTurns()).decode(data, edge_px, max_pixels)

@imgd.hookimpl
def imgd_decoders():
    return [Counting]
'''


def lay_out(root: Path, count: int) -> int:
    """`count` different JPEGs below `root`, as many kinds of pictures as there are; returns how many there are."""
    taken: dict[str, Path] = {}
    others = [path for folder in ("07_ocr", "06_faces") for path in sorted((CORPUS / folder).rglob("*.jpg"))]
    for path in [*others[: count // 2], *ordinary_photos(2 * count)]:
        if path.suffix.lower() == ".jpg" and path.read_bytes().startswith(b"\xff\xd8") and len(taken) < count:
            taken.setdefault(hashlib.sha256(path.read_bytes()).hexdigest(), path)
    for number, path in enumerate(taken.values()):
        shutil.copyfile(path, root / f"{number:03}.jpg")
    for number in range(len(taken), count):
        make_photo(root / f"{number:03}.jpg", number, (1600, 1200))
    return count


def choose_models(models: Path, place: Path) -> dict[str, Any]:
    """Settings for a model store in `place` that has those of `models`, so that as many analyzers as can be run:
    CLIP with the image tower that the package index has, captions by a small BLIP that is made here."""
    place.mkdir()
    names = sorted(path.name for path in models.iterdir() if path.is_dir()) if models.is_dir() else []
    for name in names:
        (place / name).symlink_to(models / name)
    analyzers = {}
    if _IMAGE_TOWER in names:
        analyzers["clip"] = {"model": _IMAGE_TOWER}
    if all(importlib.util.find_spec(module) for module in ("torch", "transformers")):
        analyzers["caption"] = {"model": _SMALL_BLIP}
    return {
        "paths": {"models_dir": str(place)},
        "models": {"accept_licences": names},
        "analyzers": analyzers,
    }


def add_small_blip(owned: Library, folder: Path) -> None:
    """A BLIP of a small size, trained for some seconds, as a model that settings can name."""
    sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "support"))
    make = importlib.import_module("tiny_blip").make_tiny_blip
    folder.mkdir()
    added = owned.imgctl("models", "add", str(make(folder)), "--as", _SMALL_BLIP)
    if added.returncode:
        raise LibraryError(added.stderr)


def measure(count: int, models: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="imgd-bench-") as name:
        return _measure(count, choose_models(models, Path(name) / "models"), Path(name))


def _measure(count: int, settings: dict[str, Any], folder: Path) -> dict[str, Any]:
    with library(settings=settings, plugins=None, python_path=[folder / "plugin"]) as owned:
        if "caption" in settings["analyzers"]:
            add_small_blip(owned, folder / "blip")
        log = folder / "decodes"
        write_plugin(folder / "plugin", "counting", _COUNTING.format(log=str(log)))
        count = lay_out(owned.root, count)
        opens = opens_of(owned)
        decodes = Counter(log.read_text().split())
        findings = dict(
            owned.rows("SELECT name, COUNT(*) FROM findings JOIN analyzers ON id = analyzer_id GROUP BY name")
        )
        with owned.client() as client:
            states = {each.name: each.state for each in client.analyzers().analyzers}
        failed = {f"{each.analyzer}: {each.reason}" for each in owned.failed()}
        files = sorted(os.fsencode(path) for path in owned.root.iterdir())
        digests = [hashlib.sha256(Path(os.fsdecode(path)).read_bytes()).hexdigest() for path in files]
    for name, state in sorted(states.items()):
        print(f"{name:16}{state:22}{findings.get(name, 0):6} of {count} photos")
    for each in sorted(failed):
        print(f"failed: {each}")
    opened, decoded = [opens[path] for path in files], [decodes[digest] for digest in digests]
    print(f"{'':16}{'fewest':>8}{'most':>8}")
    print(f"{'opens a photo':16}{min(opened):8}{max(opened):8}")
    print(f"{'decodes a photo':16}{min(decoded):8}{max(decoded):8}")
    ready = [name for name, state in states.items() if state == "ready"]
    return {
        "bench": "one_decode",
        "photos": count,
        "analyzers": ready,
        "waiting": sorted(set(states) - set(ready)),
        "opens": [min(opened), max(opened)],
        "decodes": [min(decoded), max(decoded)],
        "failed": len(failed),
        "passed": {*opened, *decoded} == {1} and all(findings.get(name) == count for name in ready),
    }


def main() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--models", type=Path, default=os.environ.get("IMGD_TEST_MODELS"))
    options = parser.parse_args()
    return measure(options.photos, Path(options.models or PathSettings().models_dir).absolute())


if __name__ == "__main__":
    run(main)
