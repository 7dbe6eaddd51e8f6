"""Analyzers that the pipeline's tests put through real workers and lanes: good ones, and one of each bad kind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from imgd import Analyzer, Device, Failure, Finding, Needs, PhotoInput, Tag, Vector


class Shape(Analyzer[None]):
    """Says what it received."""

    name = "shape"
    version = "1"
    needs = Needs(edge=200)
    facts: ClassVar = {"pixels_wide": int, "pixels_high": int}

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding]:
        return [
            Finding(
                facts={
                    "pixels_wide": photo.image.shape[1],
                    "pixels_high": photo.image.shape[0],
                    "full": [photo.width, photo.height],
                    "format": photo.format,
                }
            )
            for photo in photos
        ]


class Header(Analyzer[None]):
    """Needs no pixels."""

    name = "header"
    version = "1"
    reads_sidecars = True

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding]:
        return [
            Finding(facts={"bytes": len(photo.data), "sidecars": [each.name for each in photo.sidecars]})
            for photo in photos
        ]


class Gated(Analyzer[None]):
    """Takes a byte out of the pipe beside its photo's folder for each photo, and waits until there is one."""

    name = "gated"
    version = "1"

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding]:
        with Path(photos[0].path).parent.with_name("gate").open("rb", buffering=0) as gate:
            for _ in photos:
                gate.read(1)
        return [Finding() for _ in photos]


class LaneGated(Gated):
    """Does so in a lane."""

    name = "lanegated"
    needs = Needs(edge=8)
    device = Device.MODEL


class Unlinking(Analyzer[None]):
    """Finds its photo's file gone, just when it looks into it."""

    name = "unlinking"
    version = "1"
    needs = Needs(edge=64)

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding]:
        for photo in photos:
            Path(photo.path).unlink()
        return [Finding(facts={"bytes": len(photo.file)}) for photo in photos]


class Peek(Analyzer[None]):
    """Needs few pixels, and looks into the file."""

    name = "peek"
    version = "1"
    needs = Needs(edge=64)

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding]:
        return [Finding(facts={"bytes": len(photo.file), "starts": photo.file[:3].hex()}) for photo in photos]


class Lane(Analyzer[None]):
    """Runs in a lane, reads the finding of `shape`, and says how large its batch was."""

    name = "lane"
    version = "1"
    needs = Needs(edge=64)
    device = Device.MODEL
    batch_size = 4
    after = ("shape",)

    def load(self, device: str) -> None:
        self.runtime = f"numpy on {device}"

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding]:
        return [
            Finding(
                facts={
                    "pixels": list(photo.image.shape),
                    "batch": len(photos),
                    "shape_said": photo.findings["shape"].facts["pixels_wide"] if photo.findings else None,
                    "pid": os.getpid(),
                },
                tags=[Tag("toy", 0.5)],
                vectors=[Vector("toy:3", photo.image.reshape(-1, 3).mean(axis=0) + 1)],
            )
            for photo in photos
        ]


class _Bad(Analyzer[None]):
    """Misbehaves at photos whose name begins with `bad`."""

    version = "1"
    needs = Needs(edge=64)

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding | Failure]:
        return [self.misbehave(photo) if "/bad" in photo.path else Finding() for photo in photos]

    def misbehave(self, photo: PhotoInput) -> Finding | Failure:
        raise NotImplementedError


class Crash(_Bad):
    name = "crash"

    def misbehave(self, photo: PhotoInput) -> Finding:
        os.kill(os.getpid(), signal.SIGSEGV)
        raise AssertionError


class Killed(_Bad):
    """Is killed as by somebody else, or by the kernel for want of memory."""

    name = "killed"

    def misbehave(self, photo: PhotoInput) -> Finding:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


class LaneCrash(Crash):
    name = "lanecrash"
    device = Device.MODEL
    batch_size = 8


class Hang(_Bad):
    """Leaves a file beside the photo that it hangs at."""

    name = "hang"

    def misbehave(self, photo: PhotoInput) -> Finding:
        Path(photo.path).with_suffix(".hangs").touch()
        while True:
            time.sleep(60)


class Spin(_Bad):
    name = "spin"

    def misbehave(self, photo: PhotoInput) -> Finding:
        while True:
            pass


class Dawdle(_Bad):
    """Takes a second and a half."""

    name = "dawdle"

    def misbehave(self, photo: PhotoInput) -> Finding:
        time.sleep(1.5)
        return Finding()


class Clinging(_Bad):
    """Never comes back from `close`."""

    name = "clinging"

    def close(self) -> None:
        while True:
            time.sleep(60)


class LaneClinging(Clinging):
    name = "laneclinging"
    device = Device.MODEL


class Quit(_Bad):
    name = "quit"

    def misbehave(self, photo: PhotoInput) -> Finding:
        os._exit(0)


class OddReason(_Bad):
    name = "oddreason"

    def misbehave(self, photo: PhotoInput) -> Failure:
        return Failure(["a list", "\udcff"])  # type: ignore[arg-type]


class Huge(_Bad):
    name = "huge"

    def misbehave(self, photo: PhotoInput) -> Finding:
        return Finding(facts={f"fact{number}": "x" * 1_000_000 for number in range(80)})


class LaneHuge(Huge):
    name = "lanehuge"
    device = Device.MODEL


class Slow(_Bad):
    """Takes its time in a lane."""

    name = "slow"
    device = Device.MODEL

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding]:
        time.sleep(0.5)
        return [Finding() for _ in photos]


class Raise(_Bad):
    name = "raise"

    def misbehave(self, photo: PhotoInput) -> Finding:
        raise KeyError("no such thing")


class Nan(_Bad):
    name = "nan"

    def misbehave(self, photo: PhotoInput) -> Finding:
        return Finding(vectors=[Vector("nan:2", np.array([1.0, np.nan]))])


class Refuse(_Bad):
    name = "refuse"

    def misbehave(self, photo: PhotoInput) -> Failure:
        return Failure("it is not my kind of photo")


class Unloadable(_Bad):
    name = "unloadable"

    def load(self, device: str) -> None:
        raise ImportError("a library is missing")


class LaneUnloadable(Unloadable):
    name = "laneunloadable"
    device = Device.MODEL
