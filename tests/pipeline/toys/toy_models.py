"""Model analyzers that the tests of lanes put through real ones: how they take memory, crash, and begin ahead."""

from __future__ import annotations

import os
import resource
import signal
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from imgd import Analyzer, Device, Finding, Needs, PhotoInput


class Report(Analyzer[None]):
    """A lane's analyzer that does what the photo's path says."""

    name = "report"
    version = "1"
    needs = Needs(edge=8)
    device = Device.MODEL
    batch_size = 4

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding]:
        for photo in photos:
            if "crash" in photo.path:
                os.kill(os.getpid(), signal.SIGSEGV)
            if "leave" in photo.path:
                os._exit(0)
            if "hang" in photo.path:
                threading.Event().wait()
        return [
            Finding(facts={"batch": len(photos), "pid": os.getpid(), "pixels": photo.image.flatten().tolist()[:3]})
            for photo in photos
        ]


class CrashingLoad(Analyzer[None]):
    name = "crashingload"
    version = "1"
    needs = Needs(edge=8)
    device = Device.MODEL

    def load(self, device: str) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding]:
        return [Finding() for _ in photos]


class _Model(Analyzer[None]):
    """Says how large the batch was, and in which process."""

    version = "1"
    needs = Needs(edge=8)
    device = Device.MODEL

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding]:
        return [Finding(facts={"batch": len(photos), "pid": os.getpid()}) for _ in photos]


class Deadly(_Model):
    """Kills its process at every photo."""

    name = "deadly"
    batch_size = 2

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding]:
        os.kill(os.getpid(), signal.SIGSEGV)
        raise AssertionError


class Hungry(_Model):
    """Takes four tenths of the memory that its process may have for each photo, and all of it for a huge one."""

    name = "hungry"
    batch_size = 8

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding]:
        limit = resource.getrlimit(resource.RLIMIT_DATA)[0]
        tenths = sum(20 if "huge" in photo.path else 4 for photo in photos)
        held = np.empty(limit // 10 * tenths, np.uint8)  # not touched
        found = super().analyze(photos)
        del held
        return found


class Leaky(_Model):
    """Keeps a fifth of the memory that its process may have for each photo that it analyzed."""

    name = "leaky"
    batch_size = 4

    def load(self, device: str) -> None:
        self._kept: list[object] = []

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding]:
        limit = resource.getrlimit(resource.RLIMIT_DATA)[0]
        self._kept += [np.empty(limit // 5, np.uint8) for _ in photos]  # not touched
        return super().analyze(photos)


class Bursting(_Model):
    """Is killed, as by the kernel where memory is short, at a batch of more than four photos."""

    name = "bursting"
    batch_size = 8

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding]:
        if len(photos) > 4:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().analyze(photos)


class Measured(_Model):
    """Declares what it takes."""

    name = "measured"
    batch_size = 64
    memory_mb = 20
    photo_mb = 9


class Giant(_Model):
    """More than any device has."""

    name = "giant"
    memory_mb = 1e9


class CpuOnly(_Model):
    """Does not load on a GPU."""

    name = "cpuonly"
    batch_size = 2

    def load(self, device: str) -> None:
        if device != "cpu":
            raise RuntimeError("no kernel image is available")


class _Glimpsed:
    """A lane's queue of batches, the first of which was looked at already."""

    def __init__(self, first: Any, rest: Any) -> None:
        self._first = [first]
        self._rest = rest
        self.put = rest.put

    def get(self, block: bool = True) -> Any:
        return self._first.pop() if self._first else self._rest.get(block=block)


def _await_next_batch() -> None:
    """Return once the lane that runs in this process has received another batch, which stays where it is."""
    (thread,) = (each for each in threading.enumerate() if each.name == "inbox")
    inbox: Any = thread._target.__self__  # type: ignore[attr-defined]
    batches = inbox._batches
    inbox._batches = _Glimpsed(batches.get(), batches)


class Ahead(_Model):
    """Tells which calls it received, in order; crashes and raises in `begin` where the photo says so, and waits
    there for the next batch where its photo's name ends with `>`."""

    name = "ahead"
    batch_size = 2

    def load(self, device: str) -> None:
        self._calls: list[str] = []
        self._lost = False

    def begin(self, photos: Sequence[PhotoInput]) -> Sequence[PhotoInput]:
        self._calls.append(f"begin {photos[0].path[1:-4]}")
        if photos[0].path.endswith(">.jpg"):
            _await_next_batch()
        if any("crash" in photo.path for photo in photos):
            os.kill(os.getpid(), signal.SIGSEGV)
        self._lost = self._lost or any("lose" in photo.path for photo in photos)
        if self._lost:
            raise RuntimeError("CUDA error: the device is lost")
        return photos

    def finish(self, begun: Sequence[PhotoInput]) -> list[Finding]:
        self._calls.append(f"finish {begun[0].path[1:-4]}")
        if self._lost or any("assert" in photo.path for photo in begun):
            raise RuntimeError("CUDA error: device-side assert triggered")
        return [
            Finding(facts={"batch": len(begun), "pid": os.getpid(), "calls": list(self._calls)}) for _ in begun
        ]

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding]:
        return self.finish(self.begin(photos))
