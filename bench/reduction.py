"""The filters that make a smaller picture from a larger one: what each takes, and how like Lanczos it is."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
from formats import large_photos
from PIL import Image
from skimage.metrics import structural_similarity

from imgd.decode.pyramid import exact_size, resize

STEPS = ((6000, 1200), (3000, 1200), (1500, 1200), (1200, 512), (1200, 320), (750, 320), (512, 320))
_NAMES = ("BOX", "BILINEAR", "HAMMING", "BICUBIC", "LANCZOS")
_GAPS = (1.0, 1.5, 2.0, None)


def report_filters(folder: Path, rounds: int) -> None:
    """For each step from one longest edge to another: ms, and the least SSIM to Lanczos over the photos."""
    photos = large_photos(folder)
    found = {}
    for larger, smaller in STEPS:
        images = [_at(photo, larger) for photo in photos]
        references = [_luma(_at(image, smaller)) for image in images]
        print(f"{larger} -> {smaller}")
        for name in ("imgd", *_NAMES):
            cells = []
            for gap in _GAPS if name != "imgd" else (0.0,):
                ms, least = 0.0, 1.0
                for image, reference in zip(images, references, strict=True):
                    took, small = _timed(image, smaller, name, gap, rounds)
                    ms, least = max(ms, took), min(least, _likeness(small, reference))
                cells.append(f"{'gap ' + str(gap) if gap != 0.0 else '':9}{ms:7.2f} ms {least:.3f}")
                if name == "imgd":
                    found[f"{larger}->{smaller}"] = {"ms": round(ms, 2), "ssim": round(least, 3)}
            print(f"  {name:9}" + "   ".join(cells))
    print(json.dumps({"bench": "decode", "pyramid": found}))


def _timed(image: Image.Image, edge: int, name: str, gap: float | None, rounds: int) -> tuple[float, Image.Image]:
    size, best = exact_size(*image.size, edge), np.inf
    for _ in range(rounds):
        began = time.process_time()
        small = (
            resize(image, size) if name == "imgd" else image.resize(size, Image.Resampling[name], reducing_gap=gap)
        )
        best = min(best, time.process_time() - began)
    return float(best) * 1000, small


def _at(image: Image.Image, edge: int) -> Image.Image:
    size = exact_size(*image.size, edge)
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)


def _likeness(small: Image.Image, reference: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> float:
    return float(structural_similarity(_luma(small), reference))  # type: ignore[no-untyped-call]


def _luma(image: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(image.convert("L"))
