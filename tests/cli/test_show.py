"""What `imgctl show` makes of findings: for people in a terminal, and line by line for programs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from imgd.cli import show
from imgd.cli.session import Session
from imgd.control.protocol import FindingAnswer, PhotoAnswer, RegionAnswer, TextAnswer

Lines = Callable[[bool], list[str]]

FOUND = FindingAnswer(
    "ocr",
    "1",
    1,
    1,
    0.0,
    stale=False,
    facts={
        "text_skipped": False,
        "objects": {"person": 3, "dining table": 1},
        "colours": ["#fff", "#000"],
        "kin": [],
    },
    texts=(TextAnswer("text", "HARBOUR\nclosed\x1b[31m"),),
    regions=tuple(RegionAnswer("text", word, 0.9, (0.0, 0.0, 0.5, 0.1)) for word in ("HARBOUR", "closed")),
)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lines:
    """What is printed of a photo with this finding, in a terminal or not."""
    photo = PhotoAnswer(1, "/photos/a.jpg", "/photos", "present", 1, 0.0, 0.0, 1, findings=(FOUND,))
    monkeypatch.setattr(show, "find_photo", lambda _client, _name: photo)
    monkeypatch.setattr(Session, "client", lambda _session: None)

    def run(terminal: bool) -> list[str]:
        monkeypatch.setattr(show, "is_terminal", lambda: terminal)
        show.show.main(["1"], obj=Session(), standalone_mode=False)
        return [line.rstrip() for line in capsys.readouterr().out.splitlines()]

    return run


def test_text_of_several_lines_is_read_as_such_in_a_terminal(lines: Lines) -> None:
    told = lines(True)
    at = next(number for number, line in enumerate(told) if line.startswith("text  "))
    assert [line.split() for line in told[at : at + 4]] == [
        ["text", "HARBOUR"],
        ["closed\\e[31m"],
        ["region", "text", "HARBOUR", "0.90", "at", "0.000,", "0.000,", "0.500,", "0.100"],
        ["closed", "0.90", "at", "0.000,", "0.000,", "0.500,", "0.100"],
    ]


def test_for_programs_every_value_is_a_line_with_its_name(lines: Lines) -> None:
    told = lines(False)
    assert "ocr.text\tHARBOUR\\nclosed\\e[31m" in told
    assert [line.split("\t")[0] for line in told[-2:]] == ["ocr.region text"] * 2


@pytest.mark.parametrize("terminal", [False, True])
def test_facts_are_told_as_queries_have_them(lines: Lines, terminal: bool) -> None:
    told = [line.replace("\t", " ").removeprefix("ocr.").split(maxsplit=1) for line in lines(terminal)]
    assert ["text_skipped", "no"] in told
    assert ["objects", "person 3, dining table 1"] in told
    assert ["colours", "#fff, #000"] in told
    assert ["kin", "none"] in told
