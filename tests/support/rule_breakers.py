"""Analyzers that break one rule of the contract each, for tests of `check_analyzer`, and a few that keep it."""

from __future__ import annotations

import ctypes
import itertools
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from imgd import Analyzer, Device, Failure, Finding, Needs, PhotoInput, Tag, Vector

Answers = list[Finding | Failure]

FOREVER = threading.Event()


@dataclass(frozen=True)
class ToySettings:
    scale: float = 1.0
    model: str = "small"


class Good(Analyzer[ToySettings]):
    name = "good"
    version = "1"
    needs = Needs(edge=64)
    device = Device.MODEL
    batch_size = 4
    facts: ClassVar = {"brightness": float}
    settings_type = ToySettings

    def analyze(self, photos: Sequence[PhotoInput]) -> Answers:
        return [self.look(photo) for photo in photos]

    def look(self, photo: PhotoInput) -> Finding | Failure:
        if photo.width < 3:
            return Failure("too small to say anything of")
        mean = photo.image.mean(axis=(0, 1)) + 1
        return Finding(
            facts={"brightness": float(mean.mean() * self.settings.scale)},
            tags=[Tag("bright" if mean.mean() > 100 else "dark", 0.5)],
            vectors=[Vector("toy", mean)],
        )


class Raising(Good):
    def analyze(self, photos: Sequence[PhotoInput]) -> Answers:
        return [Finding(facts={"brightness": int(photo.image[10, 10, 0])}) for photo in photos]


class Abbreviating(Good):
    facts: ClassVar = {"brightness": float, "bright": float}


class Exiting(Good):
    def look(self, photo: PhotoInput) -> Finding | Failure:
        sys.exit("I have had enough")


class Counting(Good):
    def load(self, device: str) -> None:
        self._count = itertools.count()

    def look(self, photo: PhotoInput) -> Finding | Failure:
        return Finding(facts={"brightness": next(self._count)})


class MindfulOfItsBatch(Good):
    def analyze(self, photos: Sequence[PhotoInput]) -> Answers:
        mean = np.mean([photo.image.mean() for photo in photos])
        return [Finding(facts={"brightness": float(mean)}) for photo in photos]


class MindfulOfItsFirst(Good):
    """Confuses a batch's photos only where it is full and the black one leads it, as in the order backwards."""

    def analyze(self, photos: Sequence[PhotoInput]) -> Answers:
        if len(photos) == self.batch_size and not photos[0].image.any():
            return [self.look(photos[0]) for _ in photos]
        return [self.look(photo) for photo in photos]


class Forgetful(Good):
    def analyze(self, photos: Sequence[PhotoInput]) -> Answers:
        return [self.look(photo) for photo in photos][1:]


class ForgetfulInBatches(Good):
    def analyze(self, photos: Sequence[PhotoInput]) -> Answers:
        return [self.look(photo) for photo in photos][: max(1, len(photos) - 1)]


class OfTheWrongType(Good):
    def look(self, photo: PhotoInput) -> Finding | Failure:
        return Finding(facts={"brightness": "very"})


class NotANumber(Good):
    def look(self, photo: PhotoInput) -> Finding | Failure:
        return Finding(facts={"brightness": 1.0}, vectors=[Vector("toy", np.array([1.0, np.nan]))])


class ShapedOddly(Good):
    def look(self, photo: PhotoInput) -> Finding | Failure:
        return Finding(facts={"brightness": 1.0}, vectors=[Vector("toy", np.ones((2, 2)))])


class Withholding(Good):
    facts: ClassVar = {"brightness": float, "contrast": float}


class Talkative(Good):
    def look(self, photo: PhotoInput) -> Finding | Failure:
        return Finding(facts={"brightness": 1.0, "contrast": 0.5, "note": "words are only shown", "all": {"a": 1}})


class Scribbling(Good):
    def look(self, photo: PhotoInput) -> Finding | Failure:
        photo.image[:] = 0
        return Finding(facts={"brightness": 1.0})


class ScribblingByForce(Good):
    def look(self, photo: PhotoInput) -> Finding | Failure:
        ctypes.memset(photo.image.ctypes.data, 7, photo.image.nbytes)
        return Finding(facts={"brightness": 1.0})


class Sorting(Good):
    def analyze(self, photos: Sequence[PhotoInput]) -> Answers:
        answers = [self.look(photo) for photo in photos]
        photos.clear()  # type: ignore[attr-defined]
        return answers


class Keeping(Good):
    _kept: npt.NDArray[np.uint8]

    def look(self, photo: PhotoInput) -> Finding | Failure:
        self._kept = photo.image[::2]
        return super().look(photo)


class Opening(Good):
    """By C code, which Python does not see."""

    def look(self, photo: PhotoInput) -> Finding | Failure:
        libc = ctypes.CDLL(None)
        os.close(libc.open(os.fsencode(photo.path), os.O_RDONLY))
        return super().look(photo)


class Calling(Good):
    def load(self, device: str) -> None:
        with socket.socket() as asked:
            asked.settimeout(0.2)
            asked.connect_ex(("127.0.0.1", 9))


class Unloadable(Good):
    def load(self, device: str) -> None:
        raise ImportError("no such library")


