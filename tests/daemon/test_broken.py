"""Hostile files beside good ones: the daemon stays up, the good are analyzed, and each bad one has a reason."""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from pathlib import Path

import pytest
from daemon_process import Daemon, daemon
from sample_photos import CORPUS, make_photo

_GOOD = 30


def add_good_photos(library: Daemon) -> list[Path]:
    return [
        make_photo(library.root / "good" / f"good{number:02}.jpg", number, size=(320, 240), keyword="fine")
        for number in range(_GOOD)
    ]


def write_bad_files(folder: Path) -> None:
    folder.mkdir(parents=True)
    whole = make_photo(folder / "truncated.jpg", 99, size=(800, 600))
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("this is a shopping list\n" * 40)
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    (folder / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"\0" * 64))
    (folder / "garbage.gif").write_bytes(b"GIF89a" + bytes(range(256)) * 8)
    (folder / "random.CR2").write_bytes(os.urandom(40_000))
    (folder / "half.png").write_bytes(make_photo(folder / "whole.png", 98).read_bytes()[:900])
    (folder / "whole.png").unlink()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def unexplained(library: Daemon) -> list[str]:
    """Photos of which neither a failed job, nor a recorded damage, nor every analyzer's finding tells."""
    return [
        os.fsdecode(name)
        for (name,) in library.rows(
            """
            SELECT photos.name FROM photos
            WHERE damage = ''
              AND NOT EXISTS (SELECT 1 FROM jobs WHERE photo_id = photos.id AND state = 'failed' AND reason <> '')
              AND (SELECT COUNT(*) FROM findings WHERE photo_id = photos.id) < 3
            """
        )
    ]


def check_good(library: Daemon, good: list[Path]) -> None:
    assert sorted(library.found("fine")) == sorted(path.name for path in good)
    for path in (good[0], good[-1]):
        assert set(library.findings(path)) == {"metadata", "preview", "technical"}
    done = library.rows(
        "SELECT COUNT(*) FROM findings JOIN photos ON photos.id = photo_id WHERE display_name LIKE 'good%'"
    )
    assert done == [(3 * _GOOD,)]


def test_each_bad_file_has_a_reason_and_the_good_ones_are_analyzed() -> None:
    with daemon() as library:
        good = add_good_photos(library)
        write_bad_files(library.root / "bad")
        for path in (library.root / "bad").iterdir():
            os.utime(path, (1_600_000_000, 1_600_000_000))
        library.start()
        pid = library.pid
        library.wait()
        check_good(library, good)
        assert unexplained(library) == []
        reasons = {Path(path).name: reason for (path, _), reason in library.failed().items()}
        damaged = dict(library.rows("SELECT display_name, damage FROM photos WHERE damage <> ''"))
        told = {name: f"{reasons.get(name, '')} {damaged.get(name, '')}" for name in {*reasons, *damaged}}
        assert "truncated" in told["truncated.jpg"]
        assert "truncated" in told["half.png"]
        assert "empty" in told["empty.jpg"]
        assert "text" in told["text.jpg"]
        assert "megapixel" in told["bomb.png"].lower() or "limit" in told["bomb.png"].lower()
        assert told["garbage.gif"].strip()
        assert told["random.CR2"].strip()
        assert library.status()["pid"] == pid
        assert library.stop() == 0


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not here")
def test_all_hostile_files_of_the_corpus_beside_good_photos() -> None:
    with daemon() as library:
        library.configure(decode={"timeout_s": 20})
        good = add_good_photos(library)
        shutil.copytree(CORPUS / "04_broken", library.root / "bad", copy_function=shutil.copyfile)
        for path in library.root.rglob("*"):
            if path.is_file():
                os.utime(path, (1_600_000_000, 1_600_000_000))
        library.start()
        pid = library.pid
        library.wait()
        check_good(library, good)
        assert unexplained(library) == []
        assert library.rows("SELECT COUNT(*) FROM photos")[0][0] > 250
        assert library.status()["pid"] == pid
        assert library.stop() == 0
