"""How well detected objects agree with annotated ones, at any threshold; and thresholds fitted to that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from imgd_concepts.objects import COUNTED_FROM, OBJECTS
from imgd_concepts.overlap import Box, overlap

from imgd import Region

GRID = np.round(np.arange(0.2, 0.8, 0.025), 3)
"""Thresholds that are tried."""
PULL = 5.0
"""So many photos more say the common threshold for a class, beside those that have it."""
LEAST_PHOTOS = 2
_SAME_BOX = 0.5
"""The overlap of a found box that counts as the annotated one, as in PASCAL VOC and COCO's AP50."""

GROUPS: Mapping[str, str] = {
    "people": "person",
    "vehicles, street": "bicycle car motorcycle airplane bus train truck boat traffic_light fire_hydrant "
    "stop_sign parking_meter bench",
    "animals": "bird cat dog horse sheep cow elephant bear zebra giraffe",
    "carried, sport": "backpack umbrella handbag tie suitcase frisbee skis snowboard sports_ball kite "
    "baseball_bat baseball_glove skateboard surfboard tennis_racket",
    "kitchen, food": "bottle wine_glass cup fork knife spoon bowl banana apple sandwich orange broccoli carrot "
    "hot_dog pizza donut cake",
    "home": "chair couch potted_plant bed dining_table toilet tv laptop mouse remote keyboard "
    "cell_phone microwave oven toaster sink refrigerator book clock vase scissors teddy_bear "
    "hair_drier toothbrush",
}
GROUP_OF = {name.replace("_", " "): group for group, names in GROUPS.items() for name in names.split()}

Thresholds: TypeAlias = Callable[[str], float]


@dataclass(frozen=True, slots=True)
class Photo:
    """What is in one photo, and what was found (best first, from the lowest threshold on)."""

    truth: Sequence[tuple[str, Box]]
    found: Sequence[Region]

    def counts(self, thresholds: Thresholds) -> dict[str, tuple[int, int]]:
        """(annotated, found) of every class that is either."""
        counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for label, _ in self.truth:
            counts[label][0] += 1
        for region in self.found:
            if region.score >= thresholds(region.label):
                counts[region.label][1] += 1
        return {label: (there, seen) for label, (there, seen) in counts.items()}


@dataclass(frozen=True, slots=True)
class Scores:
    """`ap`: mean over classes of the average precision of boxes, those below the threshold not found. `box_f1`: of
    boxes; `count_f1`: of counts, where min(annotated, found) are right. `exact`, `within_1`: the share of counts,
    of a class in a photo that has it or where it was found, that are right, or wrong by one at most."""

    ap: float
    box_f1: float
    count_f1: float
    exact: float
    within_1: float

    def row(self) -> str:
        return f"{self.ap:8.3f}{self.box_f1:8.3f}{self.count_f1:10.3f}{self.exact:8.3f}{self.within_1:10.3f}"


def f1(right: float, found: float, there: float) -> float:
    return 2 * right / (found + there) if found + there else 0.0


def score(photos: Sequence[Photo], thresholds: Thresholds, group: str = "") -> Scores:
    """Over the classes of `group`; all of them where it is empty."""
    pairs = [
        pair
        for photo in photos
        for label, pair in photo.counts(thresholds).items()
        if group in ("", GROUP_OF.get(label))
    ]
    there, seen = (sum(each) for each in zip(*pairs, strict=True)) if pairs else (0, 0)
    wrong = [abs(one - other) for one, other in pairs]
    labels = [name for name in OBJECTS if group in ("", GROUP_OF[name])]
    boxes = {label: _judge(photos, label, thresholds(label)) for label in labels}
    precisions = [_average_precision(hits, total) for hits, total in boxes.values() if total]
    right = sum(sum(hits) for hits, _ in boxes.values())
    return Scores(
        float(np.mean(precisions)) if precisions else 0.0,
        f1(right, sum(len(hits) for hits, _ in boxes.values()), sum(total for _, total in boxes.values())),
        f1(sum(min(pair) for pair in pairs), seen, there),
        float(np.mean([each == 0 for each in wrong])) if wrong else 0.0,
        float(np.mean([each <= 1 for each in wrong])) if wrong else 0.0,
    )


def precision_recall(photos: Sequence[Photo], label: str, threshold: float) -> tuple[float, float]:
    """Of the boxes of a class."""
    hits, total = _judge(photos, label, threshold)
    return sum(hits) / len(hits) if hits else 1.0, sum(hits) / total if total else 1.0


def _judge(photos: Sequence[Photo], label: str, threshold: float) -> tuple[list[bool], int]:
    """Of each box of a class that was found, best first, whether it is an annotated one; how many of these there
    are."""
    hits: list[tuple[float, bool]] = []
    total = 0
    for photo in photos:
        left = [box for name, box in photo.truth if name == label]
        total += len(left)
        for region in photo.found:
            if region.label != label or region.score < threshold:
                continue
            best = max(left, key=lambda box: overlap(box, region.box), default=None)
            hit = best is not None and overlap(best, region.box) >= _SAME_BOX
            if hit and best is not None:
                left.remove(best)
            hits.append((region.score, hit))
    return [hit for _, hit in sorted(hits, key=lambda each: -each[0])], total


def _average_precision(hits: Sequence[bool], total: int) -> float:
    precisions = [sum(hits[: rank + 1]) / (rank + 1) for rank, hit in enumerate(hits) if hit]
    return sum(precisions) / total


# ---------------------------------------------------------------------- fitting


def count_tables(photos: Sequence[Photo]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(photos, classes) annotated, and (photos, classes, thresholds) found at each threshold of `GRID`."""
    there = np.zeros((len(photos), len(OBJECTS)), np.int64)
    seen = np.zeros((len(photos), len(OBJECTS), len(GRID)), np.int64)
    place = {name: number for number, name in enumerate(OBJECTS)}
    for row, photo in enumerate(photos):
        for label, _ in photo.truth:
            there[row, place[label]] += 1
        for region in photo.found:
            if region.label in place:
                seen[row, place[region.label]] += region.score >= GRID
    return there, seen


def fit(photos: Sequence[Photo], towards: float | None = COUNTED_FROM) -> dict[str, float]:
    """The threshold of each class: that of the best F1 of its counts (the nearest to the common one, of several),
    drawn towards the common one; just that where fewer than `LEAST_PHOTOS` have the class. The common one is
    `towards`; where that is None, the one with the best F1 of the counts of all classes."""
    there, seen = count_tables(photos)
    common = towards if towards is not None else _best(there, seen)
    fitted = dict.fromkeys(OBJECTS, common)
    for number, name in enumerate(OBJECTS):
        having = int((there[:, number] > 0).sum())
        if having >= LEAST_PHOTOS:
            own = _best(there[:, [number]], seen[:, [number]], common)
            fitted[name] = (having * own + PULL * common) / (having + PULL)
    return fitted


def _best(there: npt.NDArray[np.int64], seen: npt.NDArray[np.int64], near: float | None = None) -> float:
    scores = np.array(
        [f1(np.minimum(there, found).sum(), found.sum(), there.sum()) for found in np.moveaxis(seen, 2, 0)]
    )
    best = GRID[scores >= scores.max() - 1e-9]
    return float(best.mean() if near is None else best[np.abs(best - near).argmin()])
