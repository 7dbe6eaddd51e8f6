"""Which model analyzers go to which devices, by the memory that they declare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Placement:
    """`hosted`: device -> the analyzers it hosts, in the order in which they were named. `homeless`: analyzer ->
    why no device can take it."""

    hosted: Mapping[str, tuple[str, ...]]
    homeless: Mapping[str, str]


def place(needs_mb: Mapping[str, float], room_mb: Mapping[str, float | None]) -> Placement:
    """Place analyzers so that those of a device fit into its memory together.

    `needs_mb`: what each analyzer takes with a batch of one photo. `room_mb`: what each device has to give; None
    where nobody knows, which is taken for enough. The largest goes first, to the device with the most room, so
    that each finds a place if there is one; where room is left then, the other devices get copies.
    """
    left = {device: float("inf") if room is None else room for device, room in room_mb.items()}
    largest_first = sorted(needs_mb, key=lambda name: -needs_mb[name])
    hosts: dict[str, set[str]] = {device: set() for device in left}
    homeless = {}
    for name in largest_first:
        device = max(left, key=lambda each: left[each])
        if needs_mb[name] > left[device]:
            homeless[name] = _explain(needs_mb[name], room_mb, left)
            continue
        hosts[device].add(name)
        left[device] -= needs_mb[name]
    for name in largest_first:
        for device, room in left.items():
            if name not in homeless and name not in hosts[device] and needs_mb[name] <= room:
                hosts[device].add(name)
                left[device] -= needs_mb[name]
    hosted = {device: tuple(each for each in needs_mb if each in names) for device, names in hosts.items()}
    return Placement(hosted, homeless)


def _explain(needs_mb: float, room_mb: Mapping[str, float | None], left: Mapping[str, float]) -> str:
    rooms = ", ".join(
        f"{device} has {left[device]:,.0f} MB" + (f" left of {room:,.0f} MB" if left[device] < room else "")
        for device, room in room_mb.items()
        if room is not None
    )
    return (
        f"it needs {needs_mb:,.0f} MB, and {rooms}; switch off another analyzer, raise `lanes.memory_mb` or name "
        "more devices in `lanes.devices`, then run `imgctl retry --analyzer` with its name"
    )
