"""How long analysis takes, by what it was measured to cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from imgd.store.costs import DECODE_FILE, DECODE_HEADER, DECODE_PREVIEW, Measured


@dataclass(frozen=True, slots=True)
class Task:
    """What one analyzer has to do: `photos`, of which the cached preview may stand in for `from_previews`.
    `lanes`: the devices that host a model analyzer; empty for an inline one. `needs_file`: whether a photo has
    to be opened for it though no pixels are wanted."""

    analyzer: str
    photos: int
    from_previews: int
    edge_px: int
    lanes: tuple[str, ...] = ()
    needs_file: bool = False


@dataclass(frozen=True, slots=True)
class Duration:
    """`seconds` for what was measured; `unmeasured`: what was not."""

    seconds: float
    unmeasured: tuple[str, ...] = ()


def estimate(tasks: Sequence[Task], costs: Mapping[str, Measured], workers: int) -> Duration:
    """Workers and lanes work side by side, so that the slowest of them decides. A photo is decoded once for all of
    its analyzers; how many photos that are is told by the analyzer that has the most."""
    unmeasured = [each.analyzer for each in tasks if each.photos and each.analyzer not in costs]
    worker_s = 0.0
    lane_s: dict[str, float] = defaultdict(float)
    for task in tasks:
        if task.analyzer not in costs:
            continue
        seconds = task.photos * costs[task.analyzer].per_photo_s
        for device in task.lanes:
            lane_s[device] += seconds / len(task.lanes)
        if not task.lanes:
            worker_s += seconds
    for source, photos in _decodes(tasks).items():
        known = costs.get(source) or costs.get(DECODE_FILE)
        if known is not None:
            worker_s += photos * known.per_photo_s
        elif photos:
            unmeasured.append("decoding")
    return Duration(max([worker_s / workers, *lane_s.values()]), tuple(dict.fromkeys(unmeasured)))


def _decodes(tasks: Sequence[Task]) -> dict[str, int]:
    """How many photos are decoded from what."""
    pixels = [each for each in tasks if each.edge_px]
    from_file = max((each.photos - each.from_previews for each in pixels), default=0)
    headers = max((each.photos for each in tasks if not each.edge_px and each.needs_file), default=0)
    if headers:  # a photo that is opened anyway is not decoded from its preview
        wanted = max((each.photos for each in pixels), default=0)
        from_file = max(from_file, min(headers, wanted))
    from_preview = max((each.photos for each in pixels), default=0) - from_file
    return {
        DECODE_FILE: from_file,
        DECODE_PREVIEW: max(0, from_preview),
        DECODE_HEADER: max(0, headers - from_file),
    }
