"""When a file counts as whole, by a clock that the test sets."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from imgd.domain import SeenFile
from imgd.watch import settle
from imgd.watch.settle import CLOSED_DELAY_S, Settling

PATH = (b"", b"a.jpg")


class File:
    """A file, and the clock by which it grows."""

    def __init__(self) -> None:
        self.now_s = self.grown_at_s = 100.0

    def grow(self) -> None:
        self.grown_at_s = self.now_s

    def see(self, folder: bytes, name: bytes) -> SeenFile:
        return SeenFile(folder, name, int(self.grown_at_s), int(self.grown_at_s * 1e9), 1, 1)


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch) -> File:
    made = File()
    clock = SimpleNamespace(monotonic=lambda: made.now_s, time_ns=lambda: int(made.now_s * 1e9))
    monkeypatch.setattr(settle, "time", clock)
    return made


def test_a_file_that_grows_is_waited_for_until_it_has_stayed_the_same(file: File) -> None:
    settling = Settling(2.0, file.see)
    settling.touch(PATH)
    taken = {}
    for second in range(1, 10):
        file.now_s = 100.0 + second
        if second <= 5:
            file.grow()
            settling.touch(PATH)
        taken[second] = [each.size_bytes for each in settling.take(10).files]
    assert taken == {second: [105] if second == 8 else [] for second in range(1, 10)}
    assert len(settling) == 0


def test_a_file_that_its_writer_has_closed_is_waited_for_no_longer_than_a_moment(file: File) -> None:
    settling = Settling(60.0, file.see)
    settling.touch(PATH)
    file.now_s += 1.0
    file.grow()
    settling.close(PATH)
    assert settling.take(10).files == []
    file.now_s += CLOSED_DELAY_S
    assert [each.name for each in settling.take(10).files] == [b"a.jpg"]
