"""The process in which hostile files are tried: confined as a decode worker is, one file after another.

Reads `name length\\n` and so many bytes from standard input, and answers with one JSON line: what should not have
happened with that file, and what it took. What kills it is told by its death.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from imgd.config import DecodeSettings
from imgd.decode import DecodeLimits, FormatRegistry, Source, confine, decode, exact_size, pyramid, report
from imgd.decode.limits import allow_cpu
from imgd.errors import DecodeError
from imgd.metadata.merge import PhotoMetadata, read_photo

EDGES = (0, 64, 1200)
SETTINGS = DecodeSettings(max_megapixels=16, max_frames=1000, memory_mb=1024, cpu_s=10)
"""Small bounds: what keeps to them keeps to larger ones, and the next file comes sooner."""
CPU_BEFORE_TOLD_S = 4.0


def main() -> None:
    limits = DecodeLimits.of(SETTINGS)
    # Native warnings are caught by `decode` itself; what is left would be noise among a million files.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    confine(limits)
    warnings.simplefilter("error")
    registry = FormatRegistry()
    with tempfile.TemporaryDirectory() as folder:
        while head := sys.stdin.buffer.readline():
            name, size = head.decode().rsplit(maxsplit=1)
            path = Path(folder) / name
            path.write_bytes(sys.stdin.buffer.read(int(size)))
            allow_cpu(SETTINGS.cpu_s * len(EDGES))
            before = time.process_time()
            problems = [*_decode_problems(path, limits, registry), *_metadata_problems(path)]
            spent = time.process_time() - before
            if spent > CPU_BEFORE_TOLD_S:
                problems.append(f"took {spent:.1f} s of CPU time")
            path.unlink()
            peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            print(json.dumps({"problems": problems, "cpu_s": spent, "peak_mb": peak_mb}), file=answers, flush=True)


def _decode_problems(path: Path, limits: DecodeLimits, registry: FormatRegistry) -> list[str]:
    problems = []
    for edge in EDGES:
        try:
            with Source.open(bytes(path), limits.max_file_bytes) as source:
                picture = decode(source, edge, limits, registry)
                report(source, picture)
            problems += [f"edge {edge}: {problem}" for problem in _picture_problems(picture, edge, limits)]
        except DecodeError as error:
            if not error.detail or " at 0x" in error.detail:
                problems.append(f"edge {edge}: the reason is {error.detail!r}")
        except BaseException as error:  # noqa: BLE001 - the point is to hear of anything
            problems.append(f"edge {edge}: {_told(error)}")
    return problems


def _picture_problems(picture: Any, edge: int, limits: DecodeLimits) -> list[str]:
    width, height = picture.width, picture.height
    if not (width >= 1 and height >= 1 and width * height <= limits.max_pixels):
        return [f"it is {width} x {height}"]
    if not edge:
        return []
    pixels = picture.pixels
    if not (isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8 and pixels.shape[2:] == (3,)):
        return ["no (h, w, 3) array of uint8"]
    needed = exact_size(width, height, edge)
    if pixels.shape[1] < needed[0] or pixels.shape[0] < needed[1]:
        return [f"{pixels.shape[1]} x {pixels.shape[0]} of {width} x {height}"]
    levels = pyramid(picture, {edge, 16})
    sizes = {each: level.shape[1::-1] for each, level in levels.items()}
    wanted = {each: exact_size(width, height, each) for each in levels}
    return [] if sizes == wanted else [f"levels of {sizes}, not {wanted}"]


def _metadata_problems(path: Path) -> list[str]:
    try:
        with Source.open(bytes(path), SETTINGS.max_file_mb * 1_000_000) as source:
            content = source.content
            found = [read_photo(content, path.name), read_photo(b"", path.name, [("a.xmp", source.data)])]
    except BaseException as error:  # noqa: BLE001 - the point is to hear of anything
        return [f"metadata: {_told(error)}"]
    return [problem for each in found for problem in _record_problems(each)]


def _record_problems(found: PhotoMetadata) -> list[str]:
    size = len(json.dumps(found.problems)) + len(repr(found.record))
    return [f"metadata: a record of {size} bytes"] if size > 4_000_000 else []


def _told(error: BaseException) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {str(error)[:200]} ({Path(place.filename).name}:{place.lineno})"


if __name__ == "__main__":
    main()
