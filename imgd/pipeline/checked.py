"""Checking what an analyzer returned, where it was returned: nonsense is refused with its name and reason."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np

from imgd.domain import FactValue, Finding, Region, StoredFinding, StoredVector, Tag, Text, Vector
from imgd.errors import PluginError
from imgd.facts import MOST_MEMBERS, family_name, family_of, is_family, member_key
from imgd.plugins import AnalyzerClass

MAX_TEXT_CHARS = 200_000

FilterableRow: TypeAlias = tuple[str, float | None, str | None]
"""A fact that searches filter by: its key, and its number or its text."""


def check_finding(analyzer: AnalyzerClass, finding: object) -> StoredFinding:
    """`finding` in plain values, ready to be stored.

    Raises:
        PluginError: naming the analyzer, what is wrong and where.
    """
    check = _Check(analyzer)
    if not isinstance(finding, Finding):
        raise check.error(f"returned {type(finding).__name__}, not a Finding or a Failure")
    try:
        return StoredFinding(
            facts={clean_text(str(key)): check.fact(str(key), value) for key, value in finding.facts.items()},
            filterable=check.filterable(finding),
            texts=[check.text(text) for text in finding.texts if text.text.strip()],
            tags=[check.tag(tag) for tag in finding.tags],
            regions=[check.region(region) for region in finding.regions],
            vectors=[check.vector(vector, len(finding.regions)) for vector in finding.vectors],
        )
    except (TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise check.error(f"returned a finding that is not as imgd.Finding declares: {error}") from error


def plain_finding(stored: StoredFinding) -> Finding:
    """A stored finding as an analyzer that named its maker in `after` receives it (without vectors)."""
    # Facts of its own: what it does to them is not done to the finding, which may not have been sent yet.
    return Finding(copy.deepcopy(stored.facts), tuple(stored.texts), tuple(stored.tags), tuple(stored.regions))


class _Check:
    def __init__(self, analyzer: AnalyzerClass) -> None:
        self._analyzer = analyzer

    def error(self, problem: str) -> PluginError:
        return PluginError(f"analyzer {self._analyzer.name}: {problem}")

    def fact(self, key: str, value: Any) -> FactValue:
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, str):
            return clean_text(value)
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, int):
            if not -(1 << 63) <= value < 1 << 63:
                raise self.error(f"fact {key} is {value}, more than 64 bits hold")
            return value
        if isinstance(value, float):
            if not math.isfinite(value):
                raise self.error(f"fact {key} is {value}")
            return value
        if isinstance(value, list | tuple):
            return [self.fact(key, each) for each in value]
        if isinstance(value, dict):
            return {clean_text(str(name)): self.fact(f"{key}.{name}", each) for name, each in value.items()}
        raise self.error(f"fact {key} is a {type(value).__name__}; facts hold JSON values")

    def filterable(self, finding: Finding) -> list[FilterableRow]:
        rows: list[FilterableRow] = []
        declared = self._analyzer.facts
        for key, kind in declared.items():
            if is_family(key):
                rows += self._family(family_name(key), kind, finding)
            elif family_of(key, declared) is None and (value := finding.facts.get(key)) is not None:
                rows.append(self._row(key, kind, self.fact(key, value)))
        return rows

    def _family(self, name: str, kind: type, finding: Finding) -> Iterator[FilterableRow]:
        """The rows of the family `name`. One of int has its sum, too, which says that it was counted at all, and
        no row for what it counts 0."""
        members = self.fact(name, finding.facts.get(name))
        if members is None:
            return
        if not isinstance(members, dict):
            raise self.error(f"fact {name} was declared a family, a dict, and is {members!r}")
        if len(members) > MOST_MEMBERS:
            raise self.error(f"fact {name} has {len(members)} members; {MOST_MEMBERS} are allowed")
        rows: dict[str, FilterableRow] = {}
        for member, value in members.items():
            key = member_key(name, member)
            if key in rows:
                raise self.error(f"fact {name} has two members that are `{key}`")
            if value is not None:
                rows[key] = self._row(key, kind, value)
        if kind is int:
            counts = {key: number or 0.0 for key, number, _ in rows.values()}
            if negative := [key for key, count in counts.items() if count < 0]:
                raise self.error(f"fact {negative[0]} counts {counts[negative[0]]:.0f}; a count is 0 or more")
            yield name, sum(counts.values()), None
        yield from (row for row in rows.values() if kind is not int or row[1])

    def _row(self, key: str, kind: type, value: FactValue) -> FilterableRow:
        # To Python a bool is an int; a whole number will do where a float was declared.
        if isinstance(value, (int, float) if kind is float else kind) and (
            isinstance(value, bool) is (kind is bool)
        ):
            if isinstance(value, str):
                return key, None, value
            if isinstance(value, bool | int | float):
                return key, float(value), None
        raise self.error(f"fact {key} was declared {kind.__name__} and is {value!r}")

    def text(self, text: Text) -> Text:
        return Text(clean_text(text.kind), clean_text(text.text[:MAX_TEXT_CHARS]))

    def tag(self, tag: Tag) -> Tag:
        label = " ".join(clean_text(str(tag.label)).split())
        if not label:
            raise self.error("returned a tag without a label")
        return Tag(label, self._fraction("the score of a tag", tag.score))

    def region(self, region: Region) -> Region:
        box = tuple(float(value) for value in region.box)
        if len(box) != 4 or not all(math.isfinite(value) and -1 <= value <= 2 for value in box):
            raise self.error(f"the box of a region is {region.box}, not four fractions of the photo")
        landmarks = tuple((float(x), float(y)) for x, y in region.landmarks)
        if not all(math.isfinite(value) for point in landmarks for value in point):
            raise self.error("a landmark of a region is NaN or infinite")
        score = self._fraction("the score of a region", region.score)
        quality = None if region.quality is None else self._fraction("the quality of a region", region.quality)
        left, top, width, height = box
        kind, label = clean_text(region.kind), clean_text(region.label)
        return Region(kind, (left, top, width, height), label, score, landmarks, quality)

    def vector(self, vector: Vector, regions: int) -> StoredVector:
        values = np.asarray(vector.values, dtype=np.float64)  # the squares of large float32 values overflow
        if values.ndim != 1 or values.size == 0:
            raise self.error(f"a vector of space {vector.space} has shape {values.shape}, not (d,)")
        norm = float(np.linalg.norm(values))
        if not math.isfinite(norm) or norm == 0:
            raise self.error(f"a vector of space {vector.space} holds NaN, infinity, or only zeros")
        if vector.region is not None and not 0 <= vector.region < regions:
            raise self.error(f"a vector names region {vector.region} of {regions}")
        return StoredVector(clean_text(vector.space), (values / norm).astype(np.float16).tobytes(), vector.region)

    def _fraction(self, what: str, value: float) -> float:
        number = float(value)
        if not -1e-6 <= number <= 1 + 1e-6:
            raise self.error(f"{what} is {value}, not from 0 to 1")
        return min(1.0, max(0.0, number))


def clean_text(text: object) -> str:
    """`text` without what UTF-8 and SQLite cannot hold: lone surrogates and NUL."""
    return str(text).encode("utf-8", "replace").decode("utf-8").replace("\0", "")
