"""How values are written for people."""

from __future__ import annotations

import pytest

from imgd.cli.terminal import human_duration, human_size, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë und 猫.jpg", "Zoë und 猫.jpg"),
        ("two words", "two words"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x1b]0;title\x07", "\\e]0;title\\x07"),
        ("photo\u202egpj.exe", "photo\\u202egpj.exe"),
        ("\udcff", "\\udcff"),
        ("a\u00a0b", "a\u00a0b"),
    ],
)
def test_whatever_could_play_with_the_terminal_is_escaped(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "-"),
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (273600, "3 d 4 h"),
    ],
)
def test_durations_have_at_most_two_units(seconds, shown):
    assert human_duration(seconds) == shown


@pytest.mark.parametrize(
    ("size", "shown"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (23e6, "23.0 MB"), (3e12, "3.0 TB")]
)
def test_sizes_are_in_powers_of_ten(size, shown):
    assert human_size(size) == shown
