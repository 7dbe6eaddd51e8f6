"""Photos become findable, and stay what they are while files are copied, moved, edited and deleted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_process import Daemon, daemon
from sample_photos import copy_shipped, make_photo, make_sidecar


@pytest.fixture(scope="module")
def library() -> Iterator[Daemon]:
    """A daemon that has analyzed what lay in its root when it started."""
    with daemon() as found:
        for name in ("chelsea.png", "coffee.png", "rocket.jpg"):
            copy_shipped(name, found.root)
        make_photo(found.root / "2019" / "beach.jpg", 1, camera="Nikon D750", keyword="seagull")
        make_photo(found.root / "2019" / "lake.jpg", 2, camera="Canon EOS-6D", keyword="heron")
        found.start()
        found.wait()
        yield found


def when_analyzed(library: Daemon, photo: Path | int) -> dict[str, float]:
    return {name: finding["analyzed_at"] for name, finding in library.findings(photo).items()}


@pytest.mark.parametrize(
    ("query", "name"),
    [("rocket", "rocket.jpg"), ("chelsea", "chelsea.png"), ("D750", "beach.jpg"), ("heron", "lake.jpg")],
)
def test_photos_are_found_by_file_name_camera_and_keyword(library: Daemon, query: str, name: str) -> None:
    assert library.found(query) == [name]


def test_a_search_that_nothing_matches_says_so(library: Daemon) -> None:
    answer = library.ctl("search", "submarine")
    assert answer.code == 1
    assert "nothing matches" in answer.err


def test_every_analyzer_has_said_something_of_every_photo(library: Daemon) -> None:
    for name in ("chelsea.png", "2019/lake.jpg"):
        assert set(library.findings(library.root / name)) == {"metadata", "preview", "technical"}


def test_a_photo_copied_in_while_it_runs_is_found(library: Daemon) -> None:
    make_photo(library.base / "outside.jpg", 3, camera="Leica M11", keyword="tram")
    shutil.copy2(library.base / "outside.jpg", library.root / "copied.jpg")
    library.wait()
    assert library.found("tram") == ["copied.jpg"]
    assert library.found("copied") == ["copied.jpg"]


def test_a_folder_moved_in_while_it_runs_is_found_with_all_that_is_in_it(library: Daemon) -> None:
    make_photo(library.base / "trip" / "day one" / "harbour.jpg", 4, keyword="lighthouse")
    make_photo(library.base / "trip" / "ferry.jpg", 5)
    (library.base / "trip").rename(library.root / "trip")
    library.wait()
    assert library.found("lighthouse") == ["harbour.jpg"]
    assert library.found("ferry") == ["ferry.jpg"]


def test_a_moved_photo_keeps_its_id_and_its_findings(library: Daemon) -> None:
    old = make_photo(library.root / "before.jpg", 6, keyword="windmill")
    library.wait()
    photo_id, analyzed = library.show(old)["photo_id"], when_analyzed(library, old)
    new = library.root / "elsewhere" / "after.jpg"
    new.parent.mkdir()
    old.rename(new)
    library.wait()
    assert library.show(new)["photo_id"] == photo_id
    assert when_analyzed(library, new) == analyzed
    assert library.found("windmill") == ["after.jpg"]
    assert library.found("before") == []
    assert library.ctl("show", str(old)).code == 1


def test_photos_in_a_renamed_folder_keep_their_ids_and_findings(library: Daemon) -> None:
    old = make_photo(library.root / "untitled" / "bridge.jpg", 7, keyword="viaduct")
    library.wait()
    photo_id, analyzed = library.show(old)["photo_id"], when_analyzed(library, old)
    old.parent.rename(library.root / "scotland")
    library.wait()
    new = library.root / "scotland" / "bridge.jpg"
    assert library.show(new)["photo_id"] == photo_id
    assert when_analyzed(library, new) == analyzed
    assert library.found("scotland") == ["bridge.jpg"]


def test_a_photo_moved_while_the_daemon_is_down_keeps_its_id_and_its_findings(library: Daemon) -> None:
    old = make_photo(library.root / "night.jpg", 8, keyword="aurora")
    library.wait()
    photo_id, analyzed = library.show(old)["photo_id"], when_analyzed(library, old)
    assert library.stop() == 0
    new = library.root / "renamed at night.jpg"
    old.rename(new)
    library.start()
    library.wait()
    assert library.show(new)["photo_id"] == photo_id
    assert when_analyzed(library, new) == analyzed
    assert library.found("aurora") == ["renamed at night.jpg"]


def test_only_what_was_taken_then_is_a_photo_that_was_copied_elsewhere_while_the_daemon_was_down(
    library: Daemon,
) -> None:
    dated = make_photo(library.root / "old disk" / "dated.jpg", 81, keyword="eclipse", taken="2019:07:02 16:40:00")
    twice = make_photo(library.root / "old disk" / "twice.jpg", 82, taken="2019:07:02 16:41:00")
    undated = make_photo(library.root / "old disk" / "undated.jpg", 83)
    library.wait()
    ids = {photo: library.show(photo)["photo_id"] for photo in (dated, twice, undated)}
    analyzed = when_analyzed(library, dated)
    assert library.stop() == 0
    disk = library.root / "a new disk"
    disk.mkdir()
    for photo, name in ((dated, "dated.jpg"), (twice, "1.jpg"), (twice, "2.jpg"), (undated, "undated.jpg")):
        shutil.copyfile(photo, disk / name)
        os.utime(disk / name, (1.5e9, 1.5e9))
    shutil.rmtree(dated.parent)
    library.start()
    library.wait()
    assert library.show(disk / "dated.jpg")["photo_id"] == ids[dated]
    assert when_analyzed(library, disk / "dated.jpg") == analyzed
    assert library.found("eclipse") == ["dated.jpg"]
    others = {library.show(disk / name)["photo_id"] for name in ("1.jpg", "2.jpg", "undated.jpg")}
    assert len(others) == 3
    assert not others & set(ids.values())


def test_an_edited_photo_is_analyzed_anew(library: Daemon) -> None:
    photo = make_photo(library.root / "draft.jpg", 9, keyword="sketch")
    library.wait()
    before, analyzed = library.show(photo), when_analyzed(library, photo)
    make_photo(photo, 10, size=(240, 200), keyword="painting")
    library.wait()
    after = library.show(photo)
    assert after["photo_id"] == before["photo_id"]
    assert (after["width"], after["height"]) == (240, 200)
    assert after["revision"] > before["revision"]
    assert all(when > analyzed[name] for name, when in when_analyzed(library, photo).items())
    assert library.found("painting") == ["draft.jpg"]
    assert library.found("sketch") == []


def test_a_photo_replaced_by_renaming_over_it_is_analyzed_anew(library: Daemon) -> None:
    photo = make_photo(library.root / "replaced.jpg", 11, keyword="oldword")
    library.wait()
    make_photo(library.base / "new.jpg", 12, keyword="newword").replace(photo)
    library.wait()
    assert library.found("newword") == ["replaced.jpg"]
    assert library.found("oldword") == []


def test_a_deleted_photo_is_found_no_more(library: Daemon) -> None:
    photo = make_photo(library.root / "regret.jpg", 13, keyword="mistake")
    library.wait()
    assert library.found("mistake") == ["regret.jpg"]
    photo.unlink()
    library.wait()
    assert library.found("mistake") == []
    assert library.found("regret") == []


def test_a_sidecar_added_later_reruns_metadata_alone(library: Daemon) -> None:
    photo = make_photo(library.root / "tower.jpg", 14, keyword="brick")
    library.wait()
    before, analyzed = library.show(photo), when_analyzed(library, photo)
    preview = preview_file(library, before["photo_id"])
    written = preview.stat().st_mtime_ns
    sidecar = make_sidecar(library.root / "tower.xmp", "campanile")
    library.wait()
    assert library.found("campanile") == ["tower.jpg"]
    again = when_analyzed(library, photo)
    assert again["metadata"] > analyzed["metadata"]
    assert {name: again[name] for name in ("preview", "technical")} == {
        name: analyzed[name] for name in ("preview", "technical")
    }
    after = library.show(photo)
    assert after["route"] == before["route"]
    assert [each["stale"] for each in after["findings"]] == [False, False, False]
    assert preview.stat().st_mtime_ns == written
    make_sidecar(sidecar, "minaret")
    library.wait()
    assert library.found("minaret") == ["tower.jpg"]
    assert library.found("campanile") == []
    assert when_analyzed(library, photo)["technical"] == analyzed["technical"]
    sidecar.unlink()
    library.wait()
    assert library.found("minaret") == []
    assert library.found("brick") == ["tower.jpg"]


def test_file_names_are_bytes(library: Daemon) -> None:
    photo = library.root / os.fsdecode(b"gr\xfcn tree.jpg")
    make_photo(library.base / "any.jpg", 15, keyword="latin").rename(photo)
    library.wait()
    assert len(library.found("latin")) == 1
    assert library.show(photo)["state"] == "present"


def preview_file(library: Daemon, photo_id: int) -> Path:
    (found,) = library.cache_dir.rglob(f"{photo_id}.jpg")
    return found
