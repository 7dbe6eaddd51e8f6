from __future__ import annotations

import hashlib
import os
import socket
import threading
from pathlib import Path

import pytest
import xxhash

from imgd.decode import LateFile, Source
from imgd.domain import FileStat
from imgd.errors import LimitError, UnsupportedFormatError

MAX = 1 << 30


def test_a_source_carries_the_whole_file_and_what_the_store_must_know(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    data = os.urandom(300_000)
    path.write_bytes(data)
    with Source.open(bytes(path), MAX) as source:
        assert source.content == source.data == data
        assert source.stat == FileStat.of(path.stat())
        assert source.name == "photo.jpg"
        assert not source.changed


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 64 * 1024 + 1, 100_000, 200_000])
def test_the_fingerprint_is_of_the_size_and_both_ends(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    path = tmp_path / "photo"
    path.write_bytes(data)
    expected = xxhash.xxh3_128(size.to_bytes(8, "little") + data[:65536] + data[-65536:]).digest()
    with Source.open(bytes(path), MAX) as source:
        assert source.fingerprint == expected


def test_a_large_tiff_is_read_by_ranges_and_is_the_same_to_whoever_reads_it(tmp_path: Path) -> None:
    data = b"II*\0" + os.urandom(3_000_000)
    path = tmp_path / "photo.cr2"
    path.write_bytes(data)
    with Source.open(bytes(path), MAX) as source:
        source.fetch()
        content = source.content
        assert not isinstance(content, bytes)
        assert len(content) == len(data)
        parts = [(0, 4), (16_380, 16_390), (100_000, 2_000_000), (-65536, None), (2_999_990, 9_000_000), (7, 3)]
        assert all(content[a:b] == data[a:b] for a, b in parts)
        assert (content[0], content[70_000], content[-1]) == (data[0], data[70_000], data[-1])
        assert content.startswith((b"MM", data[9:12]), 9)
        with pytest.raises(IndexError):
            content[len(data)]
        expected = xxhash.xxh3_128(len(data).to_bytes(8, "little") + data[:65536] + data[-65536:]).digest()
        assert source.fingerprint == expected
        assert source.data == data
        assert not source.changed


@pytest.mark.parametrize("mark", [b"II*\0", b"\xff\xd8\xff"])
def test_the_content_hash_is_of_all_bytes_however_they_are_read(tmp_path: Path, mark: bytes) -> None:
    data = mark + os.urandom(3_000_000)
    path = tmp_path / "photo"
    path.write_bytes(data)
    with Source.open(bytes(path), MAX) as source:
        assert source.fingerprint
        assert source.content_hash == hashlib.sha256(data).digest()
        assert not source.changed


def test_a_large_tiff_that_changes_before_its_last_read_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "photo.cr2"
    path.write_bytes(b"II*\0" + bytes(3_000_000))
    with Source.open(bytes(path), MAX) as source:
        assert source.content[:4] == b"II*\0"
        os.truncate(path, 1_000_000)
        assert source.content[2_000_000:2_000_010] == bytes(10)
        assert source.changed
        assert source.fault is None


def test_a_late_file_is_opened_with_its_first_use(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    late = LateFile(bytes(path), MAX)
    with pytest.raises(FileNotFoundError):
        late.startswith(b"a")
    path.write_bytes(b"abc")
    assert (len(late), late[1], late[1:], late.startswith(b"b", 1)) == (3, ord("b"), b"bc", True)
    late.close()


def test_inode_numbers_fit_a_signed_column() -> None:
    values = [0] * 10
    values[1], values[2], values[6] = (1 << 64) - 1, 1 << 63, 5
    stat = FileStat.of(os.stat_result(values, {"st_mtime_ns": 7}))
    assert (stat.inode, stat.device, stat.size_bytes, stat.mtime_ns) == (-1, -(1 << 63), 5, 7)


def test_a_name_that_is_no_text_is_still_opened(tmp_path: Path) -> None:
    path = os.path.join(bytes(tmp_path), b"caf\xe9.jpg")
    with open(path, "wb") as file:
        file.write(b"x")
    with Source.open(path, MAX) as source:
        assert source.name == "caf\ufffd.jpg"


def test_folders_pipes_and_sockets_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnsupportedFormatError, match="a folder"):
        Source.open(bytes(tmp_path), MAX)
    with pytest.raises(UnsupportedFormatError, match="a pipe"):
        Source.open(bytes(tmp_path / "pipe"), MAX)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        with pytest.raises(OSError, match="No such device"):
            Source.open(bytes(tmp_path / "socket"), MAX)


def test_a_file_over_the_limit_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    path.touch()
    os.truncate(path, 5_000_000)
    with pytest.raises(LimitError, match=r"5 MB, more than `decode.max_file_mb`"):
        Source.open(bytes(path), 4_000_000)


def test_a_file_that_grows_during_the_read_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "growing"
    path.touch()
    os.truncate(path, 300_000_000)
    started, stop = threading.Event(), threading.Event()

    def grow() -> None:
        with path.open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(b"x")
                started.set()

    writer = threading.Thread(target=grow)
    writer.start()
    started.wait()
    try:
        with Source.open(bytes(path), MAX) as source:
            assert source.data
            assert source.changed
    finally:
        stop.set()
        writer.join()
