"""`imgctl search`: its pages, its forms, its contact sheet and its viewer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from small_disk import small_disk
from terminal_session import run_in_terminal

ODD = b"/photos/many/caf\xe9\n\x1b[31mred.jpg"


def test_options_reach_the_daemon(running, imgctl, home):
    done = imgctl(
        "search", "many", "-n", "3", "--sort", "path", "--min-score", "0.5", "--after", "105", "--explain"
    )
    assert done.returncode == 0, done.stderr
    query, options = running.services.asked[-1]
    assert query == "many"
    assert (options.limit, options.sort, options.min_score, options.after) == (3, "path", 0.5, "105")
    assert options.explain
    assert options.cwd == os.fsencode(home)


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["many", "-night"], "many -night"),
        (["-night", "many", "-cat"], "-night many -cat"),
        (["many", "-0ther", "-is:raw", '-"new york"', "-(a OR b)"], 'many -0ther -is:raw -"new york" -(a OR b)'),
        (["many", "-2019"], "many -2019"),
        (["many", "--", "-all", "-n"], "many -all -n"),
    ],
)
def test_an_excluded_word_is_no_option(running, imgctl, arguments, asked):
    done = imgctl("search", "-n5", "--after", "105", *arguments)
    assert done.returncode == 0, done.stderr
    query, options = running.services.asked[-1]
    assert (query, options.limit, options.after) == (asked, 5, "105")


def test_options_that_are_mistyped_or_wrong_are_still_refused(running, imgctl):
    for arguments in (["-all"], ["-sort", "date"], ["-x"], ["--night"], ["-n", "-5x"], ["--min-score", "-0.5"]):
        assert imgctl("search", "many", *arguments).returncode == 2, arguments
    assert not running.services.asked


def test_json_names_the_next_page_in_its_last_line_alone(running, imgctl):
    lines = [json.loads(line) for line in imgctl("search", "many", "-n", "3", "--json").stdout.splitlines()]
    assert [line.get("after") for line in lines] == [None, None, "104"]
    following = imgctl("search", "many", "-n", "100", "--json", "--after", "104").stdout.splitlines()
    assert json.loads(following[0])["photo_id"] == 104
    assert "after" not in json.loads(following[-1])


def test_all_walks_the_pages_to_their_end(running, imgctl):
    lines = [json.loads(line) for line in imgctl("search", "--all", "many", "--json").stdout.splitlines()]
    assert [line["photo_id"] for line in lines] == list(range(101, 146))
    assert not any("after" in line for line in lines)


def test_all_asks_for_the_next_page_until_there_is_none(running, home):
    code = """
