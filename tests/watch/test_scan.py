from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from imgd.watch import scan
from imgd.watch.filters import FileKind, Filter, FilterRules
from imgd.watch.scan import BATCH_FILES, Scan

_RULES = FilterRules(frozenset({".jpg"}))


def _names(batches):
    return sorted(os.fsdecode(os.path.join(file.folder, file.name)) for batch in batches for file in batch.photos)


def test_a_scan_comes_in_batches_and_says_which_folders_it_finished(tmp_path, write, monkeypatch):
    monkeypatch.setattr(scan, "BATCH_S", float("inf"))
    count = 2 * BATCH_FILES + 700
    for number in range(count):
        (tmp_path / f"{number}.jpg").touch()
    write(tmp_path / "sub" / "x.jpg")
    batches = list(Scan(Filter(os.fsencode(tmp_path), _RULES)).run())
    assert len(batches) >= 2
    assert max(len(batch.photos) for batch in batches) < 2 * BATCH_FILES + 600
    finished = {folder: count for batch in batches for folder, count in batch.finished.items()}
    assert finished == {b"": count, b"sub": 1}
    assert set().union(*(batch.whole for batch in batches)) == {b"sub"}


def test_a_folder_that_a_batch_can_hold_is_not_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(scan, "BATCH_S", float("inf"))
    for folder, count in (("a", BATCH_FILES - 10), ("a/b", 700), ("a/b/c", 1), ("a/b/c/d", 0)):
        (tmp_path / folder).mkdir()
        for number in range(count):
            (tmp_path / folder / f"{number}.jpg").touch()
    first, second = Scan(Filter(os.fsencode(tmp_path), _RULES)).run()
    assert first.whole == {b"a", b"a/b"}
    assert second.whole == {b"a/b/c"}
    assert set(second.finished) == {b"a/b/c", b"a/b/c/d"}


def test_sidecars_are_told_from_photos(tmp_path, write):
    write(tmp_path / "1.JPG")
    write(tmp_path / "1.XMP")
    write(tmp_path / "notes.txt")
    (batch,) = Scan(Filter(os.fsencode(tmp_path), _RULES)).run()
    assert [file.name for file in batch.photos] == [b"1.JPG"]
    assert [file.name for file in batch.sidecars] == [b"1.XMP"]


def test_links_are_followed_only_where_that_is_set_and_never_in_a_circle(tmp_path, write):
    root = tmp_path / "root"
    write(root / "a" / "1.jpg")
    write(tmp_path / "elsewhere" / "2.jpg")
    (root / "a" / "up").symlink_to(root)
    (root / "b").symlink_to(tmp_path / "elsewhere")
    (root / "3.jpg").symlink_to(root / "a" / "1.jpg")
    filter_ = Filter(os.fsencode(root), _RULES)
    assert _names(Scan(filter_).run()) == ["a/1.jpg"]
    assert _names(Scan(filter_, follow_symlinks=True).run()) == ["3.jpg", "a/1.jpg", "b/2.jpg"]


@pytest.fixture
def as_nobody():
    """A folder of, and the rest of the test as, a user for whom permissions hold."""
    folder = Path(tempfile.mkdtemp(prefix="imgd-nobody-"))
    folder.chmod(0o755)
    user = os.geteuid()
    if user == 0:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
    yield folder
    os.seteuid(user)
    shutil.rmtree(folder)


def test_a_folder_that_cannot_be_read_is_a_fault_and_is_not_finished(as_nobody):
    locked = as_nobody / "locked"
    locked.mkdir()
    (locked / "1.jpg").touch()
    (as_nobody / "2.jpg").touch()
    locked.chmod(0)
    (batch,) = Scan(Filter(os.fsencode(as_nobody), _RULES)).run()
    locked.chmod(0o755)
    assert [(fault.path, fault.reason) for fault in batch.faults] == [(b"locked", "Permission denied")]
    assert list(batch.finished) == [b""]


def test_an_imgdignore_applies_to_its_own_folder_and_a_deeper_one_comes_first(tmp_path, write):
    for name in ("a/1.jpg", "a/b/1.jpg", "a/b/2.jpg", "c/1.jpg"):
        write(tmp_path / name)
    (tmp_path / "a" / ".imgdignore").write_text("# not these\n1.jpg\n")
    (tmp_path / "a" / "b" / ".imgdignore").write_text("!1.jpg\n/2.jpg\n")
    assert _names(Scan(Filter(os.fsencode(tmp_path), _RULES)).run()) == ["a/b/1.jpg", "c/1.jpg"]


def test_a_pattern_that_is_none_is_a_fault_and_hides_nothing(tmp_path, write):
    write(tmp_path / "1.jpg")
    (tmp_path / ".imgdignore").write_text("!\n")
    (batch,) = Scan(Filter(os.fsencode(tmp_path), _RULES)).run()
    assert "has a pattern that is none" in batch.faults[0].reason
    assert len(batch.photos) == 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (b"1.jpg", FileKind.PHOTO),
        (b"1.JPG", FileKind.PHOTO),
        (b"caf\xe9.jpg", FileKind.PHOTO),
        (b"1.xmp", FileKind.SIDECAR),
        (b"1.jpg.xmp", FileKind.SIDECAR),
        (b"1.txt", None),
        (b"jpg", None),
        (b".jpg", None),
        (b"._1.jpg", None),
        (b"1.jpg~", None),
        (b"1.jpg.tmp", None),
        (b".goutputstream-X1.jpg", None),
    ],
)
def test_a_file_counts_by_its_name(name, kind):
    assert Filter(b"/photos", _RULES).kind(b"", name) is kind


@pytest.mark.parametrize(
    ("folder", "entered"),
    [
        (b"2024/summer", True),
        (b".hidden", False),
        (b".hidden/deep", False),
        (b"x/@eaDir", False),
        (b".Trash-1000/files", False),
        (b"lost+found", False),
        (b"Previews.lrdata/1", False),
        (b"state", False),
        (b"state/cache", False),
    ],
)
def test_a_folder_is_entered_by_its_name(folder, entered):
    rules = FilterRules(frozenset({".jpg"}), own_folders=(b"/photos/state", b"/elsewhere"))
    assert Filter(b"/photos", rules).reaches(folder) is entered


def test_temporary_files_do_not_count_where_hidden_ones_do():
    filter_ = Filter(b"/photos", FilterRules(frozenset({".jpg"}), hidden=True))
    assert filter_.kind(b"", b".1.jpg") is FileKind.PHOTO
    assert filter_.kind(b"", b"._1.jpg") is None
    assert not filter_.reaches(b".Trash-1000")
