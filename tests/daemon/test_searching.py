"""Searches as people make them of a daemon at work: pages, orders, previews, contact sheets, completions."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_process import Daemon, daemon
from PIL import Image
from sample_photos import make_photo

from imgd.control.client import ControlClient
from imgd.errors import PhotoUnknownError, PreviewMissingError, RequestError

COUNT = 45


@pytest.fixture(scope="module")
def library() -> Iterator[Daemon]:
    with daemon() as found:
        for seed in range(COUNT):
            make_photo(found.root / f"beach{seed:02}.jpg", seed, keyword="seaside")
        make_photo(found.root / os.fsdecode(b"caf\xe9.jpg"), 100, keyword="odd")
        found.start()
        found.wait()
        yield found


def test_pages_follow_one_another_without_gap_or_repetition(library: Daemon) -> None:
    for order in ("score", "date", "path"):
        names: list[str] = []
        after = ""
        while True:
            page = library.ctl("search", "--json", "-n", "20", "--sort", order, "--after", after, "seaside").lines
            names += [Path(line["path"]).name for line in page]
            after = page[-1].get("after", "")
            if not after:
                break
        assert sorted(names) == [f"beach{seed:02}.jpg" for seed in range(COUNT)], order
        whole = library.ctl("search", "--json", "--all", "--sort", order, "seaside").lines
        assert [Path(line["path"]).name for line in whole] == names, order
    assert names == sorted(names)


def test_a_cursor_of_another_search_is_refused_plainly(library: Daemon) -> None:
    answer = library.ctl("search", "--after", "nonsense", "seaside")
    assert answer.code == 2
    assert "`after` is no cursor" in answer.err
    assert answer.out == ""


def test_every_hit_is_explained_where_it_is_asked_for(library: Daemon) -> None:
    lines = library.ctl("search", "--json", "--explain", "-n", "3", "seaside").lines
    assert ["seaside" in " ".join(line["reasons"]) for line in lines] == [True] * 3
    assert library.ctl("search", "--json", "-n", "1", "seaside").object["reasons"] == []


def test_a_least_score_leaves_out_what_scores_less(library: Daemon) -> None:
    query = ("search", "--json", "--all", "beach07 OR seaside")
    scores = [line["score"] for line in library.ctl(*query).lines]
    least = sorted(scores)[len(scores) // 2]
    expected = [score for score in scores if score >= least]
    assert 0 < len(expected) < COUNT
    assert [line["score"] for line in library.ctl(*query, "--min-score", str(least)).lines] == expected


def test_the_preview_of_a_photo_is_a_jpeg_of_512_pixels(library: Daemon) -> None:
    photo = library.show(library.root / "beach07.jpg")
    with ControlClient(library.socket) as client:
        content = client.preview(photo["photo_id"])
        assert content == next(library.cache_dir.rglob(f"{photo['photo_id']}.jpg")).read_bytes()
        next(library.cache_dir.rglob(f"{photo['photo_id']}.jpg")).unlink()
        with pytest.raises(PreviewMissingError):
            client.preview(photo["photo_id"])
        with pytest.raises(PhotoUnknownError):
            client.preview(10**9)
        for absurd in (10**30, 10**300):
            with pytest.raises(RequestError):
                client.preview(absurd)


def test_a_contact_sheet_is_drawn_beside_the_photos_folder_and_not_in_it(library: Daemon) -> None:
    answer = library.ctl("search", "-n", "9", "--contact-sheet", "sheet.jpg", "seaside")
    assert answer.code == 0, answer
    with Image.open(library.base / "sheet.jpg") as sheet:
        assert sheet.size[0] > 4 * 256
    refused = library.ctl("search", "--contact-sheet", str(library.root / "sheet.jpg"), "seaside")
    assert refused.code == 2
    assert not (library.root / "sheet.jpg").exists()


def test_a_path_after_like_starts_where_imgctl_was_called(library: Daemon) -> None:
    """Without a plugin that compares photos the search ends there, but only once the file was found."""
    assert "can compare beach07.jpg" in library.ctl("search", "like:photos/beach07.jpg").err
    assert "No such file" in library.ctl("search", "like:elsewhere/beach07.jpg").err


def test_paths_are_the_bytes_on_the_disk(library: Daemon) -> None:
    answer = library.ctl("search", "--json", "odd").object
    assert base64.b64decode(answer["path_base64"]) == bytes(library.root) + b"/caf\xe9.jpg"
    out = library.ctl("search", "-0", "beach07", "--sort", "path").out
    assert out.split("\0")[0] == f"{library.root}/beach07.jpg"


def test_a_query_is_completed_with_what_the_library_has(library: Daemon) -> None:
    with ControlClient(library.socket) as client:
        assert "tag:seaside" in [each.strip() for each in client.complete("tag:seas")]
        assert any(each.startswith("camera:") for each in client.complete("came"))
        assert client.complete("-tag:seas") == ("-tag:seaside",)
        client.warm_search()


def test_status_and_search_go_on_over_any_half_query(library: Daemon) -> None:
    with ControlClient(library.socket) as client:
        for half in ('"', "(", "tag:", '-(tag:"', ":", "\x00", "a" * 5000, "like:", "date:2023-", "OR OR"):
            client.complete(half)
    assert json.loads(library.ctl("search", "-n", "1", "--json", "seaside").out)
