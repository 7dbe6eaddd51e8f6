"""Each photo is opened exactly once in its first analysis, whatever its format: the kernel counts."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from daemon_process import Daemon, daemon
from open_counter import OpenCounter
from sample_photos import CORPUS, copy_shipped, make_photo, make_sidecar

_GENERATED = ("jpg", "png", "webp", "tif", "gif", "bmp", "heic", "avif", "jxl", "jp2", "psd")
_LONG_AGO = 1_600_000_000


def test_the_counter_tells_two_opens_of_one_file_from_one(tmp_path: Path) -> None:
    once, twice = make_photo(tmp_path / "once.jpg", 1), make_photo(tmp_path / "twice.jpg", 2)
    counter = OpenCounter(tmp_path)
    for path in (once, twice, twice):
        path.read_bytes()
    assert counter.take() == Counter({str(once): 1, str(twice): 2})


def age(root: Path) -> None:
    """Make every file old: one that was written just now and looks cut is tried again on purpose."""
    for path in root.rglob("*"):
        if path.is_file():
            os.utime(path, (_LONG_AGO, _LONG_AGO))


def count_opens(library: Daemon, timeout_s: float) -> tuple[Counter[str], list[str]]:
    """Opens by path, and the paths of all photos known after the first analysis."""
    age(library.root)
    counter = OpenCounter(library.root)
    library.start()
    library.wait(timeout_s)
    opens = counter.take()
    known = library.rows(
        "SELECT folders.path, photos.name FROM photos JOIN folders ON folders.id = folder_id ORDER BY photos.id"
    )
    root = os.fsencode(library.root)
    return opens, [os.fsdecode(os.path.join(root, folder, name)) for folder, name in known]


def test_a_first_analysis_opens_each_photo_of_every_format_once() -> None:
    with daemon() as library:
        for number, extension in enumerate(_GENERATED):
            make_photo(library.root / extension / f"generated.{extension}", number, size=(1600, 1200))
        for name in ("chelsea.png", "rocket.jpg", "hubble_deep_field.jpg", "multipage.tif"):
            copy_shipped(name, library.root)
        sidecar = make_sidecar(library.root / "rocket.xmp", "launch")
        opens, photos = count_opens(library, 60)
        assert len(photos) == len(_GENERATED) + 4
        assert library.failed() == {}
        assert opens == Counter([*photos, str(sidecar)])
        assert library.found("launch") == ["rocket.jpg"]


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not here")
def test_a_first_analysis_opens_each_photo_of_the_corpus_once() -> None:
    with daemon() as library:
        for folder in ("01_exif", "02_raw", "03_formats"):
            shutil.copytree(CORPUS / folder, library.root / folder, copy_function=shutil.copyfile)
        opens, photos = count_opens(library, 180)
        assert len(photos) > 200
        sidecars = {path for path in opens if path.lower().endswith(".xmp")}
        assert {path: opens[path] for path in photos if opens[path] != 1} == {}
        assert {path: opens[path] for path in sidecars if opens[path] != 1} == {}
        assert set(opens) - set(photos) - sidecars == set()


def test_a_photo_with_a_sidecar_is_opened_once_however_they_come() -> None:
    with daemon() as library:
        for number in range(40):
            make_photo(library.root / "there" / f"{number}.jpg", number)
            make_sidecar(library.root / "there" / f"{number}.xmp", "scanned")
        (library.root / "copied").mkdir()
        age(library.root)
        counter = OpenCounter(library.root)
        library.start()
        library.wait()
        make_photo(library.base / "one.jpg", 41).rename(library.root / "copied" / "one.jpg")
        make_sidecar(library.base / "one.xmp", "watched").rename(library.root / "copied" / "one.xmp")
        library.wait()
        assert len(library.found("scanned")) == 40
        assert library.found("watched") == ["one.jpg"]
        opens = counter.take()
        assert len(opens) == 82
        assert set(opens.values()) == {1}
