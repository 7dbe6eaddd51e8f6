"""Compares the metadata analyzer with what exiftool says of the same photos, field by field.

    python bench/metadata.py [--corpus DIR] [--folder 01_exif]

A field counts where exiftool has a value for it. Prints the agreement a field, every difference, the time a
photo, and one line of JSON. Ends with 1 where a field is below its bar.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from imgd.analyzers.metadata import Metadata, MetadataSettings
from imgd.domain import Finding, PhotoInput, Sidecar

BAR, LENS_BAR = 0.99, 0.90
Facts = dict[str, Any]


def main() -> int:
    """Run the comparison that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    beside = Path(__file__).resolve().parents[2] / "shared" / "corpus"
    parser.add_argument("--corpus", type=Path, default=beside, help="the folder that holds gt/exiftool.json")
    parser.add_argument("--folder", default="01_exif", help="the part of it to compare (01_exif, 02_raw, 09_xmp)")
    parser.add_argument(
        "--repeat", type=int, default=3, help="how often each photo is timed; the best time counts"
    )
    options = parser.parse_args()
    truth_file = options.corpus / "gt" / "exiftool.json"
    if not truth_file.exists():
        print(f"{truth_file} is not there; name the corpus with --corpus", file=sys.stderr)
        return 2
    truths = {row["SourceFile"]: row for row in json.loads(truth_file.read_text())}
    counts = {field: [0, 0] for field in FIELDS}
    differences: list[str] = []
    times: list[float] = []
    analyzer = Metadata(MetadataSettings(), {})
    analyzer.places.find(0, 0)  # the places load once a process, not once a photo
    for name, truth in sorted(truths.items()):
        if not name.startswith(options.folder + "/") or name.endswith((".json", ".xmp")):
            continue
        facts, seconds = read(analyzer, options.corpus / name, options.repeat)
        times.append(seconds)
        for field, agrees, said, expected in compare(facts, truth):
            counts[field][0] += agrees
            counts[field][1] += 1
            if not agrees:
                differences.append(f"{field:12} {name}: imgd {said!r}, exiftool {expected!r}")
    return report(options.folder, counts, differences, times)


def read(analyzer: Metadata, path: Path, repeat: int) -> tuple[Facts, float]:
    """The analyzer's facts of one photo with its sidecars, and the seconds it took."""
    stem = {path.with_suffix(".xmp"), path.with_name(path.name + ".xmp")}
    sidecars = tuple(Sidecar(each.name, each.read_bytes()) for each in sorted(stem) if each.exists())
    photo = PhotoInput(1, str(path), "", 0, 0, file=path.read_bytes(), sidecars=sidecars)
    best = float("inf")
    for _ in range(repeat):
        started = time.perf_counter()
        (finding,) = analyzer.analyze([photo])
        best = min(best, time.perf_counter() - started)
    return (dict(finding.facts) if isinstance(finding, Finding) else {}), best


def compare(facts: Facts, truth: Facts) -> Iterator[tuple[str, bool, Any, Any]]:
    """(field, agrees, what imgd says, what exiftool says) for each field that exiftool has."""
    for field, (expected_of, agrees, key) in FIELDS.items():
        expected = expected_of(truth)
        if expected is None:
            continue
        said = (facts.get("lat"), facts.get("lon")) if field == "gps" else facts.get(key)
        yield field, said is not None and agrees(said, expected), said, expected


def text_of(*keys: str) -> Callable[[Facts], str | None]:
    return lambda truth: next((str(truth[k]).strip() for k in keys if str(truth.get(k, "")).strip()), None)


def number_of(key: str) -> Callable[[Facts], float | None]:
    """A measure; 0 (of an ISO 65535 too) says unknown, and of a list the last that is set is the value."""

    def read_number(truth: Facts) -> float | None:
        values = [float(part) for part in str(truth.get(key, "")).split() if re.fullmatch(r"[\d.eE+-]+", part)]
        return next((value for value in reversed(values) if value > 0 and (key, value) != ("ISO", 65535)), None)

    return read_number


