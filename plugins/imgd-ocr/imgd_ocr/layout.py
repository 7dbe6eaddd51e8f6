"""The order in which lines are read: columns one after the other, each from the top.

A recursive XY cut (Nagy and Seth 1984) that cuts between columns before it cuts between paragraphs.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

MARGIN: Final = 0.2
"""How much of its box's height the detector leaves around a line, on each side: it draws boxes wide (its
`unclip_ratio`), so that those of close lines overlap."""
COLUMN_GAP: Final = 0.5
"""The least white space between two columns, in heights of a line without that margin."""
COLUMN_LINES: Final = 3
"""Fewer lines beside each other are words of one row, or a sign; as columns they would be torn apart."""
SPANNING: Final = 1.6
"""A line so much longer than the median one may run across columns."""

_SAME_ROW = 0.5


@dataclass(frozen=True, slots=True)
class Line:
    """A line that was read. `quad`: (4, 2), its corners in pixels of the photo, from the upper left of the text as
    it is read, clockwise. `score`: how sure the text is, 0 to 1."""

    quad: npt.NDArray[np.float32]
    text: str
    score: float

    @property
    def length_px(self) -> float:
        return float(np.linalg.norm(self.quad[1] - self.quad[0]))


@dataclass(frozen=True, slots=True)
class _Box:
    """A line's bounds without its margin, in a photo that was turned so that most text lies level."""

    number: int
    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        return self.bottom - self.top


_Boxes: TypeAlias = list[_Box]


def in_reading_order(lines: Sequence[Line]) -> list[list[Line]]:
    """Rows from first to last; a row has the pieces of one printed line from left to right."""
    if not lines:
        return []
    return [[lines[box.number] for box in row] for row in _ordered(_level_boxes(lines))]


def _level_boxes(lines: Sequence[Line]) -> _Boxes:
    """The lines' bounds after the photo is turned by the direction in which most of the text runs."""
    along = np.stack([line.quad[1] - line.quad[0] for line in lines])
    # Longest lines tell the direction best. The median of angles around the commonest quarter turn.
    angles = np.arctan2(along[:, 1], along[:, 0])
    quarters = np.round(angles / (np.pi / 2)).astype(int) % 4
    lengths = np.array([line.length_px for line in lines])
    quarter = int(np.bincount(quarters, weights=lengths, minlength=4).argmax())
    same = quarters == quarter
    skews = (angles[same] - quarter * np.pi / 2 + np.pi) % (2 * np.pi) - np.pi
    angle = quarter * np.pi / 2 + _weighted_median(skews, lengths[same])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    boxes = []
    for number, line in enumerate(lines):
        corners = line.quad @ turn.T
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        margin = MARGIN * min(right - left, bottom - top)
        boxes.append(
            _Box(number, float(left + margin), float(top + margin), float(right - margin), float(bottom - margin))
        )
    return boxes


def _ordered(boxes: _Boxes) -> list[_Boxes]:
    """Rows of the boxes, in order."""
    if columns := _columns(boxes):
        return [row for column in columns for row in _ordered(column)]
    for cut in (_paragraphs, _without_spanning):
        if parts := cut(boxes):
            return [row for part in parts for row in _ordered(part)]
    return _rows(boxes)


def _columns(boxes: _Boxes) -> list[_Boxes]:
    """The columns from left to right, or nothing where there are not two."""
    if len(boxes) < 2 * COLUMN_LINES:
        return []
    gap = COLUMN_GAP * statistics.median(box.height for box in boxes)
    columns: list[_Boxes] = []
    right = -np.inf
    for box in sorted(boxes, key=lambda each: (each.left, each.top)):
        if box.left - right >= gap or not columns:
            columns.append([])
        columns[-1].append(box)
        right = max(right, box.right)
    # A page number or a bullet beside a column is no column of its own.
    whole = sum(len(_rows(column)) >= COLUMN_LINES for column in columns)
    return columns if whole >= 2 else []


def _paragraphs(boxes: _Boxes) -> list[_Boxes]:
    """The boxes cut in two by white space across all of them, where one part has columns; else nothing."""
    by_top = sorted(boxes, key=lambda each: (each.top, each.left))
    best: list[_Boxes] = []
    most = 0
    bottom = by_top[0].bottom
    for cut in range(1, len(by_top)):
        if by_top[cut].top >= bottom:
            parts = [by_top[:cut], by_top[cut:]]
            in_columns = sum(len(part) for part in parts if _columns(part))
            if in_columns > most:
                best, most = parts, in_columns
        bottom = max(bottom, by_top[cut].bottom)
    return best


def _without_spanning(boxes: _Boxes) -> list[_Boxes]:
    """Lines that run across several columns, above them or below, and the columns; nothing where there are none.

    They may overlap the columns' lines in height: a headline that leans, or lines that were found as one.
    """
    if not boxes:
        return []
    usual = statistics.median(box.right - box.left for box in boxes)
    narrow = [box for box in boxes if box.right - box.left <= SPANNING * usual]
    columns = _columns(narrow)
    if len(narrow) == len(boxes) or not columns:
        return []
    middle = statistics.median(box.top + box.bottom for box in narrow)
    wide = [box for box in boxes if box.right - box.left > SPANNING * usual]
    parts = [[box for box in wide if box.top + box.bottom <= middle], *columns]
    parts.append([box for box in wide if box.top + box.bottom > middle])
    return [part for part in parts if part]


def _rows(boxes: _Boxes) -> list[_Boxes]:
    """Boxes that stand beside each other, each row from left to right, rows from the top."""
    rows: list[_Boxes] = []
    for box in sorted(boxes, key=lambda each: (each.top + each.bottom, each.left)):
        if rows and _beside(rows[-1][-1], box):
            rows[-1].append(box)
        else:
            rows.append([box])
    return [sorted(row, key=lambda each: each.left) for row in rows]


def _beside(one: _Box, other: _Box) -> bool:
    shared = min(one.bottom, other.bottom) - max(one.top, other.top)
    apart = one.right <= other.left or other.right <= one.left
    return shared > _SAME_ROW * max(one.height, other.height) and (apart or shared < 0)


def _weighted_median(values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> float:
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])
