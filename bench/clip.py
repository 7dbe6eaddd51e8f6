"""CLIP: do both backends agree, what does the lane cost above the model, does the real image tower find likeness?

    python bench/clip.py                                                  all three, on the processor
    python bench/clip.py --parts rate --device cuda:0 --model ViT-L-14 --precision bf16 --batch-size 256

- `agree`: a model of `--model` with random weights, exported to ONNX; cosine of the vectors that PyTorch and ONNX
  Runtime give 100 different real photos (as imgd decodes them) and 100 captions, also after the mean vector of
  each side is subtracted, which is most of what vectors of random weights have in common.
- `rate`: photos/s through a real lane against the bare forward pass over a batch that lies prepared on the device,
  in turn, round by round; the ratio is the median of the rounds. On a CUDA device ONNX Runtime is measured where
  it has CUDA, too.
- `like`: a real daemon over corpus/05_semantic and 08_quality with the real image tower (ViT-B-16__openai-int8,
  from `--models` or $IMGD_TEST_MODELS), asked with `like:` on its socket: changed copies that lie outside the
  library, photos of one scene, and photos that show the same thing.

`agree` and `rate` want imgd-clip[torch]. Prints tables and one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from lane_feed import Pixels, lane_feed
from lanes import Measured, compare, decoded, figures, report
from library import LibraryError, library, run
from likeness import Asked, find_copies, find_scenes, find_things, print_tables
from photos import CORPUS, ordinary_photos

from imgd.domain import PhotoInput

BAR_COSINE = 0.999
_COUNT = 100
_WARM_BATCHES = 2
_COPIES_OF = 4
"""Of the photos of 05_semantic every fourth is looked for by its copies: seven each."""
_PHOTO_SHAPES = ((267, 400), (400, 267), (300, 400), (400, 300), (225, 400))
"""Height and width of photos of 3:2, 4:3 and 16:9 as a lane has them."""
_SAME = ("plain", "saved again (q80)", "half the size (q80)")
"""Copies that are duplicates: the same picture in other bytes."""

Vectors = npt.NDArray[np.float32]


# ---------------------------------------------------------------------- both backends


def measure_agreement(models: Mapping[str, Path], corpus: Path) -> dict[str, Any]:
    """The least cosines of photos and texts, by the directories of one model: `onnx` and `torch`."""
    from clip_model import settings_of
    from imgd_clip.analyzer import ClipAnalyzer
    from imgd_clip.query import ClipQueryEncoder

    files = [path for path in ordinary_photos(10_000) if "05_semantic" in path.parts][:_COUNT]
    truth = json.loads((corpus / "gt" / "semantic.json").read_bytes())
    texts = list(dict.fromkeys(each for entry in truth.values() for each in entry.get("captions", ())))[:_COUNT]
    edge = ClipAnalyzer.configured(settings_of(models["torch"])).needs.edge
    photos = [PhotoInput(0, "", "jpeg", each.shape[1], each.shape[0], each) for each in decoded(files, edge)]
    of_photos, of_texts = [], []
    for path in models.values():
        settings = settings_of(path)
        encoder = ClipQueryEncoder.configured(settings)(settings, {path.name: path})
        encoder.load("cpu")
        of_photos.append(
            np.concatenate([encoder.encode_photos(photos[at : at + 10]) for at in range(0, _COUNT, 10)])
        )
        of_texts.append(encoder.encode_texts(texts))
        encoder.close()
    found = {"photos": cosines(*of_photos), "texts": cosines(*of_texts)}
    print(f"{'least cosine, PyTorch / ONNX':32}{'as it is':>12}{'mean off':>12}")
    for what, (plain, centred) in found.items():
        print(f"{len(photos if what == 'photos' else texts)} {what:28}{plain:12.6f}{centred:12.6f}")
    least = min(value for pair in found.values() for value in pair)
    return {"agree": found, "bar_cosine": BAR_COSINE, "agree_passed": least >= BAR_COSINE}


def cosines(one: Vectors, other: Vectors) -> tuple[float, float]:
    """The least cosine of two rows, as they are, and after the mean vector of each side is subtracted."""

    def least(left: Vectors, right: Vectors) -> float:
        lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
        return round(float(((left * right).sum(axis=1) / lengths).min()), 6)

    return least(one, other), least(one - one.mean(axis=0), other - other.mean(axis=0))


# ---------------------------------------------------------------------- through the lane


async def measure_rate(model: Path, options: argparse.Namespace) -> Measured:
    """Of one backend: that of the files of `model`."""
    from clip_model import settings_of
    from imgd_clip.analyzer import ClipAnalyzer
    from imgd_clip.towers import open_image_tower
    from imgd_clip.traits import traits_of

    settings = settings_of(model, options.precision, options.batch_size)
    directories = {model.name: model}
    tower: Any = open_image_tower(settings, traits_of(settings), directories, options.device)
    declared = ClipAnalyzer.configured(settings)
    random = np.random.default_rng(0)
    photos: list[Pixels] = [
        random.integers(0, 256, (*_PHOTO_SHAPES[number % len(_PHOTO_SHAPES)], 3), dtype=np.uint8)
        for number in range(2 * options.batch_size)
    ]
    arguments = {"device": options.device, "memory_mb": options.memory_mb}
    async with lane_feed(declared, settings, directories, photos, **arguments) as feed:
        await feed.analyze(1)
        batch_size = feed.batch_size
        await feed.analyze(batch_size * _WARM_BATCHES)
        bare = bare_loop(tower, batch_size, options.batches)
        bare()
        measured = await compare(feed, bare, batch_size * options.batches, options.rounds)
    tower.close()
    print(f"{model.name}, {options.device}: {tower.photo_mb:.1f} MB a photo; batches of {batch_size}")
    report("forward pass", "lane", measured, batch_size)
    return measured


def bare_loop(tower: Any, batch_size: int, batches: int) -> Callable[[], None]:
    """The forward pass alone, over a batch that lies ready."""
    if hasattr(tower, "noise"):
        ready = tower.noise(batch_size)

        def torch_loop() -> None:
            for _ in range(batches):
                tower.forward(ready)
            tower.synchronise()

        return torch_loop
    values = np.random.default_rng(0).standard_normal((batch_size, 3, tower.size, tower.size)).astype(np.float32)

    def onnx_loop() -> None:
        for _ in range(batches):
            tower.forward(values)

    return onnx_loop


def measure_rates(models: Mapping[str, Path], options: argparse.Namespace) -> dict[str, Any]:
    found = {}
    for backend, model in models.items():
        if backend == "onnx" and options.device != "cpu" and not _onnx_has_cuda():
            print("onnx: not measured, this ONNX Runtime has no CUDA")
            continue
        measured = asyncio.run(measure_rate(model, options))
        found[backend] = figures(model.name, measured, options.batch_size) | {"bench": "clip"}
    return {"rate": found, "device": _device_name(options.device), "precision": options.precision}


def _onnx_has_cuda() -> bool:
    import onnxruntime

    return "CUDAExecutionProvider" in onnxruntime.get_available_providers()


def _device_name(device: str) -> str:
    if device == "cpu":
        return device
    from imgd_clip.torch_import import import_torch

    return f"{device} ({import_torch().cuda.get_device_name(device)})"


# ---------------------------------------------------------------------- likeness


def measure_likeness(options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    from imgd_clip.models import IMAGES_ONLY

    name = IMAGES_ONLY.model.name
    if not (options.models / name).is_dir():
        raise LibraryError(f"no {name} in {options.models}; `imgctl models pull {name}` fetches it")
    settings = {"paths": {"models_dir": str(options.models)}, "analyzers": {"clip": {"model": name}}}
    roots = [options.corpus / folder for folder in ("05_semantic", "08_quality")]
    names = sorted(json.loads((options.corpus / "gt" / "semantic.json").read_bytes()))
    with library(roots=roots, settings=settings, plugins="clip") as owned:
        owned.start()
        owned.wait(900)
        with owned.client() as client:
            asked = Asked(client, options.corpus)
            copies = find_copies(asked, options.corpus, names[::_COPIES_OF], scratch)
            scenes = find_scenes(asked, options.corpus)
            things = find_things(asked, options.corpus, names)
    print()
    print_tables(copies, scenes, things)
    twins = statistics.mean(copies[kind]["first"] for kind in _SAME)
    return {
        "copies": copies,
        "scenes": scenes,
        "things": things,
        "twins_first": twins,
        "like_passed": twins == 1.0,
    }


def main() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default="agree,rate,like", help="of these three")
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--models", type=Path, default=os.environ.get("IMGD_TEST_MODELS"))
    parser.add_argument("--model", default="ViT-B-32", help="an architecture of OpenCLIP")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=("fp32", "bf16", "fp16"), default="fp32")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory-mb", type=int, default=0)
    options = parser.parse_args()
    parts = options.parts.split(",")
    if not options.corpus.is_dir() and set(parts) - {"rate"}:
        raise LibraryError(f"no corpus at {options.corpus}; name it with --corpus")
    if options.models is None and "like" in parts:
        raise LibraryError("name the model store with --models or IMGD_TEST_MODELS")
    options.models = Path(options.models).absolute() if options.models else None
    found: dict[str, Any] = {"bench": "clip", "model": options.model}
    with tempfile.TemporaryDirectory(prefix="imgd-bench-") as name:
        scratch = Path(name)
        if set(parts) & {"agree", "rate"}:
            from clip_model import exported, random_model

            torch_model = random_model(scratch, options.model)
            models = {"torch": torch_model}
            if "agree" in parts or options.device == "cpu" or _onnx_has_cuda():
                models["onnx"] = exported(scratch, torch_model)
            if "agree" in parts:
                found |= measure_agreement(models, options.corpus)
            if "rate" in parts:
                found |= measure_rates(models, options)
        if "like" in parts:
            found |= measure_likeness(options, scratch)
    return found


if __name__ == "__main__":
    run(main)
