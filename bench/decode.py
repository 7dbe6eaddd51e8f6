"""Each way to a photo's pixels, format by format: what it takes, and how like the full way its result is.

    python bench/decode.py [--edges 320,512,1200] [--formats jpeg,heic] [--rounds 3]
    python bench/decode.py --pyramid          the filters that make a smaller size from a larger one

The full way decodes everything and reduces it with a Lanczos filter, as careful tools do; its result is the
reference. The others are imgd's own decode (the route that the ladder chooses, from the file's bytes to upright
sRGB pixels at exactly the wanted edge), Pillow's scaled decode, simplejpeg, OpenCV and libvips (`pip install
'pyvips[binary]'`; each only where it is installed, and simplejpeg and OpenCV, which know no colour profile, only
where there is none to apply). A way counts where its structural similarity (SSIM, of luma) to the reference is at
least 0.98. All run on one core with one thread, in turn, round by round; the least CPU time of the rounds counts,
which other programs on the machine disturb little. Needs no corpus, but takes its real photos where it is there.

Prints tables and, last, one JSON line: imgd's time as a ratio to the fastest way that counts.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from decoders import Decoder, decoders
from formats import files_of_each_format, needs_conversion
from photos import RAW_SUFFIXES
from PIL import Image
from reduction import report_filters
from skimage.metrics import structural_similarity

from imgd.config import DecodeSettings
from imgd.decode import DecodeLimits, FormatRegistry, Source, decode, exact_size, pyramid
from imgd.decode.limits import keep_freed_memory

Pixels = npt.NDArray[np.uint8]
EDGES = (320, 512, 1200)
BAR_RATIO, BAR_SSIM = 1.1, 0.98
LIMITS = DecodeLimits.of(DecodeSettings())
REGISTRY = FormatRegistry()


@dataclass
class Way:
    """One way to the pixels: its best time, and the SSIM of its result to the full way's."""

    name: str
    run: Callable[[], Pixels]
    ms: float = np.inf
    ssim: float = 0.0
    result: Pixels | None = field(default=None, repr=False)


def imgd_route(path: Path, edge: int) -> str:
    """What `imgctl show` prints as "decoded by"."""
    return decode(Source.open(os.fsencode(path), LIMITS.max_file_bytes), edge, LIMITS, REGISTRY).route


def imgd_pixels(source: Source, edge: int) -> Pixels:
    return pyramid(decode(source, edge, LIMITS, REGISTRY), [edge])[edge]


def ways_to(path: Path, edge: int, others: Sequence[Decoder], size: tuple[int, int]) -> list[Way]:
    data = path.read_bytes()
    source = Source.open(os.fsencode(path), LIMITS.max_file_bytes)
    suffix = path.suffix.lower()
    plain = suffix in RAW_SUFFIXES or not needs_conversion(data)
    found = [Way("imgd", lambda: imgd_pixels(source, edge))]
    for each in others:
        if each.reads(suffix) and (plain or each.knows_profiles):
            found.append(Way(each.name, functools.partial(each.decode, data, size, suffix)))  # noqa: PERF401
    return found


def time_ways(ways: list[Way], rounds: int) -> None:
    """In turn, so that a machine that slows down slows all of them. A way that raises is left out."""
    for _ in range(rounds + 1):  # the first fills caches and loads libraries
        for way in list(ways):
            began = time.process_time()
            try:
                way.result = way.run()
            except Exception as error:  # noqa: BLE001  a rival that does not read the file is no rival
                print(f"    {way.name}: {type(error).__name__}: {str(error).strip().splitlines()[:1]}")
                ways.remove(way)
                continue
            way.ms = min(way.ms, (time.process_time() - began) * 1000)


def likeness(pixels: Pixels, reference: Pixels) -> float:
    if pixels.shape != reference.shape:
        return 0.0
    one, other = (np.asarray(Image.fromarray(each).convert("L")) for each in (pixels, reference))
    return float(structural_similarity(one, other))  # type: ignore[no-untyped-call]


def measure(label: str, path: Path, edges: Sequence[int], rounds: int) -> list[dict[str, object]]:
    full, *others = decoders()
    header = decode(Source.open(os.fsencode(path), LIMITS.max_file_bytes), 0, LIMITS, REGISTRY)
    rows: list[dict[str, object]] = []
    print(f"{label}: {header.width} x {header.height}, {path.stat().st_size / 1e6:.1f} MB")
    for edge in edges:
        if max(header.width, header.height) <= edge:
            continue
        size = exact_size(header.width, header.height, edge)
        ways = ways_to(path, edge, [full, *others], size)
        time_ways(ways, rounds)
        reference = next((way.result for way in ways if way.name == full.name), None)
        if reference is None:
            continue
        for way in ways:
            way.ssim = likeness(way.result, reference) if way.result is not None else 0.0
        fastest = min((way for way in ways if way.ssim >= BAR_SSIM), key=lambda way: way.ms)
        own = ways[0]
        route = imgd_route(path, edge)
        shown = "  ".join(f"{way.name} {way.ms:.1f} ({way.ssim:.3f})" for way in ways)
        print(f"  {edge:5} {route:10} {own.ms / fastest.ms:5.2f} x {fastest.name:10} {shown}")
        rows.append(
            {
                "case": label,
                "edge": edge,
                "route": route,
                "ms": round(own.ms, 1),
                "ssim": round(own.ssim, 3),
                "fastest": fastest.name,
                "ratio": round(own.ms / fastest.ms, 2),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="Each way to a photo's pixels, format by format.")
    parser.add_argument("--edges", default=",".join(map(str, EDGES)))
    parser.add_argument("--formats", default="", help="only cases whose name contains one of these words")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pyramid", action="store_true")
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    keep_freed_memory()  # as a worker does
    with tempfile.TemporaryDirectory(prefix="imgd-bench-") as folder:
        if options.pyramid:
            report_filters(Path(folder), options.rounds)
            return
        edges = [int(word) for word in options.edges.split(",")]
        words = [word for word in options.formats.split(",") if word]
        rows = []
        for label, path in files_of_each_format(Path(folder), words):
            rows += measure(label, path, edges, options.rounds)
    slower = [row for row in rows if float(str(row["ratio"])) > BAR_RATIO]
    worse = [row for row in rows if float(str(row["ssim"])) < BAR_SSIM]
    print(f"{len(rows)} cases; slower than {BAR_RATIO} x: {len(slower)}; below SSIM {BAR_SSIM}: {len(worse)}")
    result = {
        "bench": "decode",
        "cases": len(rows),
        "bar_ratio": BAR_RATIO,
        "bar_ssim": BAR_SSIM,
        "slower": slower,
        "below_ssim": worse,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
