"""The technical analyzer against the naive form of the same measures, on the same pixels in the same run.

    python bench/technical.py [--photos 40] [--rounds 5]

The naive form is how such measures are usually written: the photo resized twice (once for sharpness, once for the
rest), Python loops over patches and over the bits of the hash, a spectral saliency map, and wavelet noise
(`skimage.restoration.estimate_sigma`). It is given the photo at 1200 px too, so its resizes cost next to nothing
here. Photos are the large ones of the corpus, or made ones where there is no corpus. Then both measure
every photo of corpus/05_semantic and 08_quality, and the correlation of their ranks says whether they agree.

Prints a table and, last, one JSON line.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from photos import CORPUS, make_large_jpegs, ordinary_photos
from PIL import Image
from scipy import fft, ndimage, stats
from skimage.restoration import estimate_sigma

from imgd.analyzers.technical.measures import measure
from imgd.decode.limits import keep_freed_memory

Pixels = npt.NDArray[np.uint8]
EDGE, PATCH = 1200, 64
BAR_MS, BAR_RATIO = 20.0, 5.0


def naive(photo: Pixels) -> dict[str, float]:
    """The same measures the old way; `photo` is (h, w, 3) uint8."""
    image = Image.fromarray(photo)
    grey = np.asarray(_fitted(image, EDGE).convert("L"), dtype=np.float64)
    colours = np.asarray(_fitted(image, EDGE), dtype=np.float64)
    red, green, blue = colours[..., 0], colours[..., 1], colours[..., 2]
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    return {
        "sharpness": _patch_sharpness(grey),
        "noise": float(estimate_sigma(grey)),  # type: ignore[no-untyped-call]
        "brightness": float(grey.mean() / 255),
        "contrast": float(grey.std() / 255),
        "clipped_shadows": float((grey <= 2).mean()),
        "clipped_highlights": float((grey >= 253).mean()),
        "tonal_range": float(np.percentile(grey, 99) - np.percentile(grey, 1)) / 255,
        "colourfulness": float(
            np.hypot(red_green.std(), yellow_blue.std()) + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean())
        ),
        "dominant_colours": float(len(_dominant(colours))),
        "phash": float(_hash(image)),
    }


def _fitted(image: Image.Image, edge: int) -> Image.Image:
    scale = min(1.0, edge / max(image.size))
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)


def _patch_sharpness(grey: npt.NDArray[np.float64]) -> float:
    """The Laplacian's variance patch by patch, weighted to the middle and by spectral saliency."""
    laplacian, saliency = ndimage.laplace(grey, mode="nearest"), _saliency(grey)
    total = weights = 0.0
    for top in range(0, grey.shape[0] - PATCH + 1, PATCH):
        for left in range(0, grey.shape[1] - PATCH + 1, PATCH):
            patch = np.s_[top : top + PATCH, left : left + PATCH]
            down = (top + PATCH / 2) / grey.shape[0] - 0.5
            across = (left + PATCH / 2) / grey.shape[1] - 0.5
            weight = np.exp(-(down**2 + across**2) / 0.245) * (0.2 + 0.8 * saliency[patch].mean())
            total += weight * laplacian[patch].var()
            weights += weight
    return total / weights if weights else float(laplacian.var())


