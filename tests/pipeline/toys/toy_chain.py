"""Model analyzers that read what other model analyzers find."""

from __future__ import annotations

import time
from collections.abc import Sequence

from imgd import Analyzer, Device, Failure, Finding, Needs, PhotoInput, Text
from imgd.errors import DiskFullError


class Captions(Analyzer[None]):
    """A caption for each photo, but for those whose names say otherwise."""

    name = "captions"
    version = "1"
    needs = Needs(edge=32)
    device = Device.MODEL
    batch_size = 4

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding | Failure]:
        return [
            Failure("nothing to say") if "mute" in photo.path else Finding(texts=[Text("caption", "a red wall")])
            for photo in photos
        ]


class Full(Captions):
    """Finds the disk full at some photos, which may pass."""

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding | Failure]:
        if any("full" in photo.path for photo in photos):
            raise DiskFullError("no room")
        return super().analyze(photos)


class Lengths(Analyzer[None]):
    """How long the caption is; receives no pixels."""

    name = "lengths"
    version = "1"
    device = Device.MODEL
    after = ("captions",)
    batch_size = 4

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding]:
        found = []
        for photo in photos:
            caption = photo.findings.get("captions", Finding())
            length = sum(len(text.text) for text in caption.texts)
            found.append(Finding(facts={"length": length, "pixels": photo.pixels is not None}))
        return found


class Echo(Analyzer[None]):
    """Says which sidecars `header` was given."""

    name = "echo"
    version = "1"
    after = ("header",)

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding]:
        return [Finding(facts={"sidecars": photo.findings["header"].facts["sidecars"]}) for photo in photos]


class Judge(Analyzer[None]):
    """Reads what `lengths` found of what `captions` found."""

    name = "judge"
    version = "1"
    needs = Needs(edge=16)
    device = Device.MODEL
    after = ("lengths",)

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding]:
        return [
            Finding(facts={"long": photo.findings["lengths"].facts["length"] > 5, "edge": max(photo.image.shape)})
            for photo in photos
        ]


class Late(Captions):
    """Breaks as it is loaded, long after what workers found was committed."""

    name = "late"

    def load(self, device: str) -> None:
        time.sleep(1.0)
        raise RuntimeError("no such model")


class Reader(Analyzer[None]):
    """Works beside the decoder, on what `late` finds."""

    name = "reader"
    version = "1"
    needs = Needs(edge=16)
    after = ("late",)

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding]:
        return [Finding(facts={"read": len(photo.findings)}) for photo in photos]