class LoadedOnce(Good):
    loaded: ClassVar[list[str]] = []

    def load(self, device: str) -> None:
        if self.loaded:
            raise RuntimeError("the device is taken")
        self.loaded.append(device)


class Changed(Good):
    """Is another one after it was loaded again."""

    times: ClassVar[list[str]] = []

    def load(self, device: str) -> None:
        self.times.append(device)

    def look(self, photo: PhotoInput) -> Finding | Failure:
        return Finding(facts={"brightness": float(len(self.times))})


class Clinging(Good):
    def close(self) -> None:
        raise OSError("the device is busy")


class Nameless(Analyzer[None]):
    version = "1"

    def analyze(self, photos: Sequence[PhotoInput]) -> Answers:
        return [Finding() for photo in photos]


class Demanding(Good):
    requires = ("a-model",)


class DemandingBySettings(Good):
    @classmethod
    def configured(cls, settings: ToySettings) -> type[Analyzer[ToySettings]]:  # type: ignore[override]
        return cls.declared(requires=(f"a-{settings.model}-model",))


class Undecided(Good):
    numbers: ClassVar = itertools.count(1)

    @classmethod
    def configured(cls, settings: ToySettings) -> type[Analyzer[ToySettings]]:  # type: ignore[override]
        return cls.declared(batch_size=next(cls.numbers))


class Unconfigurable(Good):
    @classmethod
    def configured(cls, settings: ToySettings) -> type[Analyzer[ToySettings]]:  # type: ignore[override]
        raise KeyError(settings.model)


class Larger(Good):
    """Its photos are as large as its settings say."""

    @classmethod
    def configured(cls, settings: ToySettings) -> type[Analyzer[ToySettings]]:  # type: ignore[override]
        return cls.declared(needs=Needs(edge=96))

    def look(self, photo: PhotoInput) -> Finding | Failure:
        return Finding(facts={"brightness": float(max(photo.image.shape))})


class Ahead(Good):
    """Begins and finishes properly."""

    def begin(self, photos: Sequence[PhotoInput]) -> list[Finding | Failure]:
        return [self.look(photo) for photo in photos]

    def finish(self, begun: Any) -> Answers:
        return list(begun)

    def analyze(self, photos: Sequence[PhotoInput]) -> Answers:
        return self.finish(self.begin(photos))


class OneAtATime(Ahead):
    """Has one place for what it has begun, which the next batch takes."""

    _begun: Sequence[PhotoInput] = ()

    def begin(self, photos: Sequence[PhotoInput]) -> Any:
        self._begun = photos
        return len(photos)

    def finish(self, begun: Any) -> Answers:
        last = self._begun[-1]
        return [self.look(last) for _ in range(begun)]

    def analyze(self, photos: Sequence[PhotoInput]) -> Answers:
        return [self.look(photo) for photo in photos]


class Crashing(Good):
    def look(self, photo: PhotoInput) -> Finding | Failure:
        if photo.image.shape[0] == 1:
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().look(photo)


class Leaving(Good):
    def load(self, device: str) -> None:
        os._exit(0)


def tell_that_it_waits(thread_id: int) -> None:
    """Open the pipe that the environment names, once the thread waits for an event."""
    while sys._current_frames()[thread_id].f_code is not threading.Condition.wait.__code__:
        FOREVER.wait(0.001)
    Path(os.environ["TELLS_THAT_IT_WAITS"]).open("w").close()


class Hanging(Good):
    """Deep down, as libraries do."""

    def look(self, photo: PhotoInput) -> Finding | Failure:
        return self.descend(20)

    def descend(self, deep: int) -> Finding | Failure:
        if deep:
            return self.descend(deep - 1)
        threading.Thread(target=tell_that_it_waits, args=(threading.get_ident(),), daemon=True).start()
        FOREVER.wait()
        raise AssertionError


class Leaking(Good):
    def load(self, device: str) -> None:
        self._kept: list[object] = []

    def look(self, photo: PhotoInput) -> Finding | Failure:
        self._kept.append(np.ones(200_000, np.uint8))
        return super().look(photo)


class HeavyToLoad(Good):
    memory_mb = 20

    def load(self, device: str) -> None:
        self._weights = np.ones(200 << 20, np.uint8)


class HeavyInBatches(Good):
    batch_size = 8
    photo_mb = 1

    def analyze(self, photos: Sequence[PhotoInput]) -> Answers:
        space = np.ones(len(photos) * (20 << 20), np.uint8)
        return [self.look(photo) for photo in photos] if space.any() else []


class Honest(Good):
    """Takes as much as it declares."""

    batch_size = 8
    memory_mb = 200
    photo_mb = 20

    def load(self, device: str) -> None:
        self._weights = np.ones(200 << 20, np.uint8)

    def analyze(self, photos: Sequence[PhotoInput]) -> Answers:
        space = np.ones(len(photos) * (20 << 20), np.uint8)
        return [self.look(photo) for photo in photos] if space.any() else []


class Elsewhere(Good):
    """The name `Elsewhere` is another class's, below."""


ElsewhereIndeed = Elsewhere
Elsewhere = Good  # type: ignore[misc]
