"""Objects: how right their boxes and counts are, and how fast filters of counts answer.

    python bench/objects.py          boxes and counts, before and now, on the annotated photos; then the filters
    python bench/objects.py --fit    only fit the table of thresholds in imgd_concepts/objects.py anew

The 57 photos of corpus/05_semantic whose objects are annotated (COCO val2017), by the real detector. Figures of
fitted thresholds are cross-validated: fitted on one half of the photos, judged on the other, over 20 halvings both
ways; figures of fixed ones are the mean over the same halves. Filters are asked in a library of
`bench/synthetic.py` to which counts are added, and told as ratios to a filter by a tag that as many photos have.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from imgd_concepts.detector import Detector, read_labels
from imgd_concepts.models import DETECTOR
from imgd_concepts.objects import COUNTED_FROM, MEASURED, OBJECTS
from imgd_concepts.space import EDGE_PX
from library import LibraryError, run
from object_counts import FAMILY, add_counts, tag_of_as_many
from object_scores import GRID, GROUPS, Photo, Scores, Thresholds, fit, precision_recall, score
from photos import CORPUS
from semantic import decode
from synthetic import make_library

from imgd.index.text import TextIndex
from imgd.index.words import Words
from imgd.search.filters import Filters
from imgd.search.grammar import parse
from imgd.search.vocabulary import Vocabulary
from imgd.store.database import Database
from imgd.store.migrate import migrations

BEFORE = 0.3
"""The threshold of every class when objects were not counted for searches."""
SHOWN = (0.3, 0.4, 0.45, 0.5, 0.6)
_MANY = 4
_HALVINGS = 20
_ROUNDS = 15


def read_photos(corpus: Path, models: Path) -> tuple[list[Photo], list[Photo]]:
    """The annotated photos with what the detector finds in them: each object once, and as the network has them."""
    directory = models / DETECTOR.name
    detector = Detector(directory, read_labels(directory))
    once, raw = [], []
    for name, entry in sorted(json.loads((corpus / "gt" / "semantic.json").read_bytes()).items()):
        if entry["kind"] != "coco" or not entry.get("objects"):
            continue
        truth = [(label, (x - w / 2, y - h / 2, w, h)) for label, x, y, w, h in entry["objects"]]
        pixels = decode(corpus / name, EDGE_PX)
        once.append(Photo(truth, detector.detect(pixels, float(GRID[0]))))
        raw.append(Photo(truth, detector.boxes(pixels, float(GRID[0]))))
    return once, raw


# ---------------------------------------------------------------------- how right


Fitted = Callable[[Sequence[Photo]], Mapping[str, float] | float]


def cross_validated(photos: Sequence[Photo], fitted: Fitted, group: str = "") -> Scores:
    """The mean over halves of what `fitted` makes of one half, judged on the other."""
    random = np.random.default_rng(0)
    judged = []
    for _ in range(_HALVINGS):
        order = random.permutation(len(photos))
        halves = [[photos[row] for row in half] for half in np.array_split(order, 2)]
        for learned, held_out in (halves, halves[::-1]):
            judged.append(astuple(score(held_out, _lookup(fitted(learned)), group)))
    return Scores(*np.mean(judged, axis=0).tolist())


def _lookup(thresholds: Mapping[str, float] | float) -> Thresholds:
    if isinstance(thresholds, float):
        return lambda _: thresholds
    return lambda label: thresholds.get(label, 1.0)


def measure_scores(once: Sequence[Photo], raw: Sequence[Photo]) -> dict[str, float]:
    ways: dict[str, tuple[Sequence[Photo], Fitted]] = {
        "before: 0.3, some objects twice": (raw, lambda _: BEFORE),
        "0.3, each object once": (once, lambda _: BEFORE),
        f"{COUNTED_FROM} for all": (once, lambda _: COUNTED_FROM),
        "by class, towards 0.45": (once, fit),
        "by class, towards a fitted one": (once, lambda half: fit(half, None)),
        "by class, towards 0.3": (once, lambda half: fit(half, BEFORE)),
    }
    print(f"{'all classes':34}{'AP':>8}{'box F1':>8}{'count F1':>10}{'exact':>8}{'within 1':>10}")
    figures: dict[str, float] = {}
    for name, (photos, fitted) in ways.items():
        scores = cross_validated(photos, fitted)
        print(f"{name:34}{scores.row()}")
        figures |= {f"{name}: {each.name}": round(getattr(scores, each.name), 3) for each in fields(scores)}
    for group in GROUPS:
        print(f"\n{group:34}{'AP':>8}{'box F1':>8}{'count F1':>10}{'exact':>8}{'within 1':>10}")
        for name in list(ways)[:1] + list(ways)[2:4]:
            scores = cross_validated(*ways[name], group)
            print(f"{name:34}{scores.row()}")
            figures[f"{group}, {name}: count_f1"] = round(scores.count_f1, 3)
    print_classes(once)
    return figures


def print_classes(once: Sequence[Photo]) -> None:
    """Precision and recall of boxes over thresholds, of the classes that many photos have."""
    print(f"\n{'precision / recall of boxes':34}" + "".join(f"{threshold:>12}" for threshold in SHOWN))
    having = Counter(label for photo in once for label in {label for label, _ in photo.truth})
    for name, photos in having.most_common():
        if photos < _MANY:
            break
        pairs = (precision_recall(once, name, threshold) for threshold in SHOWN)
        title = f"{name}, {photos} photos"
        print(f"{title:34}" + "".join(f"{one:7.2f} /{other:.2f}" for one, other in pairs))


def print_fit(once: Sequence[Photo]) -> dict[str, float]:
    """The table as it is to stand in imgd_concepts/objects.py."""
    fitted = {name: round(value, 2) for name, value in fit(once).items()}
    table = {name: value for name, value in fitted.items() if value != COUNTED_FROM}
    row = "    "
    for name, value in table.items():
        entry = f'"{name}": {value}, '
        if len(row) + len(entry) > 115:
            print(row.rstrip())
            row = "    "
        row += entry
    print(row.rstrip())
    print("the plugin has", "the same" if table == dict(MEASURED) else "another table")
    return table


# ---------------------------------------------------------------------- how fast


def measure_filters(count: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="imgd-bench-") as name, contextlib.ExitStack() as stack:
        folder = make_library(Path(name), count)
        database = stack.enter_context(contextlib.closing(Database(folder / "library.db", migrations())))
        database.write(add_counts).result()
        text = stack.enter_context(contextlib.closing(TextIndex(folder / "text.db")))
        facts = {"objects.*": int, **{f"objects.{name.replace(' ', '_')}": int for name in OBJECTS}}
        vocabulary = Vocabulary(database, {FAMILY: facts})
        filters = Filters(database, Words(text), vocabulary)

        def ask(query: str) -> tuple[float, int]:
            """Median milliseconds to every photo that `query` lets pass, and how many these are."""
            took = []
            for _ in range(_ROUNDS):
                began = time.perf_counter()
                found = filters.compile(parse(query, vocabulary.facts())).all_ids()
                took.append((time.perf_counter() - began) * 1e3)
            return statistics.median(took), len(found)

        print(
            f"\n{'in ' + format(count, ',') + ' photos':34}{'photos':>8}{'ms':>8}{'tag, as many':>14}{'ratio':>8}"
        )
        figures = {}
        for query in (
            "objects.person:>=3",
            "objects.dog:1",
            "objects.person:0",
            "objects.person:<2",
            "objects:>=20",
        ):
            took_ms, found = ask(query)
            tag = database.write(partial(tag_of_as_many, count=found)).result()
            tag_ms, _ = ask(f'tag:"{tag}"')
            print(f"{query:34}{found:8,}{took_ms:8.2f}{tag_ms:14.2f}{took_ms / tag_ms:8.2f}")
            figures[f"{query} / tag"] = round(took_ms / tag_ms, 2)
    return figures


def main() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument(
        "--count", type=int, default=50_000, help="photos of the library that filters are asked in"
    )
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--models", type=Path, default=os.environ.get("IMGD_TEST_MODELS"))
    options = parser.parse_args()
    if options.models is None:
        from imgd.config import PathSettings

        options.models = PathSettings().models_dir
    if not options.corpus.is_dir():
        raise LibraryError(f"no corpus at {options.corpus}; name it with --corpus")
    once, raw = read_photos(options.corpus, options.models.absolute())
    if options.fit:
        return {"bench": "objects", "fitted": print_fit(once)}
    return {"bench": "objects", "photos": len(once), **measure_scores(once, raw), **measure_filters(options.count)}


if __name__ == "__main__":
    run(main)
