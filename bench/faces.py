"""Faces: are people told apart, are faces counted right, and is nothing taken for a face that is none?

Over the 56 photos of corpus/06_faces, decoded by imgd as large as the analyzer asks for, through the analyzer:

- the share of pairs of photos of one person whose vectors are closer than all but 1 % of those of two persons
  (41 and 487 pairs: photos of one person alone, by their largest face),
- the share of the 46 counted photos whose number of faces is right within 1,
- faces found in the photos that show nobody,
- how well the lower quality of two photos of a person ranks their similarity (Spearman).

The rival, in the same run, is the bare models on the photos at their full size. dlib's models come beside them
where they are. Then photos/s: the two networks alone, on inputs that lie ready, on as many threads as the analyzer
has; and through a lane, from the first photo sent to the last checked finding.

    python bench/faces.py [--model buffalo_l] [--device cuda:0] [--photos 160] [--rounds 5] [--no-dlib]

Prints a table and one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from imgd_faces.analyzer import FaceAnalyzer
from imgd_faces.packs import PACKS, Pack
from imgd_faces.settings import FaceSettings
from lane_feed import Pixels, lane_feed, ready_batches
from lanes import Measured, compare, decoded
from photos import CORPUS
from scipy.stats import spearmanr

from imgd import Failure
from imgd.config import PathSettings
from imgd.errors import ImgdError
from imgd.weights.catalogue import Catalogue
from imgd.weights.store import ModelStore

BAR_SAME, FALSE_ACCEPTS = 0.92, 0.01
_FULL_SIZE = 1 << 16


@dataclass(frozen=True, slots=True)
class Truth:
    """`faces`: how many, None where nobody counted."""

    path: Path
    people: tuple[str, ...]
    faces: int | None


@dataclass(frozen=True, slots=True)
class Seen:
    """One face: the share of the photo that it covers, its quality, its vector."""

    area: float
    quality: float
    vector: np.ndarray


Look = Callable[[Sequence[Pixels]], list[list[Seen]]]


def read_truth(corpus: Path) -> list[Truth]:
    entries = json.loads((corpus / "gt" / "faces.json").read_bytes())
    return [Truth(corpus / each["path"], tuple(each["people"]), each["faces"]) for each in entries]


def through_analyzer(pack: Pack, settings: FaceSettings, directory: Path, device: str) -> tuple[Look, str]:
    """The analyzer itself, and what runs it."""
    analyzer = FaceAnalyzer.configured(settings)(settings, {pack.model.name: directory})
    analyzer.load(device)

    def look(photos: Sequence[Pixels]) -> list[list[Seen]]:
        seen = []
        for batch in ready_batches(photos, len(photos), analyzer.batch_size):
            for finding in analyzer.analyze(batch):
                if isinstance(finding, Failure):
                    raise TypeError(finding.reason)
                seen.append(
                    [
                        Seen(region.box[2] * region.box[3], region.quality or 0.0, vector.values)
                        for region, vector in zip(finding.regions, finding.vectors, strict=True)
                    ]
                )
        return seen

    return look, analyzer.runtime


def bare_models(pack: Pack, directory: Path, device: str) -> Look:
    """The two networks without an analyzer around them: every face that they find."""
    from imgd_faces.alignment import aligned
    from imgd_faces.arcface import ArcFace
    from imgd_faces.insightface import open_session
    from imgd_faces.scrfd import Scrfd

    detector = Scrfd(open_session(directory / pack.detector, device), 640, 0.5)
    embedder = ArcFace(open_session(directory / pack.embedder, device), pack.dimensions)

    def look(photos: Sequence[Pixels]) -> list[list[Seen]]:
        seen = []
        for photo in photos:
            found = detector.detect(photo)
            areas = np.prod(found.boxes[:, 2:] - found.boxes[:, :2], axis=1)
            vectors = embedder.embed([aligned(photo, points) for points in found.landmarks])
            seen.append([Seen(float(area), 1.0, vector) for area, vector in zip(areas, vectors, strict=True)])
        return seen

    return look


def accuracy(truth: Sequence[Truth], seen: Sequence[list[Seen]]) -> dict[str, float]:
    """Shares and counts, as above."""
    known = [
        (photo.people[0], max(faces, key=lambda face: face.area))
        for photo, faces in zip(truth, seen, strict=True)
        if len(photo.people) == 1 and faces
    ]
    same, different, worth = [], [], []
    for (one, face), (other, another) in itertools.combinations(known, 2):
        cosine = float(face.vector @ another.vector)
        if one == other:
            same.append(cosine)
            worth.append(min(face.quality, another.quality))
        else:
            different.append(cosine)
    threshold = sorted(different)[-int(FALSE_ACCEPTS * len(different)) - 1]
    counted = [
        (photo.faces, len(faces)) for photo, faces in zip(truth, seen, strict=True) if photo.faces is not None
    ]
    wanted = sum(len(photo.people) == 1 for photo in truth)
    return {
        "same_person": round(float(np.mean([cosine > threshold for cosine in same])), 3),
        "same_pairs": len(same),
        "different_pairs": len(different),
        "threshold": round(threshold, 3),
        "portraits_without_face": wanted - len(known),
        "counted_within_1": round(float(np.mean([abs(faces - found) <= 1 for faces, found in counted])), 3),
        "counted_photos": len(counted),
        "false_faces": sum(found for faces, found in counted if faces == 0),
        "quality_rank": round(float(spearmanr(same, worth).statistic), 2) if len(set(worth)) > 1 else 0.0,
    }


def network_loop(
    pack: Pack, directory: Path, settings: FaceSettings, device: str, photos: Sequence[Pixels]
) -> Any:
    """A function that runs both networks alone over `photos`, whose inputs it has made ready."""
    from imgd_faces.alignment import aligned
    from imgd_faces.insightface import open_session
    from imgd_faces.scrfd import Scrfd

    sessions = [open_session(directory / name, device) for name in (pack.detector, pack.embedder)]
    names = [session.get_inputs()[0].name for session in sessions]
    detector = Scrfd(sessions[0], settings.detection_edge, settings.detection_threshold)

    def prepared(photo: Pixels) -> tuple[Any, list[Any]]:
        crops = [aligned(photo, points) for points in detector.detect(photo).landmarks]
        blobs = [((crop.astype(np.float32) - 127.5) / 127.5).transpose(2, 0, 1)[None].copy() for crop in crops]
        return detector.prepare(photo)[0], blobs

    ready = [prepared(photo) for photo in photos]

    def forward(inputs: tuple[Any, list[Any]]) -> None:
        sessions[0].run(None, {names[0]: inputs[0]})
        for blob in inputs[1]:
            sessions[1].run(None, {names[1]: blob})

    threads = ThreadPoolExecutor(settings.thread_count)

    def loop(count: int) -> None:
        list(threads.map(forward, itertools.islice(itertools.cycle(ready), count)))

    return loop


async def rates(
    pack: Pack, settings: FaceSettings, directory: Path, photos: Sequence[Pixels], options: argparse.Namespace
) -> Measured:
    """Photos/s of the networks alone, and through a lane, in turn."""
    declaration = FaceAnalyzer.configured(settings)
    directories = {pack.model.name: directory}
    loop = network_loop(pack, directory, settings, options.device, photos)
    async with lane_feed(declaration, settings, directories, photos, device=options.device, memory_mb=0) as feed:
        await feed.analyze(feed.batch_size * 3)
        loop(feed.batch_size)
        return await compare(feed, lambda: loop(options.photos), options.photos, options.rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--models", type=Path, default=os.environ.get("IMGD_TEST_MODELS"))
    parser.add_argument("--model", choices=[name for name, pack in PACKS.items() if not pack.dlib])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--photos", type=int, default=160)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-dlib", action="store_true")
    options = parser.parse_args()
    store = ModelStore(
        Path(options.models or PathSettings().models_dir).absolute(),
        Catalogue({pack.model.name: pack.model for pack in PACKS.values()}),
    )
    settings = FaceSettings() if options.model is None else FaceSettings(model=options.model)
    pack = PACKS[settings.model]
    if not options.corpus.is_dir():
        sys.exit(f"not measured: no corpus at {options.corpus}; name it with --corpus")
    try:
        directory = store.directory(pack.model.name)
    except ImgdError as error:
        sys.exit(f"not measured: {error}; `imgctl models pull {pack.model.name}` fetches it")
    here = str(Path(__file__).resolve().parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))

    truth = read_truth(options.corpus)
    paths = [photo.path for photo in truth]
    photos = decoded(paths, settings.edge)
    look, runtime = through_analyzer(pack, settings, directory, options.device)
    rows = {f"{settings.model} through the analyzer": accuracy(truth, look(photos))}
    bare = bare_models(pack, directory, options.device)
    rows[f"{settings.model} bare, full size"] = accuracy(truth, bare(decoded(paths, _FULL_SIZE)))
    seconds: dict[str, float] = {}
    if not options.no_dlib:
        rows |= _dlib(store, truth, photos, seconds)
    _print_accuracy(rows)
    measured = asyncio.run(rates(pack, settings, directory, photos, options))
    for number, (one, other) in enumerate(zip(measured.bare, measured.lane, strict=True), start=1):
        print(f"round {number}: networks alone {one:8.1f} photos/s, lane {other:8.1f}, ratio {other / one:.3f}")
    print(f"run by {runtime}, {settings.thread_count} threads")
    analyzed = rows[f"{settings.model} through the analyzer"]
    print(
        json.dumps(
            {
                "bench": "faces",
                "model": settings.model,
                "runtime": runtime,
                "edge": settings.edge,
                **analyzed,
                "rows": rows,
                "networks_photos_per_s": round(statistics.median(measured.bare), 1),
                "lane_photos_per_s": round(statistics.median(measured.lane), 1),
                "ratio": round(measured.ratio, 3),
                **seconds,
                "bar_same_person": BAR_SAME,
                "passed": analyzed["same_person"] >= BAR_SAME
                and analyzed["counted_within_1"] == 1
                and analyzed["false_faces"] == 0,
            }
        )
    )


def _dlib(
    store: ModelStore, truth: Sequence[Truth], photos: Sequence[Pixels], seconds: dict[str, float]
) -> dict[str, dict[str, float]]:
    settings = FaceSettings(model="dlib-faces")
    pack = PACKS[settings.model]
    try:
        look, _ = through_analyzer(pack, settings, store.directory(pack.model.name), "cpu")
    except (ImgdError, ModuleNotFoundError) as error:
        print(f"dlib is not measured: {error}")
        return {}
    began = time.perf_counter()
    row = accuracy(truth, look(photos))
    seconds["dlib_photos_per_s"] = round(len(photos) / (time.perf_counter() - began), 2)
    return {"dlib-faces through the analyzer": row}


def _print_accuracy(rows: dict[str, dict[str, float]]) -> None:
    keys = (
        "same_person",
        "threshold",
        "counted_within_1",
        "false_faces",
        "portraits_without_face",
        "quality_rank",
    )
    print(f"{'':36}" + "".join(f"{key.replace('_', ' '):>24}" for key in keys))
    for name, row in rows.items():
        print(f"{name:36}" + "".join(f"{row[key]:>24}" for key in keys))


if __name__ == "__main__":
    main()
