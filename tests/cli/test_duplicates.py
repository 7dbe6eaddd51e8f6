"""What `imgctl duplicates` writes, and its exit codes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest


def imgctl(running, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "imgd.cli.imgctl", "--socket", str(running.server.path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_piped_it_prints_a_line_a_file(running):
    done = imgctl(running, "duplicates")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "1\t1\t70000\t640x480\t/photos/cat.jpg",
        "1\t2\t70000\t-\t/photos/copy of cat.jpg",
        "2\t1\t70000\t640x480\t/photos/dog.jpg",
        "2\t2\t70000\t-\t/photos/copy of dog.jpg",
    ]
    assert done.stderr == "imgctl: all were read\n"


def test_with_json_it_prints_a_group_a_line(running):
    groups = [json.loads(line) for line in imgctl(running, "duplicates", "--json").stdout.splitlines()]
    assert [(group["count"], group["saved_bytes"], len(group["files"])) for group in groups] == [
        (2, 70_000, 2)
    ] * 2


def test_in_a_terminal_it_shows_tables_and_what_could_be_saved(running):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "imgd.cli.imgctl", "--socket", str(running.server.path), "duplicates"]
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:  # how a terminal says that the other end is closed
            pass
        os.close(ours)
        assert process.wait(60) == 0
    assert b"2 files, 140.0 kB, 70.0 kB could be saved" in shown
    assert b"2 groups, 140.0 kB could be saved." in shown


@pytest.mark.parametrize("option", ["--bursts", "--pairs"])
def test_other_lists_are_asked_for_by_option(running, option):
    assert imgctl(running, "duplicates", option).returncode == 0


def test_nothing_found_is_exit_code_1(running):
    done = imgctl(running, "duplicates", "--near")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no photos look the same" in done.stderr
