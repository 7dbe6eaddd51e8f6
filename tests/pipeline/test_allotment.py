"""How many photos at once an analyzer gets."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from imgd import Analyzer, Finding, PhotoInput
from imgd.pipeline import allotment
from imgd.pipeline.allotment import Allotment, LaneMemory
from imgd.pipeline.hosted import DeviceFaultError

_MB = 1 << 20


class Plain(Analyzer[None]):
    name = "plain"
    version = "1"
    batch_size = 100
    memory_mb = 50
    photo_mb = 2.5

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding]:
        return [Finding() for _ in photos]


class Ahead(Plain):
    name = "ahead"

    def begin(self, photos: Sequence[PhotoInput]) -> Sequence[PhotoInput]:
        return photos


class Unmeasured(Plain):
    name = "unmeasured"
    photo_mb = 0


@pytest.mark.parametrize(
    ("kind", "room_mb", "size"),
    [
        (Plain, 1000, 100),
        (Plain, 130, 48),
        (Plain, 15, 6),
        (Plain, -100, 1),
        (Ahead, 130, 24),
        (Unmeasured, 1, 100),
    ],
)
def test_a_batch_is_as_large_as_the_room_allows_and_two_are_in_hand_where_one_is_begun_ahead(
    kind: type[Plain], room_mb: float, size: int
) -> None:
    allotted = Allotment(kind(None, {}), "cpu")
    allotted.fit(room_mb * _MB)
    assert allotted.size == size


def test_what_analyzers_declare_is_not_there_for_photos_and_they_share_the_rest() -> None:
    memory = LaneMemory("cpu", 300)
    sizes, room_mb = memory.allot({"plain": Plain(None, {}), "ahead": Ahead(None, {}), "un": Unmeasured(None, {})})
    assert room_mb == 150
    assert {name: each.size for name, each in sizes.items()} == {"plain": 24, "ahead": 15 - 15 % 8, "un": 100}


def test_where_nobody_knows_what_is_free_batches_are_as_large_as_they_are_declared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(allotment, "free_bytes", lambda _device: None)
    monkeypatch.setattr(allotment, "budget_bytes", lambda _device, _limit_mb: None)
    sizes, room_mb = LaneMemory("cuda:0", 0).allot({"plain": Plain(None, {})})
    assert (sizes["plain"].size, room_mb) == (100, -1)


def test_a_batch_that_did_not_fit_halves_those_to_come() -> None:
    allotted = Allotment(Plain(None, {}), "cpu")
    allotted.halve(64)
    assert allotted.size == 32
    allotted.halve(2)
    assert allotted.size == 1


def test_a_single_photo_fails_in_a_fresh_process_and_ends_one_that_has_worked() -> None:
    allotted = Allotment(Plain(None, {}), "cpu")
    assert allotted.refuse() == ("not enough memory for this photo on cpu (`lanes.memory_mb`)", False)
    allotted.worked = True
    with pytest.raises(DeviceFaultError):
        allotted.refuse()


def test_a_photo_waits_while_other_programs_hold_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    available = iter([1000, 300])
    monkeypatch.setattr(allotment, "available_bytes", lambda _device: next(available))
    allotted = Allotment(Plain(None, {}), "cuda:0")
    assert allotted.refuse() == ("other programs hold the memory of cuda:0", True)
