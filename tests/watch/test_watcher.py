from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from imgd.domain import RootState
from imgd.errors import RootError
from imgd.watch.ignores import check_patterns


def test_the_files_of_a_root_are_registered_at_the_start(watched):
    assert watched.present() == ["a/1.jpg", "a/2.jpg"]
    assert watched.rows("SELECT DISTINCT priority FROM jobs") == [(20,)]
    assert watched.status().scanned_at is not None


def test_a_new_photo_is_registered_when_its_writer_has_closed_it(watched, photos):
    (photos / "a" / "3.jpg").write_bytes(b"three")
    watched.until(lambda: "a/3.jpg" in watched.present())
    assert watched.rows("SELECT DISTINCT priority FROM jobs WHERE photo_id = 3") == [(10,)]


def test_a_slow_copy_is_registered_once_and_whole(start, photos, write):
    for name in ("1.jpg", "2.jpg"):
        write(photos / "a" / name, age_s=10_000.0)
    watched = start(photos, settle_s=3600.0)  # only that its writer closes it settles a file
    with (photos / "slow.jpg").open("wb") as file:
        for number in range(5):
            file.write(b"x" * 1000)
            file.flush()
            name = os.fsencode(write(photos / f"quick{number}.jpg").name)  # seen after what was written before it
            watched.until(lambda name=name: watched.rows("SELECT 1 FROM photos WHERE name = ?", name))
            assert watched.rows("SELECT 1 FROM photos WHERE name = ?", b"slow.jpg") == []
    assert "slow.jpg" in watched.present()
    assert watched.rows("SELECT size, revision FROM photos WHERE name = ?", b"slow.jpg") == [(5000, 1)]


def test_a_file_whose_writer_never_closes_counts_when_it_stays_the_same(watched, photos):
    with (photos / "open.jpg").open("wb") as file:
        file.write(b"x" * 1000)
        file.flush()
        watched.until(lambda: "open.jpg" in watched.present())


def test_an_edited_photo_is_a_new_revision(watched, photos):
    (photos / "a" / "1.jpg").write_bytes(b"edited")
    watched.until(lambda: watched.photos()["a/1.jpg"][1] == 2)
    assert watched.photos()["a/1.jpg"][0] == 1 or watched.photos()["a/2.jpg"][0] == 1


def test_a_photo_saved_over_by_a_rename_keeps_its_row(watched, photos):
    before = watched.photos()["a/1.jpg"][0]
    (photos / "a" / ".1.jpg.tmp").write_bytes(b"edited and saved")
    (photos / "a" / ".1.jpg.tmp").rename(photos / "a" / "1.jpg")
    watched.until(lambda: watched.photos()["a/1.jpg"] == (before, 2, "present"))


def test_a_renamed_photo_keeps_its_row_and_owes_nothing_new(watched, photos):
    before = watched.photos()
    (photos / "a" / "1.jpg").rename(photos / "b.jpg")
    watched.until(lambda: "b.jpg" in watched.present())
    assert watched.photos() == {"a/2.jpg": before["a/2.jpg"], "b.jpg": before["a/1.jpg"]}


def test_photos_that_swap_names_swap_rows_or_are_analyzed_again(watched, photos):
    one, two, aside = photos / "a" / "1.jpg", photos / "a" / "2.jpg", photos / "a" / "aside.jpg"
    one.rename(aside)
    two.rename(one)
    aside.rename(two)
    watched.rest()
    watched.until(lambda: watched.present() == ["a/1.jpg", "a/2.jpg"])
    assert watched.rows("SELECT name, size FROM photos ORDER BY name") == [(b"1.jpg", 4), (b"2.jpg", 3)]


def test_a_renamed_folder_keeps_the_rows_of_all_below_it(watched, photos, write):
    write(photos / "a" / "deep" / "3.jpg")
    watched.until(lambda: "a/deep/3.jpg" in watched.present())
    before = [watched.photos()[path][0] for path in ("a/1.jpg", "a/deep/3.jpg")]
    (photos / "a").rename(photos / "z")
    watched.until(lambda: watched.present() == ["z/1.jpg", "z/2.jpg", "z/deep/3.jpg"])
    assert [watched.photos()[path][0] for path in ("z/1.jpg", "z/deep/3.jpg")] == before
    write(photos / "z" / "deep" / "4.jpg")
    watched.until(lambda: "z/deep/4.jpg" in watched.present())


def test_a_folder_moved_in_is_scanned_and_watched(watched, photos, tmp_path, write):
    write(tmp_path / "outside" / "x" / "9.jpg")
    (tmp_path / "outside").rename(photos / "inside")
    watched.until(lambda: "inside/x/9.jpg" in watched.present())
    write(photos / "inside" / "x" / "10.jpg")
    watched.until(lambda: "inside/x/10.jpg" in watched.present())


