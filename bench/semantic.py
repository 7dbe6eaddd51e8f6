"""Text -> photo: are captions and object names answered with the right photos?

Over the 211 photos of corpus/05_semantic: recall at 1, 5 and 10 of every caption (275 captions of 58 photos),
and of one caption a photo; mean average precision of COCO's class names, among the photos whose objects are
annotated (`coco_map`), and among all 211, where a photo without annotation counts as wrong (`coco_map_all`); and
the share of 48 queries that no photo answers for which nothing is found, by the cut-off of the other figures.

    python bench/semantic.py                      the concept vector alone, in this process, without a cut-off
    python bench/semantic.py --through imgctl     a real daemon, asked through `imgctl search --json`
    python bench/semantic.py --through engine     the engine in this process, with its cut-off, without, and with
                                                  one fitted on each half of the 48 and judged on the other
    python bench/semantic.py --through captions   the engine, where one caption of some photos stands in a sidecar
                                                  and the others are asked: with their meanings and without

Prints a table and one line of JSON.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from captioned import measure_captions
from library import LibraryError, library, run
from no_match import HALVES, QUERIES, share_without_hits
from photos import CORPUS
from PIL import Image, ImageOps
from semantic_engine import DEPTH, KEPT_VECTORS, Ranking, engine_ranking, plain_words, print_fits


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of one photo."""

    captions: tuple[str, ...]
    objects: frozenset[str]


def read_truth(corpus: Path) -> dict[str, Truth]:
    """Photo name (below the corpus) -> truth."""
    entries = json.loads((corpus / "gt" / "semantic.json").read_bytes())
    return {
        name: Truth(tuple(entry.get("captions", ())), frozenset(each[0] for each in entry.get("objects", ())))
        for name, entry in sorted(entries.items())
    }


def recall(ranking: Ranking, truth: Mapping[str, Truth], *, first_only: bool) -> dict[str, float]:
    """The share of captions whose own photo is among the best k."""
    queries = [
        (caption, name)
        for name, photo in truth.items()
        for caption in (photo.captions[:1] if first_only else photo.captions)
    ]
    ranks = []
    for caption, name in queries:
        found = list(ranking(caption))
        ranks.append(found.index(name) if name in found else DEPTH)
    return {f"R@{k}": float(np.mean([rank < k for rank in ranks])) for k in (1, 5, 10)}


def mean_average_precision(ranking: Ranking, truth: Mapping[str, Truth], among: set[str]) -> float:
    """Over all class names: the mean of the precision at each relevant photo; one not found counts 0."""
    classes = sorted(set().union(*(photo.objects for photo in truth.values())))
    precisions = []
    for label in classes:
        relevant = {name for name in among if label in truth[name].objects}
        found = [name for name in ranking(label) if name in among]
        hits = np.cumsum([name in relevant for name in found])
        at_hits = [hits[rank] / (rank + 1) for rank, name in enumerate(found) if name in relevant]
        precisions.append(sum(at_hits) / len(relevant))
    return float(np.mean(precisions))


def measure_no_match(ranking: Ranking) -> dict[str, float]:
    """The share of the queries without a match that find nothing."""
    halves = {f"nothing found, half {number}": half for number, half in enumerate(HALVES, start=1)}
    return {
        key: share_without_hits(ranking, queries) for key, queries in ({"nothing found": QUERIES} | halves).items()
    }


def measure(ranking: Ranking, truth: Mapping[str, Truth]) -> dict[str, float]:
    annotated = {name for name, photo in truth.items() if photo.objects}
    every, first = recall(ranking, truth, first_only=False), recall(ranking, truth, first_only=True)
    return {
        **every,
        **{f"{key} first caption": value for key, value in first.items()},
        "coco_map": mean_average_precision(ranking, truth, annotated),
        "coco_map_all": mean_average_precision(ranking, truth, set(truth)),
    }


