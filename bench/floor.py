"""The floor: the least that the work of a first analysis costs, in one file that imports nothing of imgd.

    bench/floor.py [--processes N] FILE...        or a list of files on standard input

For each photo: one read; decode at the smallest size that gives 1200 px (JPEG in the DCT domain, the embedded
preview of a RAW or HEIC, else everything); sRGB, upright, exactly 1200 px; sharpness, exposure, contrast, noise,
colours and a perceptual hash; EXIF; a JPEG of 512 px in a temporary folder. What imgd adds (a queue that survives,
a database, isolation, plugins, an index) is measured against this.

Frozen: it is not tuned together with imgd, so that ratios to it can be compared from release to release.
Prints one line of JSON. The clock starts once all processes stand ready.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import sys
import tempfile
import time

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps

EDGE, PREVIEW, PATCH, CHUNK = 1200, 512, 64, 4
RAW = (
    ".cr2",
    ".cr3",
    ".crw",
    ".nef",
    ".arw",
    ".dng",
    ".raf",
    ".orf",
    ".rw2",
    ".pef",
    ".srw",
    ".x3f",
    ".dcr",
    ".raw",
)
DCT = 2 * np.cos(np.pi * np.arange(8)[:, None] * (2 * np.arange(32)[None, :] + 1) / 64)
SRGB = ImageCms.createProfile("sRGB")


def fitted(size: tuple[int, int], edge: int) -> tuple[int, int]:
    scale = min(1.0, edge / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def read_exif(exif: Image.Exif) -> dict[int, object]:
    return {**exif, **exif.get_ifd(ExifTags.IFD.Exif), **exif.get_ifd(ExifTags.IFD.GPSInfo)}


def decode_raw(data: bytes) -> tuple[Image.Image, Image.Exif]:
    import rawpy

    exif = Image.Exif()
    if data[:4] in (b"II*\0", b"MM\0*"):
        exif.load(data)
    with rawpy.imread(io.BytesIO(data)) as raw:
        sizes = raw.sizes
        try:
            thumb = raw.extract_thumb()
        except rawpy.LibRawError:
            thumb = None
        if thumb is not None and thumb.format == rawpy.ThumbFormat.JPEG:
            image: Image.Image = Image.open(io.BytesIO(bytes(thumb.data)))
            same_shape = abs(image.width * sizes.height / (image.height * sizes.width) - 1) < 0.02
            if same_shape and max(image.size) >= min(EDGE, sizes.width, sizes.height):
                image.draft("RGB", fitted(image.size, EDGE))
                small = image.resize(fitted(image.size, EDGE), Image.Resampling.BILINEAR, reducing_gap=1.0)
                return small.rotate({3: 180, 5: 90, 6: 270}.get(sizes.flip, 0), expand=True), exif
        half = min(sizes.width, sizes.height) // 2 >= EDGE
        image = Image.fromarray(raw.postprocess(half_size=half, use_camera_wb=True, output_bps=8))
    return image.resize(fitted(image.size, EDGE), Image.Resampling.BILINEAR, reducing_gap=1.0), exif


def decode(path: str, data: bytes) -> tuple[Image.Image, Image.Exif]:
    """The photo at exactly 1200 px, upright, RGB; and its EXIF."""
    if path.lower().endswith(RAW):
        return decode_raw(data)
    image: Image.Image = Image.open(io.BytesIO(data))
    exif = image.getexif()
    size = fitted(image.size, EDGE)
    image.draft("RGB", size)
    profile = image.info.get("icc_profile")
    if image.mode not in ("RGB", "L"):
        image = image.convert("RGB")
    image = image.resize(size, Image.Resampling.BILINEAR, reducing_gap=1.0).convert("RGB")
    if profile and b"sRGB" not in profile and b"s\0R\0G\0B" not in profile:
        with contextlib.suppress(ImageCms.PyCMSError):
            ImageCms.profileToProfile(image, io.BytesIO(profile), SRGB, inPlace=True)
    if exif.get(ExifTags.Base.Orientation, 1) != 1 and image.getexif().get(ExifTags.Base.Orientation, 1) == 1:
        image.info["exif"] = exif.tobytes()
    return ImageOps.exif_transpose(image), exif


def measure(image: Image.Image) -> dict[str, object]:
    pixels, grey = np.asarray(image), image.convert("L")
    luma = np.pad(np.asarray(grey), 1, mode="edge").astype(np.int16)

    laplacian = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * luma[1:-1, 1:-1]
    high, wide = min(PATCH, grey.height), min(PATCH, grey.width)
    rows, columns = grey.height // high, grey.width // wide
    patches = laplacian[: rows * high, : columns * wide].astype(np.float32).reshape(rows, high, columns, wide)
    means = patches.sum(axis=3).sum(axis=1) / (high * wide)
    variances = np.einsum("rhcw,rhcw->rc", patches, patches) / (high * wide) - means**2
    down, across = (np.arange(rows) + 0.5) / rows - 0.5, (np.arange(columns) + 0.5) / columns - 0.5
    tints = np.asarray(image.resize((columns, rows), Image.Resampling.BOX, reducing_gap=1.0), dtype=np.float32)
    salience = np.linalg.norm(tints - tints.mean(axis=(0, 1)), axis=2) + 1
    weights = np.exp(-(down[:, None] ** 2 + across**2) / 0.245) * salience

    share = np.array(grey.histogram()) / (grey.width * grey.height)
    brightness = share @ np.arange(256)

    vertical = luma[:-2:2] + luma[2::2] - 2 * luma[1:-1:2]
    residual = np.abs(vertical[:, :-2] + vertical[:, 2:] - 2 * vertical[:, 1:-1])
    half = np.searchsorted(np.cumsum(np.bincount(residual.ravel())), residual.size / 2)

    red, green, blue = (pixels[::2, ::2, channel].astype(np.int16) for channel in range(3))
    red_green, yellow_blue = red - green, red + green - 2 * blue
    spread = np.sqrt(red_green.var(dtype=np.float32) + yellow_blue.var(dtype=np.float32) / 4)

    flat = pixels[::4, ::4].reshape(-1, 3)
    cells = (flat >> 4).astype(np.intp) @ (256, 16, 1)
    fullest = np.argsort(np.bincount(cells, minlength=4096))[-64:]
    colours = [np.bincount(cells, weights=flat[:, channel], minlength=4096)[fullest] for channel in range(3)]

    waves = (
        DCT @ np.asarray(grey.resize((32, 32), Image.Resampling.BOX, reducing_gap=1.0), dtype=np.float64) @ DCT.T
    )
    return {
        "sharpness": float((variances * weights).sum() / weights.sum()),
        "brightness": float(brightness / 255),
        "contrast": float(np.sqrt(share @ (np.arange(256) - brightness) ** 2)),
        "clipped": (float(share[:3].sum()), float(share[253:].sum())),
        "noise": float(half / 0.6745 / 6),
        "colourfulness": float(spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean() / 2)),
        "colours": np.array(colours)[:, -5:].tolist(),
        "phash": np.packbits(waves > np.median(waves)).tobytes().hex(),
    }


def analyze(path: str, folder: str, number: int) -> None:
    with open(path, "rb") as file:
        data = file.read()
    image, exif = decode(path, data)
    read_exif(exif)
    measure(image)
    small = image.resize(fitted(image.size, PREVIEW), Image.Resampling.BILINEAR, reducing_gap=1.0)
    small.save(os.path.join(folder, f"{number}.jpg"), "JPEG", quality=82)


def work(paths: list[str], folder: str, taken, barrier, results) -> None:  # type: ignore[no-untyped-def]
    import pillow_heif

    pillow_heif.register_heif_opener(decode_threads=1)
    import pillow_jxl  # noqa: F401
    import rawpy  # noqa: F401

    Image.init()
    barrier.wait()
    started, failed = time.process_time(), []
    while True:
        with taken.get_lock():
            first = taken.value
            taken.value += CHUNK
        if first >= len(paths):
            break
        for number in range(first, min(first + CHUNK, len(paths))):
            try:
                analyze(paths[number], folder, number)
            except Exception:  # noqa: BLE001  whatever a decoder raises, the next photo is due
                failed.append(paths[number])
    results.put((time.process_time() - started, failed))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    paths = arguments.files or [line.rstrip("\n") for line in sys.stdin if line.strip()]
    os.environ["OMP_NUM_THREADS"] = "1"
    context = multiprocessing.get_context("spawn")
    taken, barrier, results = context.Value("q", 0), context.Barrier(arguments.processes + 1), context.Queue()
    with tempfile.TemporaryDirectory() as folder:
        workers = [
            context.Process(target=work, args=(paths, folder, taken, barrier, results))
            for _ in range(arguments.processes)
        ]
        for worker in workers:
            worker.start()
        barrier.wait()
        started = time.perf_counter()
        finished = [results.get() for _ in workers]
        wall = time.perf_counter() - started
        for worker in workers:
            worker.join()
    cpu, failed = sum(seconds for seconds, _ in finished), [path for _, paths in finished for path in paths]
    photos = max(1, len(paths) - len(failed))
    figures = {
        "photos": len(paths) - len(failed),
        "failed": len(failed),
        "wall_s": round(wall, 3),
        "cpu_s": round(cpu, 3),
        "processes": arguments.processes,
        "wall_x_cores_per_photo": round(wall * arguments.processes / photos, 5),
        "cpu_per_photo": round(cpu / photos, 5),
    }
    for path in failed:
        print(f"failed: {path}", file=sys.stderr)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
