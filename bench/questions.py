"""What people ask a made library: a mixed set of queries."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import world
from world import CAMERAS, Zipf

FILES = 200
"""So many unique file names has the smallest library."""


@dataclass(frozen=True, slots=True)
class Question:
    """`kind`: what sort of query it is, so that figures can be told apart."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class ExactQuestion:
    """A query that names one photo: nothing else may come first."""

    kind: str
    text: str
    photo_id: int


SHARES = {
    "rare word": 14, "word": 16, "common word": 10, "two words": 16, "label": 14, "phrase": 10, "prefix": 8,
    "filter": 38, "filters": 20, "filter and words": 32, "boolean": 10, "name": 6, "like": 6,
}  # fmt: skip
"""Queries of each kind among 200."""


def questions(count: int = 200, seed: int = 0) -> list[Question]:
    """`count` queries of every kind, in a mixed order; always the same for the same `seed`."""
    random = np.random.default_rng(seed)
    asker = _Asker(random)
    made = []
    for kind, share in SHARES.items():
        wanted = max(1, round(share * count / sum(SHARES.values())))
        made += [Question(kind, text) for text in itertools.islice(asker.of(kind), wanted)]
    return [made[place] for place in random.permutation(len(made))[:count]]


def exact_questions(count: int, seed: int = 0, each: int = 100) -> list[ExactQuestion]:
    """`each` of every kind about a library of `count` photos: a tag, a person, a file name that one photo has."""
    random = np.random.default_rng(seed)
    unique = world.unique_count(count)
    apart = count // unique
    found = []
    for number in random.permutation(unique - 1)[:each].tolist():
        found.append(ExactQuestion("tag", world.unique_tag(number), (number + 1) * apart))
        found.append(ExactQuestion("person", world.unique_name(number), number * apart + 1))
        found.append(ExactQuestion("file name", world.unique_file(number), number * apart + 2))
    return found


class _Asker:
    """Makes the texts of queries, each kind from an endless supply."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._labels = Zipf(world.LABELS)
        self._words = Zipf(3_000)
        self._filters = itertools.cycle((
            self._date, self._camera, self._lens, self._iso, self._aperture, self._shutter, self._focal,
            self._rating, self._place, self._near, self._person, self._tag, self._type, self._shape, self._size,
            self._has, self._fact, self._path, self._text, self._is, self._caption, self._altitude, self._width,
            self._analyzer, self._root,
        ))  # fmt: skip

    def of(self, kind: str) -> itertools.chain[str]:
        makers: dict[str, Callable[[], str]] = {
            "rare word": lambda: world.vocabulary()[int(self._random.integers(8_000, 30_000))],
            "word": self._word,
            "common word": lambda: world.vocabulary()[int(self._random.integers(0, 60))],
            "two words": lambda: f"{self._word()} {self._word()}",
            "label": self._label,
            "phrase": lambda: f'"{self._pick(self._two_word_labels())}"',
            "prefix": lambda: self._word()[: int(self._random.integers(3, 5))] + "*",
            "filter": self._filter,
            "filters": lambda: " ".join(self._filter() for _ in range(int(self._random.integers(2, 4)))),
            "filter and words": self._filter_and_words,
            "boolean": self._boolean,
            "like": lambda: f"like:{world.unique_file(int(self._random.integers(FILES)))}",
            "name": lambda: self._pick(world.people()),
        }
        return itertools.chain.from_iterable([makers[kind]()] for _ in itertools.count())

    def _pick(self, values: tuple[str, ...]) -> str:
        return values[int(self._random.integers(len(values)))]

    def _word(self) -> str:
        return world.vocabulary()[40 + int(self._words.draw(self._random, 1)[0])]

    def _label(self) -> str:
        return world.labels()[int(self._labels.draw(self._random, 1)[0])]

    def _two_word_labels(self) -> tuple[str, ...]:
        return tuple(label for label in world.labels() if " " in label)

    def _filter(self) -> str:
        return next(self._filters)()

    def _filter_and_words(self) -> str:
        words = self._label() if self._random.random() < 0.6 else f"{self._word()} {self._word()}"
        filters = " ".join(self._filter() for _ in range(int(self._random.integers(1, 3))))
        return f"{words} {filters}"

    def _boolean(self) -> str:
        one, two, three = self._label(), self._label(), self._label()
        forms = (
            f"{one} OR {two}",
            f"{one} -{two.split()[-1]}",
            f"({one} OR {two}) {self._date()}",
            f"{one} -{self._camera()}",
            f"({self._place()} OR {self._person()}) {self._iso()}",
            f"{one} ({two} OR {three}) -{self._type()}",
        )
        return self._pick(forms)

    # ------------------------------------------------------------------ one filter each

    def _date(self) -> str:
        year = int(self._random.integers(2006, 2024))
        month = int(self._random.integers(1, 11))
        return self._pick((
            f"date:{year}", f"date:{year}-{month:02}", f"date:{year}-{month:02}..{year}-{month + 2:02}",
            f"date:>={year}",
        ))  # fmt: skip

    def _camera(self) -> str:
        return f'camera:"{self._pick(tuple(each.model for each in CAMERAS))}"'

    def _lens(self) -> str:
        return f'lens:"{self._pick(tuple(lens for each in CAMERAS for lens in each.lenses))}"'

    def _iso(self) -> str:
        return self._pick(("iso:>=1600", "iso:100", "iso:<400", "iso:400..1600", "iso:>6400"))

    def _aperture(self) -> str:
        return self._pick(("aperture:<2.8", "aperture:f/8", "aperture:4..8"))

    def _shutter(self) -> str:
        return self._pick(("shutter:<1/500", "shutter:>=1s", "shutter:1/125"))

    def _focal(self) -> str:
        return self._pick(("focal:35mm", "focal:>=135mm", "focal:20..50mm"))

    def _rating(self) -> str:
        return self._pick(("rating:>=4", "rating:5"))

    def _place(self) -> str:
        town = world.towns()[int(self._random.integers(0, 120))]
        return f'place:"{self._pick((town.city, town.country))}"'

    def _near(self) -> str:
        town = world.towns()[int(self._random.integers(0, 60))]
        return f"near:{town.lat:.3f},{town.lon:.3f},{int(self._random.integers(2, 60))}km"

    def _person(self) -> str:
        return f'person:"{self._pick(world.people())}"'

    def _tag(self) -> str:
        return f'tag:"{self._label()}"'

    def _type(self) -> str:
        return self._pick(("type:raw", "type:heic", "type:jpeg"))

    def _shape(self) -> str:
        return self._pick(("orientation:portrait", "orientation:landscape"))

    def _size(self) -> str:
        return self._pick(("size:>20MB", "size:<4MB"))

    def _has(self) -> str:
        return self._pick(("has:gps", "has:person", "has:rating"))

    def _fact(self) -> str:
        return self._pick(("sharpness:>400", "brightness:<0.25", "noise:>5", "clipped_highlights:>0.2"))

    def _path(self) -> str:
        return f"path:{int(self._random.integers(2006, 2024))}/"

    def _text(self) -> str:
        return f"text:{self._word()}"

    def _is(self) -> str:
        return self._pick(("is:blurry", "is:dark", "is:raw", "is:portrait", "is:geotagged"))

    def _caption(self) -> str:
        return f"caption:{self._label().split()[-1]}"

    def _altitude(self) -> str:
        return self._pick(("altitude:>300m", "altitude:<10m"))

    def _width(self) -> str:
        return self._pick(("width:>=6000", "height:<2500px"))

    def _analyzer(self) -> str:
        return "analyzer:technical"

    def _root(self) -> str:
        return "root:imgd-bench"
