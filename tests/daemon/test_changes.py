"""What a start tells of analyzers that are not as the library knows them."""

from __future__ import annotations

import dataclasses

import pytest

from imgd.daemon.changes import describe_changes
from imgd.domain import RunMode
from imgd.store.analyzers import AnalyzerDeclaration, AnalyzerRow

FACES = AnalyzerRow(1, "faces", "1", "a", 1, active=True)
DECLARED = AnalyzerDeclaration("faces", "1", "a")


def told(row: AnalyzerRow | None, *declared: AnalyzerDeclaration) -> list[str]:
    return describe_changes({} if row is None else {row.name: row}, declared)


def test_what_is_as_before_is_not_told() -> None:
    assert told(FACES, DECLARED) == []


def test_a_new_library_is_not_told_that_its_analyzers_are_new() -> None:
    assert told(None, DECLARED) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"version": "2"},
            "faces is analyzed again: version 2 in place of 1; what it found before serves until then",
        ),
        ({"digest": "b"}, "faces is analyzed again: other settings; what it found before serves until then"),
        (
            {"digest": "b", "run": RunMode.REQUEST},
            "faces is analyzed again once it is asked for: other settings; what it found before serves until then",
        ),
        ({"run": RunMode.IDLE}, "faces runs on idle from now on; before that, always"),
    ],
)
def test_a_change_is_told_with_its_reason(change: dict[str, str], sentence: str) -> None:
    assert told(FACES, dataclasses.replace(DECLARED, **change)) == [sentence]


def test_analyzers_that_come_and_go_are_told() -> None:
    assert told(FACES) == ["faces runs no more; what it found stays"]
    assert told(FACES, DECLARED, AnalyzerDeclaration("ocr", "1", "")) == ["ocr is new: it analyzes all photos"]
    away = dataclasses.replace(FACES, active=False)
    assert told(away, DECLARED) == ["faces is back: it analyzes what came since"]
    assert told(away) == []
