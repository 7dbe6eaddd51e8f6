"""Thumbnails in terminals: which are asked, what they answer, and what they are sent then."""

from __future__ import annotations

import re

import pytest
from terminal_pictures import read_kitty, read_sixel
from terminal_session import run_in_terminal

PLAIN = b"\x1b[?1;2c"
SIXEL = b"\x1b[?62;4;22c"
KITTY = b"\x1b_Gi=31;OK\x1b\\" + b"\x1b[6;30;15t" + b"\x1b[?62;c"
MANY = ("search", "many", "-n", "7")


def placed(out: bytes, rows: int) -> list[bytes]:
    """What is drawn on rows that were made for it, with the cursor kept."""
    pattern = rb"(?:\r\n){%d}\x1b\[%dA\x1b7(.*?)\x1b8\x1b\[%dB\r" % (rows, rows, rows)
    return re.findall(pattern, out, re.DOTALL)


def test_a_terminal_of_kittys_kind_is_sent_strips_with_numbers_below(running, home):
    session = run_in_terminal(home, running.server.path, *MANY, reply=KITTY)
    strips = [read_kitty(strip) for strip in placed(session.out, 6)]
    assert [(keys["c"], keys["r"], strip.size) for keys, strip in strips] == [
        ("100", "6", (1500, 180)),
        ("40", "6", (600, 180)),
    ]
    second = strips[0][1].getpixel((300 + 150, 90))  # photo 102: upright, so narrower than its place
    assert second[3] == 0
    red, green, blue, alpha = strips[0][1].getpixel((300 + 50, 90))
    assert alpha == 255
    assert max(abs(red - 102), abs(green - 153), abs(blue - 128)) < 6
    lines = session.text.split("\r\n")
    assert any(line.split() == ["1", "2", "3", "4", "5"] for line in (each.rpartition("\r")[2] for each in lines))
    assert re.search(r"\n *7 +/photos/many/IMG_107.jpg", re.sub(r"\x1b\[[\d;]*m", "", session.text))
    assert session.modes_kept


def test_a_terminal_with_sixels_is_sent_sixels_in_as_many_colours_as_it_has(running, home):
    session = run_in_terminal(home, running.server.path, *MANY, reply=b"\x1b[?1;0;16S" + SIXEL)
    strips = placed(session.out, 6)
    assert [read_sixel(strip).size for strip in strips] == [(1000, 120), (400, 120)]
    assert all(len(re.findall(rb"#\d+;2;", strip)) <= 16 for strip in strips)


def test_iterm2_is_known_by_its_variables(running, home):
    for variable in ({"TERM_PROGRAM": "iTerm.app"}, {"LC_TERMINAL": "iTerm2"}):
        session = run_in_terminal(home, running.server.path, *MANY, reply=PLAIN, **variable)
        strips = placed(session.out, 6)
        assert [strip.partition(b"=")[0] for strip in strips] == [b"\x1b]1337;File"] * 2
    inside = run_in_terminal(
        home, running.server.path, *MANY, reply=PLAIN, LC_TERMINAL="iTerm2", TMUX="/tmp/x,1,0"
    )
    assert placed(inside.out, 6) == []


@pytest.mark.parametrize("reply", [PLAIN, b"", b"\x1b[?64;14;24c", b"\x1b_Gi=31;ENOTSUPPORTED:no\x1b\\" + PLAIN])
def test_a_terminal_that_shows_no_pictures_is_sent_none(running, home, reply):
    session = run_in_terminal(home, running.server.path, *MANY, reply=reply)
    assert placed(session.out, 6) == []
    assert "IMG_107.jpg" in session.text
    assert session.modes_kept
    assert session.code == 0


def test_a_terminal_is_not_even_asked_where_no_thumbnails_are_wanted(running, home, imgctl):
    for session in (
        run_in_terminal(home, running.server.path, *MANY, "--thumbnails", "never"),
        run_in_terminal(home, running.server.path, *MANY, "--json"),
        run_in_terminal(home, running.server.path, *MANY, "--paths"),
        run_in_terminal(home, running.server.path, *MANY, TERM="dumb"),
    ):
        assert b"\x1b[c" not in session.out
    assert "\x1b" not in imgctl(*MANY).stdout


def test_what_was_typed_ahead_is_left_for_the_shell(running, home):
    session = run_in_terminal(home, running.server.path, *MANY, ahead=b"ls -l\n")
    assert b"\x1b[c" not in session.out
    assert session.typed == b"ls -l\n"


def test_thumbnails_that_are_demanded_and_cannot_be_shown_are_an_error(running, home):
    session = run_in_terminal(home, running.server.path, *MANY, "--thumbnails", "always", reply=PLAIN)
    assert session.code == 2
    assert "shows no pictures" in session.text


def test_without_any_preview_the_table_stands_alone(running, home):
    session = run_in_terminal(home, running.server.path, "search", "cat", reply=KITTY)
    assert placed(session.out, 6) == []
    assert "#" not in session.text