@contextmanager
def vector_ranking(corpus: Path, names: Sequence[str], models: Path) -> Iterator[Ranking]:
    """Ranks by the concept vector alone: analyzer and query encoder run in this process."""
    from imgd_concepts.analyzer import ConceptAnalyzer
    from imgd_concepts.models import MODELS
    from imgd_concepts.query import ConceptQueryEncoder
    from imgd_concepts.settings import ConceptSettings

    from imgd import Finding, PhotoInput
    from imgd.weights.catalogue import Catalogue
    from imgd.weights.store import ModelStore

    store = ModelStore(models, Catalogue({model.name: model for model in MODELS}))
    directories = {name: store.directory(name) for name in ConceptAnalyzer.requires}
    analyzer = ConceptAnalyzer(ConceptSettings(), directories)
    encoder = ConceptQueryEncoder(ConceptSettings(), directories)
    analyzer.load("cpu")
    encoder.load("cpu")
    photos = []
    for number, name in enumerate(names):
        pixels = decode(corpus / name, analyzer.needs.edge)
        photos.append(PhotoInput(number, name, "jpeg", pixels.shape[1], pixels.shape[0], pixels))
    started = time.perf_counter()
    findings = [
        finding
        for start in range(0, len(photos), analyzer.batch_size)
        for finding in analyzer.analyze(photos[start : start + analyzer.batch_size])
    ]
    print(f"analyzed: {(time.perf_counter() - started) / len(photos) * 1e3:.1f} ms a photo")
    vectors = np.stack(
        [
            finding.vectors[0].values
            if isinstance(finding, Finding) and finding.vectors
            else np.zeros(encoder.dimensions)
            for finding in findings
        ]
    )

    def rank(query: str) -> Sequence[str]:
        similarity = vectors @ encoder.encode_texts([query])[0]
        return [names[row] for row in np.argsort(-similarity, kind="stable")]

    yield rank
    analyzer.close()
    encoder.close()


def decode(path: Path, edge: int) -> np.ndarray:
    """(h, w, 3) uint8, upright, longest edge at most `edge`."""
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
        upright.thumbnail((edge, edge), Image.Resampling.BICUBIC)
        return np.asarray(upright)


@contextmanager
def imgctl_ranking(corpus: Path, names: Sequence[str], models: Path) -> Iterator[Ranking]:
    """Ranks as a user gets them: a daemon on a state directory of its own, asked by `imgctl search --json`."""
    known = set(names)
    settings = {"paths": {"models_dir": str(models)}}
    with library(roots=[corpus / "05_semantic"], settings=settings, plugins=None) as owned:
        owned.start()
        owned.wait(600)
        with owned.client() as client:
            client.warm_search()
        kept = owned.database.parent / "vectors"
        owned.until(
            lambda: all(any(kept.glob(name)) for name in KEPT_VECTORS), 600, "labels and background are encoded"
        )

        @functools.cache
        def rank(query: str) -> Sequence[str]:
            answer = owned.imgctl("search", "-n", str(DEPTH), "--json", "--", plain_words(query))
            if answer.returncode > 1:
                raise LibraryError(f"imgctl search {query!r}: {answer.stderr.strip()}")
            hits = (Path(json.loads(line)["path"]) for line in answer.stdout.splitlines())
            return [name for hit in hits if (name := f"05_semantic/{hit.name}") in known]

        yield rank


def main() -> dict[str, object]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--through", choices=("vector", "engine", "imgctl", "captions"), default="vector")
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--models", type=Path, default=os.environ.get("IMGD_TEST_MODELS"))
    options = parser.parse_args()
    if options.models is None:
        from imgd.config import PathSettings

        options.models = PathSettings().models_dir
    if not options.corpus.is_dir():
        raise LibraryError(f"no corpus at {options.corpus}; name it with --corpus")
    truth = read_truth(options.corpus)
    models = options.models.absolute()
    figures: dict[str, float] = {}
    if options.through == "engine":
        with engine_ranking(options.corpus / "05_semantic", models) as ranking:
            figures |= print_fits(ranking, lambda asked: recall(asked, truth, first_only=False)["R@5"])
            figures |= measure(ranking, truth) | measure_no_match(ranking)
    elif options.through == "captions":
        figures |= measure_captions(options.corpus, models, {name: each.captions for name, each in truth.items()})
    elif options.through == "imgctl":
        with imgctl_ranking(options.corpus, list(truth), models) as found:
            figures |= measure(found, truth) | measure_no_match(found)
    else:
        with vector_ranking(options.corpus, list(truth), models) as alike:
            figures |= measure(alike, truth)
    for key, value in figures.items():
        print(f"{key:40}{value:8.3f}")
    return {"bench": "semantic", "through": options.through, **figures}


if __name__ == "__main__":
    run(main)
