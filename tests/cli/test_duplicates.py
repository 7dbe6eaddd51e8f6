"""What `imgctl duplicates` writes, and its exit codes."""

from __future__ import annotations

import json

import pytest
from terminal_session import run_in_terminal


def test_piped_it_prints_a_line_a_file(running, imgctl):
    done = imgctl("duplicates")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "1\t1\t70000\t640x480\t/photos/cat.jpg",
        "1\t2\t70000\t-\t/photos/copy of cat.jpg",
        "2\t1\t70000\t640x480\t/photos/dog.jpg",
        "2\t2\t70000\t-\t/photos/copy of dog.jpg",
    ]
    assert done.stderr == "imgctl: all were read\n"


def test_with_json_it_prints_a_group_a_line(running, imgctl):
    groups = [json.loads(line) for line in imgctl("duplicates", "--json").stdout.splitlines()]
    assert [(group["count"], group["saved_bytes"], len(group["files"])) for group in groups] == [
        (2, 70_000, 2)
    ] * 2


def test_in_a_terminal_it_shows_tables_and_what_could_be_saved(running, home):
    session = run_in_terminal(home, running.server.path, "duplicates")
    assert session.code == 0
    assert "2 files, 140.0 kB, 70.0 kB could be saved" in session.text
    assert "2 groups, 140.0 kB could be saved." in session.text


@pytest.mark.parametrize("option", ["--bursts", "--pairs"])
def test_other_lists_are_asked_for_by_option(running, imgctl, option):
    done = imgctl("duplicates", option)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2)
    assert f"/photos/{option[2:]}.jpg" in done.stdout


def test_nothing_found_is_exit_code_1(running, imgctl):
    done = imgctl("duplicates", "--near")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no photos look the same" in done.stderr
