"""What keeps one analyzer's doings from the others: bounds on what is printed, kept and sent."""

from __future__ import annotations

import gc
import mmap
import os
from collections.abc import Callable
from typing import Any

import pytest

from imgd import Analyzer, Failure, Finding, PhotoInput, Text
from imgd.domain import StoredFinding
from imgd.pipeline import voices
from imgd.pipeline.checked import plain_finding
from imgd.pipeline.growth import Growth
from imgd.pipeline.hosted import analyze, close_hosted
from imgd.pipeline.voices import Voices

_MB = 1 << 20


class Does(Analyzer[None]):
    """Does what it is told."""

    name = "does"
    version = "1"

    def __init__(self, act: Callable[[Any], Any]) -> None:
        super().__init__(None, {})
        self._act = act

    def analyze(self, photos: Any) -> list[Finding | Failure]:
        answers: list[Finding | Failure] = self._act(photos)
        return answers

    def close(self) -> None:
        self._act([])


def leave(_photos: object) -> Any:
    raise SystemExit("enough")


class Unreadable(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("do not look")


PHOTO = PhotoInput(1, "/a.jpg", "jpeg", 1, 1)


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (leave, "SystemExit: enough"),
        (lambda photos: [photos.clear()], "returned NoneType, not a Finding or a Failure"),
        (lambda _photos: [Finding(facts=Unreadable())], "RuntimeError: do not look"),
        (
            lambda _photos: [Finding(texts=[Text("text", "x" * 200_000)] * 60)],
            "its finding is too large: 11 MB of one photo, and 8 MB is the most",
        ),
    ],
)
def test_whatever_an_analyzer_does_becomes_a_reason(act: Callable[[Any], Any], reason: str) -> None:
    photos = [PHOTO]
    (outcome,) = analyze(Does(act), photos)
    assert reason in outcome.reason
    assert photos == [PHOTO]


def test_all_are_closed_whatever_one_of_them_does(caplog: pytest.LogCaptureFixture) -> None:
    closed: list[int] = []
    close_hosted([Does(leave), Does(lambda _: closed.append(1))])
    assert closed == [1]
    assert "analyzer does: close() raised SystemExit: enough" in caplog.messages


def test_what_an_analyzer_does_to_a_finding_that_it_reads_is_not_done_to_the_finding() -> None:
    stored = StoredFinding(facts={"objects": {"dog": 1}})
    read = plain_finding(stored)
    read.facts["objects"]["dog"] = 7  # type: ignore[index, call-overload]
    assert stored.facts == {"objects": {"dog": 1}}


def test_growth_is_laid_at_the_door_of_the_analyzer_that_grew() -> None:
    gc.collect()  # what earlier tests left is not to go meanwhile
    growth = Growth(100 * _MB)
    kept = []
    with growth.during("thrifty"):
        kept.append(mmap.mmap(-1, 10 * _MB))
    assert not growth.is_too_much
    for _ in range(3):
        with growth.during("leaky"):
            kept.append(mmap.mmap(-1, 40 * _MB))
    assert growth.is_too_much
    assert growth.culprit == "leaky"
    assert "it leaks: its process grew by 1" in growth.sentence
    del kept


def test_growth_that_is_nobodys_alone_is_nobodys() -> None:
    gc.collect()  # what earlier tests left is not to go meanwhile
    growth = Growth(100 * _MB)
    kept = []
    for name in "abc":
        with growth.during(name):
            kept.append(mmap.mmap(-1, 50 * _MB))
    assert growth.is_too_much
    assert growth.culprit == ""
    del kept


@pytest.fixture
def heard() -> Any:
    """Where everything that is passed on goes, to be read."""
    descriptor = os.memfd_create("heard")
    yield descriptor
    os.close(descriptor)


def test_what_children_print_is_passed_on_up_to_a_bound_for_each_name(
    heard: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voices, "MOST_BYTES", 10)
    passed = Voices(heard)
    loud, loud_mouth = passed.open("loud")
    quiet, quiet_mouth = passed.open("quiet")
    assert passed.pass_on(loud)  # nothing yet
    for said in (b"12345678", b"90abc", b"more"):
        os.write(loud_mouth, said)
        assert passed.pass_on(loud)
    os.write(quiet_mouth, b"hello\n")
    os.close(quiet_mouth)
    passed.drain()
    assert not passed.pass_on(quiet)
    again, again_mouth = passed.open("loud")  # whoever takes its place has no more
    os.write(again_mouth, b"still more")
    assert passed.pass_on(again)
    said = os.pread(heard, 4096, 0)
    assert said == b"1234567890\nloud prints too much: the rest of this minute is left out\nhello\n"
    monkeypatch.setattr(voices, "WINDOW_S", 0.0)
    os.write(again_mouth, b"anew")
    assert passed.pass_on(again)
    assert os.pread(heard, 4096, len(said)) == b"anew"
    for descriptor in (loud, loud_mouth, quiet, again, again_mouth):
        os.close(descriptor)