def test_a_folder_moved_out_goes_missing_and_comes_back_as_itself(watched, photos, tmp_path, write):
    before = watched.photos()["a/1.jpg"][0]
    (photos / "a").rename(tmp_path / "away")
    watched.until(lambda: watched.present() == [])
    write(tmp_path / "away" / "3.jpg")
    (tmp_path / "away").rename(photos / "back")
    watched.until(lambda: watched.present() == ["back/1.jpg", "back/2.jpg", "back/3.jpg"])
    assert watched.photos()["back/1.jpg"][0] == before
    write(photos / "back" / "4.jpg")
    watched.until(lambda: "back/4.jpg" in watched.present())


def test_a_tree_made_in_one_go_is_seen_whole(watched, photos, tmp_path, write):
    for number in range(300):
        write(tmp_path / "source" / f"{number % 7}" / f"{number % 5}" / f"{number}.jpg")
    shutil.copytree(tmp_path / "source", photos / "copied")
    watched.until(lambda: len(watched.present()) == 302)
    shutil.rmtree(photos / "copied")
    watched.until(lambda: watched.present() == ["a/1.jpg", "a/2.jpg"])


def test_a_photo_moved_between_roots_keeps_its_row(start, photos, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    watched = start(photos, other)
    before = watched.photos()["a/1.jpg"]
    (photos / "a" / "1.jpg").rename(other / "moved.jpg")
    watched.until(lambda: watched.present() == ["a/2.jpg", "moved.jpg"])
    assert watched.photos()["moved.jpg"] == before


def test_a_deleted_photo_is_missing_and_returns_as_itself(watched, photos):
    before = watched.photos()["a/1.jpg"]
    saved = photos.parent / "saved.jpg"
    shutil.copy2(photos / "a" / "1.jpg", saved)
    (photos / "a" / "1.jpg").unlink()
    watched.until(lambda: watched.photos()["a/1.jpg"][2] == "missing")
    shutil.copy2(saved, photos / "a" / "1.jpg")
    watched.until(lambda: watched.photos()["a/1.jpg"] == before)


def test_what_happened_while_nobody_watched_is_found_at_the_next_start(watched, photos, write):
    before = watched.photos()

    def meanwhile() -> None:
        (photos / "a" / "1.jpg").rename(photos / "moved.jpg")
        (photos / "a" / "2.jpg").unlink()
        write(photos / "new" / "3.jpg")

    watched.restart(meanwhile)
    assert watched.present() == ["moved.jpg", "new/3.jpg"]
    assert watched.photos()["moved.jpg"] == before["a/1.jpg"]


def test_an_unchanged_root_is_rescanned_without_a_write(watched):
    before = watched.rows("SELECT value FROM counters")
    scanned = watched.status().scanned_at
    watched.watcher.rescan()
    watched.until(lambda: watched.status().scanned_at != scanned)
    assert watched.rows("SELECT value FROM counters") == before


def test_hidden_and_temporary_files_do_not_count(watched, photos, write):
    for name in (
        ".hidden.jpg",
        "._1.jpg",
        "~$1.jpg",
        "1.jpg~",
        "1.jpg.part",
        "1.jpg.crdownload",
        ".Trash-0/1.jpg",
    ):
        write(photos / name)
    write(photos / "@eaDir" / "thumb.jpg")
    write(photos / "last.jpg")
    watched.until(lambda: "last.jpg" in watched.present())
    assert watched.present() == ["a/1.jpg", "a/2.jpg", "last.jpg"]


def test_hidden_files_count_where_that_is_set(start, photos, write):
    write(photos / ".hidden.jpg")
    assert ".hidden.jpg" in start(photos, hidden=True).present()


def test_a_finished_download_counts_under_its_new_name(watched, photos):
    (photos / "photo.jpg.crdownload").write_bytes(b"all of it")
    (photos / "photo.jpg.crdownload").rename(photos / "photo.jpg")
    watched.until(lambda: "photo.jpg" in watched.present())


def test_imgds_own_folders_below_a_root_do_not_count(start, tmp_path, write):
    write(tmp_path / "state" / "cache" / "previews" / "1.jpg")
    write(tmp_path / "1.jpg")
    assert start(tmp_path).present() == ["1.jpg"]


def test_ignored_files_do_not_count(start, photos, write):
    write(photos / "raw" / "1.jpg")
    write(photos / "keep" / "exports" / "1.jpg")
    assert start(photos, ignore=("raw/", "exports")).present() == ["a/1.jpg", "a/2.jpg"]


def test_an_edited_imgdignore_takes_effect_at_once(watched, photos, write):
    write(photos / "b" / "3.jpg")
    watched.until(lambda: "b/3.jpg" in watched.present())
    (photos / ".imgdignore").write_text("a/\n")
    watched.until(lambda: watched.present() == ["b/3.jpg"])
    (photos / "b" / ".imgdignore").write_text("3.*\n")
    watched.until(lambda: watched.present() == [])
    (photos / ".imgdignore").unlink()
    watched.until(lambda: watched.present() == ["a/1.jpg", "a/2.jpg"])
    write(photos / "a" / "4.jpg")
    watched.until(lambda: "a/4.jpg" in watched.present())


def test_a_sidecar_added_edited_and_removed_revises_its_photo(watched, photos):
    for revision, change in ((2, "added"), (3, "edited")):
        (photos / "a" / "1.xmp").write_text(change)
        watched.until(lambda revision=revision: watched.photos()["a/1.jpg"][1] == revision)
    (photos / "a" / "1.xmp").unlink()
    watched.until(lambda: watched.photos()["a/1.jpg"][1] == 4)
    assert watched.photos()["a/2.jpg"][1] == 1


def test_a_sidecar_that_was_there_first_is_found_with_its_photo(watched, photos, write):
    write(photos / "b" / "IMG.CR2.xmp")
    watched.rest()
    write(photos / "b" / "IMG.CR2")
    watched.until(lambda: watched.rows("SELECT name FROM sidecars") == [(b"IMG.CR2.xmp",)])


def test_a_name_that_is_not_utf8_is_followed_like_any_other(watched, photos):
    odd = os.fsencode(photos) + b"/a/caf\xe9.jpg"
    with open(odd, "wb") as file:
        file.write(b"odd")
    watched.until(lambda: len(watched.present()) == 3)
    os.rename(odd, odd.replace(b"\xe9", b"\xe8"))  # noqa: PTH104 - bytes
    watched.until(lambda: watched.rows("SELECT 1 FROM photos WHERE name = ?", b"caf\xe8.jpg") == [(1,)])


def test_no_event_is_lost_when_the_queue_overflows(watched, photos, tmp_path, write):
    setting = Path("/proc/sys/fs/inotify/max_queued_events")
    if not os.access(setting, os.W_OK):
        pytest.skip("the length of inotify's queue can only be set by root")
    for number in range(3000):
        write(tmp_path / "source" / f"{number % 20}" / f"{number}.jpg")
    usual = setting.read_text()
    if int(usual) <= 16:  # left so by a test run that was killed here
        usual = "16384"  # the kernel's own
    try:
        setting.write_text("16")
        watched.restart(lambda: None)
    finally:
        setting.write_text(usual)
    shutil.copytree(tmp_path / "source", photos / "copied")
    (photos / "a" / "1.jpg").unlink()
    watched.until(lambda: len(watched.present()) == 3001)
    write(photos / "copied" / "3" / "later.jpg")
    watched.until(lambda: "copied/3/later.jpg" in watched.present())


def test_a_root_that_is_away_is_offline_and_keeps_its_photos(watched, photos, tmp_path, write):
    photos.rename(tmp_path / "away")
    watched.until(lambda: watched.status().state is RootState.OFFLINE)
    assert "mount or create it" in watched.status().reason
    assert watched.rows("SELECT DISTINCT state FROM photos") == [("present",)]
    watched.until(lambda: watched.rows("SELECT state FROM roots") == [("offline",)])
    write(tmp_path / "away" / "new.jpg")
    (tmp_path / "away").rename(photos)
    watched.until(lambda: watched.status().state is RootState.ONLINE and "new.jpg" in watched.present())
    write(photos / "later.jpg")
    watched.until(lambda: "later.jpg" in watched.present())


def test_a_root_that_is_not_there_yet_does_not_hold_up_the_others(start, photos, tmp_path, write):
    watched = start(tmp_path / "absent", photos)
    assert [status.state for status in watched.watcher.roots()] == [RootState.OFFLINE, RootState.ONLINE]
    assert watched.present() == ["a/1.jpg", "a/2.jpg"]


@pytest.fixture
def disk(tmp_path):
    """A mount point with a filesystem of its own, and how to plug it out and in."""
    point = tmp_path / "photos" / "disk"
    point.mkdir(parents=True, exist_ok=True)
    backing = tmp_path / "backing"
    backing.mkdir()
    command = ["mount", "-t", "tmpfs", "tmpfs", str(point)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("only root can mount a filesystem here")
    yield point
    subprocess.run(["umount", "-l", str(point)], check=False, capture_output=True)


def test_an_unmounted_root_is_offline_although_its_folder_is_there(start, disk, write):
    write(disk / "1.jpg")
    watched = start(disk)
    subprocess.run(["umount", str(disk)], check=True)
    watched.until(lambda: watched.status().state is RootState.OFFLINE)
    assert "not mounted" in watched.status().reason
    assert watched.rows("SELECT state FROM photos") == [("present",)]


def test_photos_of_a_disk_mounted_below_a_root_are_not_missing_when_it_is_unmounted(start, disk, photos, write):
    write(disk / "x" / "1.jpg")
    write(disk / "2.jpg")
    watched = start(photos)
    assert "disk/x/1.jpg" in watched.present()
    watched.restart(lambda: subprocess.run(["umount", str(disk)], check=True) and None)
    assert {"disk/x/1.jpg", "disk/2.jpg"} <= set(watched.present())
    assert any("not mounted" in fault.reason for fault in watched.status().faults)
    (photos / "a" / "1.jpg").unlink()
    watched.watcher.rescan()
    watched.until(lambda: watched.photos()["a/1.jpg"][2] == "missing")


def test_half_a_root_gone_at_once_is_a_fault_until_confirmed(start, photos, write):
    for number in range(40):
        write(photos / "b" / f"{number}.jpg")
    watched = start(photos, grace_days=0.0)
    shutil.rmtree(photos / "b")
    watched.until(lambda: watched.present() == ["a/1.jpg", "a/2.jpg"])
    watched.watcher.rescan()
    watched.until(lambda: any("went missing" in fault.reason for fault in watched.status().faults))
    assert watched.rows("SELECT COUNT(*) FROM photos") == [(42,)]
    watched.watcher.confirm(os.fsencode(photos))
    (photos / "a" / "1.jpg").unlink()
    watched.until(lambda: watched.present() == ["a/2.jpg"])
    watched.watcher.rescan()
    watched.until(lambda: watched.rows("SELECT COUNT(*) FROM photos") == [(1,)])
    assert not watched.status().faults


def test_a_sudden_loss_is_a_fault_before_any_scan_and_names_the_command(start, photos, write):
    for number in range(40):
        write(photos / "b" / f"{number}.jpg")
    watched = start(photos)
    scanned_at = watched.status().scanned_at
    for number in range(40):
        (photos / "b" / f"{number}.jpg").unlink()
    watched.until(lambda: any(f"imgctl confirm {photos}" in fault.reason for fault in watched.status().faults))
    assert watched.status().scanned_at == scanned_at
    watched.watcher.confirm(os.fsencode(photos))
    assert not watched.status().faults


def test_a_root_put_back_into_the_configuration_is_found_again_as_it_was(watched, photos, tmp_path):
    before = watched.photos()
    (tmp_path / "other").mkdir()
    watched.roots = (tmp_path / "other",)
    watched.restart(lambda: None)
    assert watched.present() == []
    watched.roots = (photos,)
    watched.restart(lambda: None)
    assert watched.photos() == before


def test_a_photo_that_could_not_be_read_is_tried_again_when_its_permissions_change(watched, photos):
    watched.database.write(
        lambda c: c.execute(
            "UPDATE jobs SET state = 'failed', reason = 'the file cannot be read: Permission denied'"
        )
    ).result()
    (photos / "a" / "1.jpg").chmod(0o640)
    changed = watched.photos()["a/1.jpg"]
    watched.until(
        lambda: watched.rows("SELECT DISTINCT photo_id FROM jobs WHERE state = 'owed'") == [(changed[0],)]
    )
    assert watched.photos()["a/1.jpg"] == changed


def test_a_pattern_that_is_none_is_told_before_anything_is_watched(start, photos):
    assert check_patterns(["!"]) is not None
    assert check_patterns(["a/", "!b"]) is None
    with pytest.raises(RootError, match=r"watch\.ignore"):
        start(photos, ignore=("!",))


def test_a_root_that_is_none_cannot_be_rescanned(watched):
    with pytest.raises(RootError):
        watched.watcher.rescan(b"/nowhere")


def test_a_folder_that_inotify_cannot_watch_is_a_fault_and_is_rescanned(start, photos, write):
    setting = Path("/proc/sys/fs/inotify/max_user_watches")
    if not os.access(setting, os.W_OK):
        pytest.skip("the number of inotify watches can only be set by root")
    for number in range(50):
        write(photos / f"folder{number}" / "1.jpg")
    usual = setting.read_text()
    try:
        setting.write_text("10")
        watched = start(photos)
    finally:
        setting.write_text(usual)
    assert len(watched.present()) == 52
    assert any("max_user_watches" in fault.reason for fault in watched.status().faults)
