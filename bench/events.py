"""The occasions at which the photos of a made library were taken."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import world
from world import CAMERAS, CLUSTERS, Zipf

_FIRST_DAY = datetime.datetime(2004, 1, 1, 8, tzinfo=datetime.UTC)
_DAYS = 20 * 365


@dataclass(frozen=True, slots=True)
class Event:
    """A folder: photos of one occasion, of one camera, at one town, of a few looks."""

    folder: str
    first: int
    count: int
    begins: datetime.datetime
    hours: float
    camera: int
    town: int
    has_gps: bool
    clusters: tuple[int, ...]
    people: tuple[int, ...]


def make_events(random: np.random.Generator, count: int) -> Iterator[Event]:
    """Occasions in the order of their days. Towns, people and looks of one occasion belong together."""
    sizes: list[int] = []
    while sum(sizes) < count:
        sizes.append(int(np.clip(random.lognormal(5.0, 0.8), 5, 2_000)))
    sizes[-1] -= sum(sizes) - count
    # More and more photos were taken as the years went by.
    days = np.sort(_DAYS * random.random(len(sizes)) ** 0.7)
    weights = np.array([camera.weight for camera in CAMERAS])
    cameras = random.choice(len(CAMERAS), len(sizes), p=weights / weights.sum())
    popular = Zipf(CLUSTERS, 0.5)
    people = Zipf(world.PEOPLE, 0.8)
    places = Zipf(world.TOWNS, 0.7)
    first = 0
    for number, (size, day, camera) in enumerate(zip(sizes, days, cameras, strict=True)):
        town = int(places.draw(random, 1)[0])
        begins = _FIRST_DAY + datetime.timedelta(days=float(day))
        title = (
            world.towns()[town].city
            if random.random() < 0.5
            else world.vocabulary()[40 + int(random.integers(5_000))].capitalize()
        )
        yield Event(
            folder=f"{begins.year}/{begins:%Y-%m-%d} {title.replace('/', '-')} {number}",
            first=first,
            count=size,
            begins=begins,
            hours=float(random.choice([3.0, 8.0, 72.0, 240.0])),
            camera=int(camera),
            town=town,
            has_gps=bool(random.random() < (0.8 if CAMERAS[camera].has_gps else 0.18)),
            clusters=tuple(popular.draw(random, int(random.integers(3, 9))).tolist()),
            people=tuple(people.draw(random, int(random.integers(2, 7))).tolist()),
        )
        first += size