def lens_of(truth: Facts) -> str | None:
    """A name, or the four numbers of one; a bare id counts only with a name beside it."""
    for key in ("LensModel", "Lens", "LensID", "LensInfo", "DNGLensInfo"):
        value = str(truth.get(key, "")).strip()
        if re.search(r"[A-Za-z]{2}", value.replace("undef", "")) or re.fullmatch(
            r"[\d.]+( [\d.]+| undef){3}", value
        ):
            return value
    return None


def date_of(truth: Facts) -> str | None:
    """When it was taken: IPTC's DateCreated means that too, CreateDate when it was digitized (MWG 2.0, 5.6)."""
    for key in ("DateTimeOriginal", "DateCreated", "CreateDate"):
        found = re.match(r"(\d{4}):(\d\d):(\d\d)(?: (\d\d:\d\d(?::\d\d)?))?", str(truth.get(key, "")))
        if found and found[1] != "0000":
            return f"{found[1]}-{found[2]}-{found[3]}" + (f"T{found[4]}" if found[4] else "")
    return None


def gps_of(truth: Facts) -> tuple[float, float] | None:
    lat, lon = truth.get("GPSLatitude"), truth.get("GPSLongitude")
    return (float(lat), float(lon)) if isinstance(lat, int | float) and isinstance(lon, int | float) else None


def orientation_of(truth: Facts) -> int | None:
    value = truth.get("Orientation")
    return value if isinstance(value, int) and 1 <= value <= 8 else None


def same_text(said: str, expected: str) -> bool:
    return " ".join(said.split()).casefold() == " ".join(expected.split()).casefold()


def same_lens(said: str, expected: str) -> bool:
    """Equal names, or equal numbers in them (`18-70mm f/3.5-4.5` is `18 70 3.5 4.5`)."""

    def numbers(text: str) -> list[float]:
        found = [float(n) for n in re.findall(r"\d+(?:\.\d+)?", text)]
        return sorted(set(found))

    expected = expected.replace(" undef", "")
    return same_text(said, expected) or (
        not re.search("[A-Za-z]{3}", expected) and numbers(said) == numbers(expected)
    )


def near(relative: float) -> Callable[[float, float], bool]:
    return lambda said, expected: abs(said - expected) <= relative * abs(expected)


def same_position(said: tuple[float, float], expected: tuple[float, float]) -> bool:
    return None not in said and all(abs(a - b) < 1e-5 for a, b in zip(said, expected, strict=True))


FIELDS: dict[str, tuple[Callable[[Facts], Any], Callable[[Any, Any], bool], str]] = {
    "make": (text_of("Make"), same_text, "camera_make"),
    "model": (text_of("Model"), same_text, "camera_model"),
    "lens": (lens_of, same_lens, "lens"),
    "iso": (number_of("ISO"), near(0.005), "iso"),
    "exposure": (number_of("ExposureTime"), near(0.005), "shutter_s"),
    "aperture": (number_of("FNumber"), near(0.005), "aperture"),
    "focal": (number_of("FocalLength"), near(0.005), "focal_mm"),
    "date": (date_of, lambda said, expected: said.startswith(expected), "taken_at"),
    "gps": (gps_of, same_position, "lat"),
    "orientation": (orientation_of, lambda said, expected: said == expected, "orientation"),
}


def report(folder: str, counts: dict[str, list[int]], differences: list[str], times: list[float]) -> int:
    """Print the table, the differences and the JSON line; 1 where a field misses its bar."""
    print(f"{folder}: {len(times)} photos\n{'field':12} {'n':>5} {'agree':>8}")
    result: Facts = {"bench": "metadata", "folder": folder, "photos": len(times)}
    missed = []
    for field, (agree, n) in counts.items():
        print(f"{field:12} {n:5} {100 * agree / n if n else 100:7.1f} %")
        result[field] = {"n": n, "agree": agree}
        if n and agree / n < (LENS_BAR if field == "lens" else BAR):
            missed.append(field)
    print(f"\n{len(differences)} differences" + "".join(f"\n  {line}" for line in differences))
    milliseconds = [1000 * seconds for seconds in times] or [0.0]
    result["ms_mean"] = round(statistics.fmean(milliseconds), 3)
    result["ms_median"] = round(statistics.median(milliseconds), 3)
    result["missed"] = missed
    print(f"\n{result['ms_mean']} ms a photo (median {result['ms_median']})\n{json.dumps(result)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
