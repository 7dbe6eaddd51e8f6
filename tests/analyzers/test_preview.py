from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgd.analyzers.preview import Preview, PreviewSettings, preview_path, write_private
from imgd.domain import Finding, PhotoInput
from imgd.errors import DiskFullError

FILL = """
import os, sys
from pathlib import Path
from imgd.analyzers.preview import write_private
from imgd.errors import DiskFullError
path = Path(sys.argv[1]) / "a" / "old.jpg"
write_private(path, b"old")
try:
    write_private(path, bytes(2_000_000))
except DiskFullError as error:
    print(error, os.listdir(path.parent), path.read_bytes())
"""


def preview(cache: Path, **settings: int) -> Preview:
    analyzer = Preview(PreviewSettings(**settings), {})
    analyzer.cache_dir = cache
    analyzer.load("cpu")
    return analyzer


def photo(photo_id: int, seed: int = 0) -> PhotoInput:
    small = np.random.default_rng(seed).integers(0, 256, (34, 51, 3), dtype=np.uint8)
    pixels = np.asarray(Image.fromarray(small).resize((512, 341), Image.Resampling.BICUBIC))
    return PhotoInput(photo_id, "a.jpg", "jpeg", 6000, 4000, pixels)


def test_a_preview_is_a_jpeg_of_the_same_pixels(tmp_path: Path) -> None:
    finding = preview(tmp_path / "previews").analyze([photo(77)])[0]
    path = preview_path(tmp_path / "previews", 77)
    assert isinstance(finding, Finding)
    assert finding.facts == {"width": 512, "height": 341, "bytes": path.stat().st_size}
    with Image.open(path) as image:
        assert (image.format, image.size) == ("JPEG", (512, 341))
        assert np.abs(np.asarray(image).astype(int) - photo(77).image).mean() < 8


def test_previews_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        preview(tmp_path / "cache" / "previews").analyze([photo(0x1234)])
    finally:
        os.umask(before)
    path = preview_path(tmp_path / "cache" / "previews", 0x1234)
    assert path.parts[-3:] == ("12", "34", "4660.jpg")
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (path, *list(path.parents)[:4])]
    assert modes == [0o600, 0o700, 0o700, 0o700, 0o700]


def test_consecutive_ids_lie_in_different_folders_and_none_collide(tmp_path: Path) -> None:
    paths = {preview_path(tmp_path, photo_id) for photo_id in range(70_000)}
    assert len(paths) == 70_000
    assert len({path.parent for path in paths}) == 65_536


def test_a_new_preview_replaces_the_old_one_and_leaves_nothing_else(tmp_path: Path) -> None:
    analyzer = preview(tmp_path)
    analyzer.analyze([photo(5, seed=1), photo(5, seed=2)])
    path = preview_path(tmp_path, 5)
    assert os.listdir(path.parent) == ["5.jpg"]
    with Image.open(path) as image:
        assert np.abs(np.asarray(image).astype(int) - photo(5, seed=2).image).mean() < 8


def test_quality_is_a_setting(tmp_path: Path) -> None:
    sizes = []
    for quality in (40, 95):
        preview(tmp_path, quality=quality).analyze([photo(1)])
        sizes.append(preview_path(tmp_path, 1).stat().st_size)
    assert sizes[0] < sizes[1] / 2


def test_a_full_disk_is_told_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    """On a real full file system, where one can be mounted in a namespace of one's own."""
    script = tmp_path / "fill.py"
    script.write_text(FILL)
    disk = tmp_path / "disk"
    disk.mkdir()
    own = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*own, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets no user mount a file system in a namespace of their own")
    mounted = 'mount -t tmpfs -o size=1m none "$1" && exec "$2" "$3" "$1"'
    done = subprocess.run(
        [*own, "sh", "-c", mounted, "sh", disk, sys.executable, script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == f"The disk is full: no room for a preview in {disk}/a ['old.jpg'] b'old'", done


def test_a_place_that_cannot_be_written_to_is_told_with_what_to_do(tmp_path: Path) -> None:
    own = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*own, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets no user mount a file system in a namespace of their own")
    script = "import sys, pathlib, imgd.analyzers.preview as p; p.write_private(pathlib.Path(sys.argv[1]), b'')"
    command = [sys.executable, "-c", script, tmp_path / "disk" / "a" / "b.jpg"]
    (tmp_path / "disk").mkdir()
    mounted = 'mount -t tmpfs -o ro none "$1" && shift && exec "$@"'
    done = subprocess.run(
        [*own, "sh", "-c", mounted, "sh", tmp_path / "disk", *command], capture_output=True, text=True, check=False
    )
    error = done.stderr.strip().splitlines()[-1]
    folder = tmp_path / "disk" / "a"
    assert (
        error == f"imgd.errors.CacheUnwritableError: Previews cannot be written: {folder}: Read-only file system"
    )


def test_another_failure_to_write_stays_what_it_is_and_leaves_nothing(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            write_private(tmp_path / "big.jpg", bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    assert not isinstance(caught.value, DiskFullError)
    assert os.listdir(tmp_path) == []
