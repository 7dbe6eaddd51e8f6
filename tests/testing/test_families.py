"""The kit holds families of facts to what they declare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import pytest

from imgd import Analyzer, Failure, Finding, Needs, PhotoInput
from imgd.domain import StoredFinding
from imgd.testing import ConformanceError, check_analyzer


class Corners(Analyzer[None]):
    """Counts white corners."""

    name = "corners"
    version = "1"
    needs = Needs(edge=64)
    facts: ClassVar = {"corners.*": int, "corners.top_left": int}

    def analyze(self, photos: Sequence[PhotoInput]) -> Sequence[Finding | Failure]:
        return [Finding(facts={"corners": self.count(photo)}) for photo in photos]

    def count(self, photo: PhotoInput) -> dict[str, object]:
        corners = {"top left": photo.image[0, 0], "bottom right": photo.image[-1, -1]}
        return {name: 1 for name, colour in corners.items() if colour.min() == 255}


class Shares(Corners):
    def count(self, photo: PhotoInput) -> dict[str, object]:
        return {"top left": float(photo.image[0, 0].mean()) / 255 + 0.5}


class Undeclared(Corners):
    facts: ClassVar = {"corners.*": int, "corners": int}


def test_a_family_passes_and_its_members_are_filterable() -> None:
    outcomes = check_analyzer(Corners)
    white, black = outcomes["a white photo"], outcomes["a black photo"]
    assert isinstance(white, StoredFinding)
    assert isinstance(black, StoredFinding)
    assert sorted(white.filterable) == [
        ("corners", 2.0, None), ("corners.bottom_right", 1.0, None), ("corners.top_left", 1.0, None)
    ]  # fmt: skip
    assert black.filterable == [("corners", 0.0, None)]


@pytest.mark.parametrize(
    ("analyzer", "problem"),
    [
        (Shares, "fact corners.top_left was declared int and is"),
        (Undeclared, "`facts` has `corners` and `corners.*`"),
    ],
)
def test_a_family_that_breaks_its_declaration_is_named(analyzer: type[Corners], problem: str) -> None:
    with pytest.raises(ConformanceError, match="corners") as refused:
        check_analyzer(analyzer)
    assert problem in str(refused.value)
