from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from imgd import Analyzer, Failure, Finding, PhotoInput
from imgd.errors import BrokenImageError, DiskFullError
from imgd.pipeline.hosted import (
    DeviceFaultError,
    analyze,
    describe_error,
    is_out_of_memory,
    load_hosted,
    make_hosted,
)
from imgd.pipeline.messages import AnalyzerSpec
from imgd.pipeline.plan import make_spec

PHOTOS = [PhotoInput(number, f"/{number}.jpg", "jpeg", 1, 1) for number in range(4)]


class Answering(Analyzer[Any]):
    """Does what its settings say."""

    name = "answering"
    version = "1"
    cache_dir: Path | None = None

    def analyze(self, photos):
        self.calls = [*getattr(self, "calls", []), len(photos)]
        return self.settings(photos)


def outcomes(answer):
    analyzer = Answering(answer, {})
    return analyze(analyzer, PHOTOS), analyzer


def test_each_photo_has_its_outcome_in_order():
    found, analyzer = outcomes(
        lambda photos: [
            Failure("") if p.photo_id == 1 else Failure("odd") if p.photo_id == 3 else Finding({"id": p.photo_id})
            for p in photos
        ]
    )
    assert [each.finding.facts if each.finding else each.reason for each in found] == [
        {"id": 0},
        "the analyzer gave no reason",
        {"id": 2},
        "odd",
    ]
    assert analyzer.calls == [4]


def test_a_batch_that_raises_is_repeated_photo_by_photo():
    def answer(photos):
        if any(photo.photo_id == 2 for photo in photos):
            raise KeyError("two")
        return [Finding() for _ in photos]

    found, analyzer = outcomes(answer)
    assert [each.reason for each in found] == ["", "", "KeyError: 'two'", ""]
    assert analyzer.calls == [4, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda photos: [Finding()] * 3, "returned 3 findings for 1 photos"),
        (lambda photos: None, "TypeError"),
        (lambda photos: [None for _ in photos], "returned NoneType"),
    ],
)
def test_answers_that_do_not_fit_the_photos_are_failures(answer, reason):
    found, _ = outcomes(answer)
    assert len(found) == 4
    assert all(reason in each.reason for each in found)


def test_nonsense_in_one_finding_costs_only_that_one():
    found, _ = outcomes(lambda photos: [Finding({"x": float("nan")}), *[Finding()] * (len(photos) - 1)])
    assert "fact x is nan" in found[0].reason
    assert all(each.finding is not None for each in found[1:])


def test_only_a_full_disk_may_pass_by_itself():
    def full(photos):
        raise DiskFullError("no room")

    def broken(photos):
        raise BrokenImageError("cut")

    assert {(each.reason, each.transient) for each in outcomes(full)[0]} == {("The disk is full: no room", True)}
    assert {(each.reason, each.transient) for each in outcomes(broken)[0]} == {
        ("The image file is broken: cut", False)
    }


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("bad"), "ValueError: bad"),
        (ValueError(), "ValueError"),
        (MemoryError(), "not enough memory for this photo (`decode.memory_mb`)"),
    ],
)
def test_errors_are_described_in_plain_words(error, words):
    assert describe_error(error) == words


def test_an_analyzer_is_made_by_name_with_all_it_is_given():
    from toy_analyzers import Shape

    made = make_hosted(make_spec(Shape, {"a": 1}, {"m": Path("/m")}, Path("/cache")))
    assert type(made).__name__ == "Shape"
    assert (made.settings, made.model_dirs, made.cache_dir) == ({"a": 1}, {"m": Path("/m")}, Path("/cache"))


def test_one_that_cannot_be_loaded_costs_only_itself():
    from toy_analyzers import Header, Unloadable

    doing: list[str] = []
    specs = [
        make_spec(Unloadable, None, {}, None),
        make_spec(Header, None, {}, None),
        AnalyzerSpec("gone", "no_such_module", "Gone", None, {}),
    ]
    loaded, faults = load_hosted(specs, "cpu", doing.append)
    assert set(loaded) == {"header"}
    assert faults == {
        "unloadable": "ImportError: a library is missing",
        "gone": "ModuleNotFoundError: No module named 'no_such_module'",
    }
    assert doing == ["unloadable", "header", "gone", ""]


class Allowed:
    """An allowance that notes what it was told."""

    def __init__(self, size):
        self.size = size
        self.halved = []

    def halve(self, count):
        self.halved.append(count)
        self.size = count // 2

    def refuse(self):
        return "no memory", True


def test_a_batch_that_does_not_fit_is_repeated_in_halves_and_what_follows_is_as_small():
    def answer(photos):
        if len(photos) > 1:
            raise MemoryError
        return [Finding({"id": photos[0].photo_id})]

    analyzer, allowed = Answering(answer, {}), Allowed(4)
    found = analyze(analyzer, PHOTOS, allowed)
    assert [each.finding.facts["id"] for each in found] == [0, 1, 2, 3]
    assert allowed.halved == [4, 2]
    assert analyzer.calls == [4, 2, 1, 1, 1, 1]


def test_a_photo_that_does_not_fit_by_itself_is_refused_with_the_reason_of_the_allowance():
    def answer(photos):
        if any(photo.photo_id == 2 for photo in photos):
            raise MemoryError
        return [Finding() for _ in photos]

    found = analyze(Answering(answer, {}), PHOTOS, Allowed(4))
    assert [(each.reason, each.transient) for each in found] == [
        ("", False),
        ("", False),
        ("no memory", True),
        ("", False),
    ]


def test_an_error_of_the_device_ends_the_work_of_a_lane():
    def answer(photos):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(DeviceFaultError, match="illegal memory access"):
        analyze(Answering(answer, {}), PHOTOS, Allowed(4))


class OutOfMemoryError(RuntimeError):
    """As PyTorch and CuPy name theirs."""


@pytest.mark.parametrize(
    ("error", "short"),
    [
        (MemoryError(), True),
        (OutOfMemoryError("Tried to allocate 20 MiB"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
        (ValueError("bad shape"), False),
    ],
)
def test_libraries_say_in_their_own_ways_that_memory_is_short(error, short):
    assert is_out_of_memory(error) is short