import sys
from imgd.cli import search
search._PAGE_OF_ALL = 20
from imgd.cli.imgctl import main
sys.exit(main(["search", "--all", "--paths", "many"]))
"""
    environment = dict(os.environ) | {"IMGD_SOCKET": str(running.server.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env=environment, cwd=home, timeout=60, check=True
    )
    assert len([line for line in done.stdout.splitlines() if line.startswith(b"/photos/many/IMG")]) == 44
    assert [options.after for _query, options in running.services.asked] == ["", "121", "141"]
    assert done.stderr.count(b"changed photos") == 1


def test_paths_come_byte_for_byte_for_xargs(running, home):
    environment = dict(os.environ) | {"IMGD_SOCKET": str(running.server.path)}
    command = [sys.executable, "-m", "imgd.cli.imgctl", "search", "many", "-n", "4"]

    def run(option: str) -> bytes:
        return subprocess.check_output([*command, option], env=environment, cwd=home, timeout=60)

    null = run("-0")
    assert null.split(b"\0") == [
        b"/photos/many/IMG_101.jpg", b"/photos/many/IMG_102.jpg", ODD, b"/photos/many/IMG_104.jpg", b"",
    ]  # fmt: skip
    counted = subprocess.run(
        ["xargs", "-0", "-n", "1", "printf", "<%s>"], input=null, capture_output=True, check=True
    )
    assert counted.stdout.count(b"<") == 4
    lines = run("--paths")
    assert lines == null.replace(b"\0", b"\n")


def test_explain_prints_every_reason_below_its_photo(running, imgctl, home):
    lines = imgctl("search", "many", "-n", "2", "--explain").stdout.splitlines()
    assert lines[0].split("\t") == ["/photos/many/IMG_101.jpg", "1.000", "tag many"]
    assert lines[1:3] == ["\tmany: tag many 0.9, rank 1", "\tlooks like: 0.93"]
    assert lines[3].startswith("/photos/many/IMG_102.jpg\t")
    shown = run_in_terminal(home, running.server.path, "search", "many", "-n", "2", "--explain").text
    assert "    many: tag many 0.9, rank 1\r\n    looks like: 0.93\r\n" in shown


def test_a_terminal_is_told_how_many_there_are_and_how_to_go_on(running, home, imgctl):
    shown = run_in_terminal(home, running.server.path, "search", "many").text
    assert "20 of 1,234 photos, 12 ms\r\nmore: --after 121\r\n" in shown
    assert "at least 1,234" in run_in_terminal(home, running.server.path, "search", "many", "--sort", "path").text
    last = run_in_terminal(home, running.server.path, "search", "cat").text
    assert "1 photo, 4 ms" in last
    assert "more:" not in last
    assert "more:" not in imgctl("search", "many").stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--json", "--paths"),
        ("--explain", "-0"),
        ("--all", "-n", "3"),
        ("--force",),
        ("--min-score", "2"),
        ("--sort", "size"),
        ("--contact-sheet", "out.png"),
        ("--contact-sheet", "/nowhere/out.jpg"),
    ],
)
def test_what_makes_no_sense_is_refused_before_the_search(running, imgctl, arguments):
    done = imgctl("search", *arguments, "many")
    assert done.returncode == 2, done
    assert running.services.asked == []


def test_a_contact_sheet_shows_every_photo_in_order_with_its_colour(running, imgctl, home):
    done = imgctl("search", "many", "-n", "12", "--contact-sheet", "out.jpg")
    assert done.returncode == 0, done.stderr
    assert "wrote out.jpg: 12 photos, 6 of them without a preview" in done.stderr
    assert len(done.stdout.splitlines()) == 12
    with Image.open(home / "out.jpg") as sheet:
        assert sheet.size == (8 + 4 * 264, 8 + 3 * 285)
        for position, photo_id in enumerate(range(101, 113)):
            row, column = divmod(position, 4)
            middle = sheet.getpixel((8 + column * 264 + 128, 8 + row * 285 + 128))
            expected = (96, 96, 96) if photo_id % 2 else (photo_id, 255 - photo_id, 128)
            assert max(abs(ours - theirs) for ours, theirs in zip(middle, expected, strict=True)) < 6
        label = sheet.crop((8, 8 + 256, 264, 285)).convert("L")
        assert label.getextrema()[0] < 100, "the name is not there"


def test_a_contact_sheet_replaces_a_contact_sheet_and_no_other_file(running, imgctl, home):
    assert imgctl("search", "many", "--contact-sheet", "out.jpg").returncode == 0
    before = (home / "out.jpg").stat().st_ino
    assert imgctl("search", "many", "--contact-sheet", "out.jpg").returncode == 0
    assert (home / "out.jpg").stat().st_ino != before
    Image.new("RGB", (8, 8)).save(home / "mine.jpg")
    mine = (home / "mine.jpg").read_bytes()
    done = imgctl("search", "many", "--contact-sheet", "mine.jpg")
    assert (done.returncode, (home / "mine.jpg").read_bytes()) == (2, mine)
    assert "--force" in done.stderr
    assert imgctl("search", "many", "--contact-sheet", "mine.jpg", "--force").returncode == 0
    assert (home / "mine.jpg").read_bytes() != mine
    assert sorted(path.name for path in home.iterdir() if path.is_file()) == ["mine.jpg", "out.jpg"]


def test_a_contact_sheet_is_never_written_among_the_photos(running, imgctl, home, tmp_path):
    root = tmp_path / "pictures"
    (root / "2023").mkdir(parents=True)
    running.call(running.services.watch, root)
    (home / "way").symlink_to(root / "2023")
    for target in (root / "out.jpg", root / "2023" / "out.jpg", home / "way" / "out.jpg"):
        done = imgctl("search", "many", "--contact-sheet", str(target), "--force")
        assert done.returncode == 2, done
        assert "among your photos" in done.stderr
    assert [path for path in root.rglob("*") if path.is_file()] == []


def test_no_contact_sheet_is_written_of_nothing(running, imgctl, home):
    assert imgctl("search", "submarine", "--contact-sheet", "out.jpg").returncode == 1
    assert not (home / "out.jpg").exists()


def viewer(home: Path, code: int) -> dict[str, str]:
    """An xdg-open that writes down what it is given, and the variables that make imgctl use it."""
    programs = home / "bin"
    programs.mkdir(exist_ok=True)
    program = programs / "xdg-open"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" >> "{home}/opened"\nexit {code}\n')
    program.chmod(0o755)
    return {"PATH": f"{programs}:{os.environ['PATH']}", "DISPLAY": ":7"}


def test_open_shows_the_first_photos_or_the_contact_sheet(running, imgctl, home):
    environment = viewer(home, 0)
    assert imgctl("search", "many", "--open", **environment).returncode == 0
    opened = (home / "opened").read_bytes()
    assert sorted(opened.replace(ODD, b"odd").split()) == sorted(
        [*(b"/photos/many/IMG_%d.jpg" % number for number in (101, 102, 104, 105)), b"odd"]
    )
    (home / "opened").unlink()
    assert imgctl("search", "many", "--open", "--contact-sheet", "out.jpg", **environment).returncode == 0
    assert (home / "opened").read_text() == f"{home}/out.jpg\n"


def test_a_viewer_that_is_not_there_or_fails_is_told(running, imgctl, home):
    none = imgctl("search", "many", "--open", PATH="/nowhere", WAYLAND_DISPLAY="wayland-0")
    assert (none.returncode, none.stdout) == (5, "")
    assert "xdg-utils" in none.stderr
    blind = imgctl("search", "many", "--open", **viewer(home, 0) | {"DISPLAY": "", "WAYLAND_DISPLAY": ""})
    assert blind.returncode == 5
    assert "no display" in blind.stderr
    failed = imgctl("search", "cat", "--open", **viewer(home, 3))
    assert failed.returncode == 5
    assert "/photos/2023/may/cat.jpg: no viewer is installed" in failed.stderr
    assert failed.stdout


def test_help_shows_the_common_part_of_the_language(imgctl):
    text = imgctl("search", "--help").stdout
    for term in ('"birthday cake"', "dog OR wolf", "iso:>=1600", 'person:"Anna K"', "like:photo.jpg", "-cat"):
        assert term in text


def test_a_contact_sheet_that_does_not_fit_on_the_disk_is_told_of_and_leaves_nothing(running, imgctl, tmp_path):
    with small_disk(tmp_path / "disk", 8) as disk:
        done = imgctl("search", "many", "--contact-sheet", str(disk / "out.jpg"))
        assert done.returncode == 5
        assert f"no room for {disk / 'out.jpg'}" in done.stderr
        assert "name another place" in done.stderr
        assert list(disk.iterdir()) == []
