import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imgd import Analyzer, Device, Failure, Finding, Needs, PhotoInput, Tag, Vector
from imgd.analyzers.metadata import Metadata
from imgd.analyzers.preview import Preview
from imgd.analyzers.technical import Technical
from imgd.domain import StoredFinding
from imgd.testing import ConformanceError, awkward_photos, check_analyzer, make_photo


@dataclass(frozen=True)
class ToySettings:
    scale: float = 1.0


class Good(Analyzer[ToySettings]):
    name = "good"
    version = "1"
    needs = Needs(edge=64)
    device = Device.MODEL
    batch_size = 4
    facts = {"brightness": float}  # noqa: RUF012
    settings_type = ToySettings

    def analyze(self, photos: Sequence[PhotoInput]) -> Sequence[Finding | Failure]:
        return [self._look(photo) for photo in photos]

    def _look(self, photo: PhotoInput) -> Finding | Failure:
        if photo.width < 3:
            return Failure("too small to say anything of")
        mean = photo.image.mean(axis=(0, 1)) + 1
        return Finding(
            facts={"brightness": float(mean.mean() * self.settings.scale)},
            tags=[Tag("bright" if mean.mean() > 100 else "dark", 0.5)],
            vectors=[Vector("toy", mean)],
        )


class Raising(Good):
    def analyze(self, photos: Sequence[PhotoInput]) -> Sequence[Finding | Failure]:
        return [Finding(facts={"first": int(photo.image[10, 10, 0])}) for photo in photos]


class Counting(Good):
    def load(self, device: str) -> None:
        self._count = itertools.count()

    def analyze(self, photos: Sequence[PhotoInput]) -> Sequence[Finding | Failure]:
        return [Finding(facts={"count": next(self._count)}) for photo in photos]


class MindfulOfItsBatch(Good):
    def analyze(self, photos: Sequence[PhotoInput]) -> Sequence[Finding | Failure]:
        mean = np.mean([photo.image.mean() for photo in photos])
        return [Finding(facts={"brightness": float(mean)}) for photo in photos]


class Forgetful(Good):
    def analyze(self, photos: Sequence[PhotoInput]) -> Sequence[Finding | Failure]:
        return [Finding()] * (len(photos) - 1)


class OfTheWrongType(Good):
    def analyze(self, photos: Sequence[PhotoInput]) -> Sequence[Finding | Failure]:
        return [Finding(facts={"brightness": "very"}) for photo in photos]


class Scribbling(Good):
    def analyze(self, photos: Sequence[PhotoInput]) -> Sequence[Finding | Failure]:
        for photo in photos:
            photo.image[:] = 0
        return [Finding() for photo in photos]


class Unloadable(Good):
    def load(self, device: str) -> None:
        raise ImportError("no such library")


class Nameless(Analyzer[None]):
    version = "1"

    def analyze(self, photos: Sequence[PhotoInput]) -> Sequence[Finding | Failure]:
        return [Finding() for photo in photos]


class Demanding(Good):
    requires = ("a-model",)


def test_an_analyzer_that_keeps_the_contract_passes_and_its_findings_are_returned() -> None:
    outcomes = check_analyzer(Good)
    assert outcomes["a photo of one pixel"] == Failure("too small to say anything of")
    white = outcomes["a white photo"]
    assert isinstance(white, StoredFinding)
    assert white.facts == {"brightness": 256.0}


def test_settings_and_photos_of_ones_own_are_used() -> None:
    photo = make_photo(Good, np.full((10, 20, 3), 9, np.uint8))
    mine = check_analyzer(Good, settings=ToySettings(scale=2.0), photos={"mine": photo})["mine"]
    assert isinstance(mine, StoredFinding)
    assert mine.facts == {"brightness": 20.0}


@pytest.mark.parametrize(
    ("analyzer", "problem"),
    [
        (Raising, "a photo of one pixel: it raises IndexError"),
        (Counting, "another finding the second time: count 0 10"),
        (MindfulOfItsBatch, "another finding in a batch than alone"),
        (Forgetful, "a black photo: 0 answers for 1 photos"),
        (OfTheWrongType, "fact brightness was declared float and is 'very'"),
        (Scribbling, "it raises ValueError: assignment destination is read-only"),
        (Unloadable, "it cannot be loaded: ImportError: no such library"),
        (Nameless, "needs a `name`"),
        (Demanding, "it requires a-model: give their directories as `model_dirs`"),
    ],
)
def test_what_an_analyzer_does_not_keep_is_named(analyzer: type[Analyzer[Any]], problem: str) -> None:
    with pytest.raises(ConformanceError) as caught:
        check_analyzer(analyzer)
    assert problem in str(caught.value)
    assert "writing-plugins" in caught.value.advice


def test_a_class_that_workers_cannot_import_is_refused() -> None:
    class Hidden(Good):
        name = "hidden"

    with pytest.raises(ConformanceError, match="inside a function"):
        check_analyzer(Hidden)


def test_photos_come_at_the_analyzers_own_size_and_read_only() -> None:
    photos = awkward_photos(Good)
    assert {max(photo.image.shape[:2]) for photo in photos.values()} == {64, 32, 40, 3, 1}
    assert not any(photo.image.flags.writeable or photo.data for photo in photos.values())
    assert awkward_photos(Metadata)["a panorama"].pixels is None
    assert awkward_photos(Metadata)["a panorama"].data.startswith(b"\xff\xd8")


def test_the_built_in_analyzers_keep_the_contract(tmp_path: Path) -> None:
    for analyzer in (Metadata, Technical, Preview):
        outcomes = check_analyzer(analyzer, cache_dir=tmp_path)
        assert all(isinstance(outcome, StoredFinding) for outcome in outcomes.values())
