"""Boxes that are the same object twice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from imgd import Region

Box: TypeAlias = tuple[float, float, float, float]

SAME_OBJECT = 0.45
"""The overlap from which two boxes of one class are one object: that of SSD (Liu et al. 2016, section 3.1). The
model's own graph has 0.6, which leaves many an object there twice."""


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes (left, top, width, height), 0 to 1."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


def without_duplicates(regions: Iterable[Region]) -> list[Region]:
    """`regions`, which come best first, without those that overlap a better one of the same label."""
    kept: list[Region] = []
    for region in regions:
        if all(better.label != region.label or overlap(better.box, region.box) <= SAME_OBJECT for better in kept):
            kept.append(region)
    return kept