def _saliency(grey: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The spectral residual of Hou and Zhang (CVPR 2007), 0 to 1."""
    spectrum = np.fft.fft2(grey)
    amplitude = np.log(np.abs(spectrum) + 1e-9)
    residual = amplitude - ndimage.uniform_filter(amplitude, 3)
    field = np.abs(np.fft.ifft2(np.exp(residual + 1j * np.angle(spectrum)))) ** 2
    smooth = ndimage.gaussian_filter(field, 8)
    saliency: npt.NDArray[np.float64] = smooth / smooth.max()
    return saliency


def _dominant(colours: npt.NDArray[np.float64]) -> list[tuple[int, ...]]:
    few = colours[::4, ::4].reshape(-1, 3).astype(np.uint8) >> 4
    cells, counts = np.unique(few, axis=0, return_counts=True)
    return [tuple(int(value) for value in cells[place]) for place in np.argsort(counts)[::-1][:5]]


def _hash(image: Image.Image) -> int:
    small = np.asarray(image.convert("L").resize((32, 32), Image.Resampling.LANCZOS), dtype=np.float64)
    low = fft.dctn(small)[:8, :8]
    middle, value = np.median(low), 0
    for coefficient in low.ravel():
        value = value << 1 | int(coefficient > middle)
    return value


def pixels_at_edge(paths: list[Path]) -> list[Pixels]:
    """Each photo at a longest edge of at most 1200 px; unreadable ones are left out."""
    found = []
    for path in paths:
        try:
            with Image.open(path) as image:
                image.draft("RGB", (2 * EDGE, 2 * EDGE))
                rgb = image.convert("RGB")
        except OSError:
            continue
        rgb.thumbnail((EDGE, EDGE), Image.Resampling.HAMMING)
        found.append(np.asarray(rgb))
    return found


def timed(function: Callable[[Pixels], object], photos: list[Pixels], rounds: int) -> float:
    """The median over photos of the best of `rounds`, in ms; in turn, so that none stays in the cache."""
    times = np.full((rounds, len(photos)), np.inf)
    for round_ in range(rounds):
        for number, pixels in enumerate(photos):
            began = time.perf_counter()
            function(pixels)
            times[round_, number] = time.perf_counter() - began
    return float(np.median(times.min(axis=0))) * 1000


def agreement() -> dict[str, float]:
    """Rank correlations (Spearman) of both forms over the corpus's ordinary photos."""
    paths = [path for folder in ("05_semantic", "08_quality") for path in sorted((CORPUS / folder).rglob("*"))]
    photos = pixels_at_edge([path for path in paths if path.suffix.lower() in (".jpg", ".jpeg", ".png")])
    ours, theirs = [measure(each) for each in photos], [naive(each) for each in photos]
    found = {"photos": float(len(photos))}
    for key in ("sharpness", "noise", "brightness", "contrast", "colourfulness"):
        one = np.array([float(str(each[key])) for each in ours])
        found[key] = float(stats.spearmanr(one, [each[key] for each in theirs]).statistic)
    return found


def photos_to_measure(count: int, folder: Path) -> list[Pixels]:
    if not CORPUS.is_dir():
        print("the corpus is not there: photos made for this are measured")
        return pixels_at_edge(make_large_jpegs(folder, 8))
    at_edge = [each for each in pixels_at_edge(ordinary_photos(400)) if max(each.shape) == EDGE]
    return at_edge[:count]


def main() -> None:
    parser = argparse.ArgumentParser(description="The technical analyzer against the naive form.")
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    keep_freed_memory()  # as a worker does
    with tempfile.TemporaryDirectory(prefix="imgd-bench-") as folder:
        photos = photos_to_measure(options.photos, Path(folder))
    lean_ms = timed(measure, photos, options.rounds)
    naive_ms = timed(naive, photos, 2)
    megapixels = statistics.mean(each.shape[0] * each.shape[1] / 1e6 for each in photos)
    print(f"{len(photos)} photos of {EDGE} px, {megapixels:.2f} megapixels on the average")
    print(f"{'imgd':12}{lean_ms:9.1f} ms")
    print(f"{'naive form':12}{naive_ms:9.1f} ms   {naive_ms / lean_ms:.1f} x")
    agreed = agreement() if CORPUS.is_dir() else {}
    for key, value in agreed.items():
        print(f"{'photos compared' if key == 'photos' else 'rank correlation, ' + key:34}{value:8.3f}")
    result = {
        "bench": "technical",
        "photos": len(photos),
        "imgd_ms": round(lean_ms, 2),
        "naive_ms": round(naive_ms, 1),
        "ratio": round(naive_ms / lean_ms, 1),
        "bar_ms": BAR_MS,
        "bar_ratio": BAR_RATIO,
        "passed": lean_ms <= BAR_MS and naive_ms >= BAR_RATIO * lean_ms,
        "agreement": {key: round(value, 3) for key, value in agreed.items()},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
