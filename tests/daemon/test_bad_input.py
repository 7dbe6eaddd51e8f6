"""Whatever is wrong outside, imgd says what to do about it, and loses nothing."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import socket
import sqlite3

import pytest
from daemon_process import Answer, Daemon, daemon
from sample_photos import make_photo

needs_permissions = pytest.mark.skipif(
    os.geteuid() == 0 and shutil.which("setpriv") is None,
    reason="root may read everything, and there is no setpriv to give that up with",
)


def check_refusal(answer: Answer, *words: str) -> None:
    """It ended with the exit code that says that a person has to do something, and said what."""
    assert answer.code == 2, answer
    for word in (*words, "hint: "):
        assert word in answer.err, answer.err
    assert "Traceback" not in answer.err


# Roots


def test_a_missing_root_is_offline_and_comes_online_when_it_appears() -> None:
    with daemon() as library:
        library.root.rmdir()
        library.start()
        (root,) = library.until(lambda: [each for each in library.status()["roots"] if each["reason"]])
        assert root["state"] == "offline"
        assert "mount or create it" in root["reason"]
        make_photo(library.base / "arriving" / "photo.jpg", 1, keyword="arrival")
        (library.base / "arriving").rename(library.root)
        library.until(lambda: library.status()["roots"][0]["state"] == "online")
        library.wait()
        assert library.found("arrival") == ["photo.jpg"]


def test_photos_of_a_root_that_disappears_are_kept() -> None:
    with daemon() as library:
        photo = make_photo(library.root / "photo.jpg", 1, keyword="keepsake")
        library.start()
        library.wait()
        photo_id = library.show(photo)["photo_id"]
        library.root.rename(library.base / "unplugged")
        library.until(lambda: library.status()["roots"][0]["state"] == "offline")
        assert library.rows("SELECT state FROM photos") == [("present",)]
        (library.base / "unplugged").rename(library.root)
        library.until(lambda: library.status()["roots"][0]["state"] == "online")
        library.wait()
        assert library.show(photo)["photo_id"] == photo_id
        assert library.found("keepsake") == ["photo.jpg"]


@needs_permissions
def test_an_unreadable_folder_is_named_and_the_others_are_analyzed() -> None:
    with daemon(unprivileged=True) as library:
        make_photo(library.root / "open" / "seen.jpg", 1)
        make_photo(library.root / "closed" / "unseen.jpg", 2)
        closed = library.root / "closed"
        closed.chmod(0)
        try:
            library.start()
            library.wait()
            assert library.found("seen") == ["seen.jpg"]
            assert "closed" in library.faults()
            assert "ermission denied" in library.faults()
        finally:
            closed.chmod(0o755)
        library.ctl("rescan")
        library.wait()
        assert library.found("unseen") == ["unseen.jpg"]
        assert library.faults() == ""


@needs_permissions
def test_an_unreadable_photo_fails_with_its_reason() -> None:
    with daemon(unprivileged=True) as library:
        photo = make_photo(library.root / "private.jpg", 1)
        make_photo(library.root / "public.jpg", 2)
        photo.chmod(0)
        library.start()
        library.wait()
        assert library.found("public") == ["public.jpg"]
        reasons = {reason for (path, _), reason in library.failed().items() if path == str(photo)}
        assert reasons == {"the file cannot be read: Permission denied"}
        photo.chmod(0o644)
        library.ctl("retry", str(photo))
        library.wait()
        assert library.failed() == {}


# The state directory


def test_a_second_daemon_on_the_same_state_names_the_first() -> None:
    with daemon() as library:
        library.start()
        library.configure(paths={"socket": str(library.base / "other.sock")})
        check_refusal(library.refuses_to_start(), f"process {library.pid} holds", "imgctl status")
        library.configure(paths={"socket": str(library.socket)})
        assert library.ctl("status").code == 0


def test_a_database_of_a_newer_version_is_left_alone() -> None:
    with daemon() as library:
        library.start()
        assert library.stop() == 0
        set_version(library, 999)
        before = library.database.read_bytes()
        check_refusal(library.refuses_to_start(), "newer imgd", "version 999", "Install that newer version")
        assert library.database.read_bytes() == before


def set_version(library: Daemon, version: int) -> None:
    connection = sqlite3.connect(library.database)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


@pytest.mark.parametrize("content", [b"garbage" * 4000, b"SQLite format 3\0" + b"\xa5" * 8176])
def test_a_damaged_database_is_named_and_left_alone(content: bytes) -> None:
    with daemon() as library:
        library.state_dir.mkdir()
        library.database.write_bytes(content)
        check_refusal(library.refuses_to_start(), "damaged", str(library.database), "move library.db away")
        assert library.database.read_bytes() == content


def test_a_database_damaged_in_the_middle_is_told_of() -> None:
    with daemon() as library:
        for seed in range(10):
            make_photo(library.root / f"{seed}.jpg", seed)
        library.start()
        library.wait()
        assert library.stop() == 0
        content = bytearray(library.database.read_bytes())
        content[4096:] = b"\xa5" * (len(content) - 4096)
        library.database.write_bytes(content)
        check_refusal(library.refuses_to_start(), "damaged", "move library.db away")


@needs_permissions
def test_a_read_only_state_directory_is_named() -> None:
    with daemon(unprivileged=True) as library:
        locked = library.base / "locked"
        locked.mkdir(mode=0o500)
        library.configure(paths={"state_dir": str(locked / "state")})
        check_refusal(library.refuses_to_start(), str(locked), "paths.state_dir")


def test_a_cache_directory_that_cannot_be_made_is_named() -> None:
    with daemon() as library:
        library.configure(paths={"cache_dir": "/proc/imgd"})
        check_refusal(library.refuses_to_start(), "/proc/imgd", "paths")


# The socket


def test_a_socket_path_that_is_too_long_is_refused() -> None:
    with daemon() as library:
        library.configure(paths={"socket": str(library.base / ("x" * 120) / "imgd.sock")})
        check_refusal(library.refuses_to_start(), "longer than 107 bytes", "paths.socket")


def test_a_file_in_the_sockets_place_is_left_alone() -> None:
    with daemon() as library:
        library.socket.parent.mkdir(mode=0o700)
        library.socket.write_text("precious")
        check_refusal(library.refuses_to_start(), "is no socket", "paths.socket")
        assert library.socket.read_text() == "precious"


def test_a_socket_that_a_live_daemon_listens_on_is_left_to_it() -> None:
    with daemon() as library:
        library.start()
        library.configure(paths={"state_dir": str(library.base / "other")})
        check_refusal(library.refuses_to_start(), "already listens", "imgctl status")
        library.configure(paths={"state_dir": str(library.state_dir)})
        assert library.ctl("status").code == 0


def test_a_socket_that_nobody_listens_on_any_more_is_replaced() -> None:
    with daemon() as library:
        library.socket.parent.mkdir(mode=0o700)
        with socket.socket(socket.AF_UNIX) as left_behind:
            left_behind.bind(str(library.socket))
        library.start()
        assert library.ctl("status").code == 0


# The configuration


def test_every_error_of_the_configuration_is_told_at_once() -> None:
    # A section of unknown name is an error where it cannot be that of a plugin left out.
    every_plugin = ",".join(each.name for each in importlib.metadata.entry_points(group="imgd"))
    with daemon(plugins=every_plugin) as library:
        library.configure(
            watch={"settel_s": 2.0},
            pipeline={"workers": -1},
            decode={"memory_mb": "much"},
            analyzers={"preview": {"quality": 200}, "technicl": {}},
        )
        answer = library.refuses_to_start()
        check_refusal(
            answer,
            "did you mean `settle_s`?",
            "pipeline.workers",
            "decode.memory_mb",
            "analyzers.preview.quality",
            "did you mean `technical`?",
        )
        assert answer.err.count("line ") >= 5
        assert not library.state_dir.exists()


def test_a_pattern_that_is_none_is_told_before_anything_starts() -> None:
    with daemon() as library:
        library.configure(watch={"ignore": ["!"]})
        check_refusal(library.refuses_to_start(), "watch.ignore")
        assert not library.state_dir.exists()


def test_a_configuration_that_is_not_there_is_told_how_to_make() -> None:
    with daemon() as library:
        library.config.unlink()
        check_refusal(library.refuses_to_start(), str(library.config), "imgd init")
