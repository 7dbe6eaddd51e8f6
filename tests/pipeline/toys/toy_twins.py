"""Analyzers that say which photo they were called for, so that a copied finding tells itself from an own one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from imgd import Analyzer, Device, Finding, Needs, PhotoInput, Tag, Text, Vector


def _says(photo: PhotoInput) -> Finding:
    return Finding(
        facts={"photo": photo.photo_id, "read": sorted(photo.findings), "full": [photo.width, photo.height]},
        texts=[Text("caption", f"photo number {photo.photo_id}")],
        tags=[Tag("toy", 0.5)],
    )


class Inline(Analyzer[None]):
    name = "inline"
    version = "1"
    needs = Needs(edge=64)

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding]:
        return [_says(photo) for photo in photos]


class Model(Analyzer[None]):
    """Runs in a lane, and reads what `inline` found."""

    name = "model"
    version = "1"
    device = Device.MODEL
    needs = Needs(edge=32)
    after = ("inline",)

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding]:
        return [
            Finding(
                facts={"photo": photo.photo_id, "read": photo.findings["inline"].facts["photo"]},
                vectors=[Vector("toy:3", photo.image.reshape(-1, 3).mean(axis=0) + 1)],
            )
            for photo in photos
        ]


class NewModel(Model):
    version = "2"


class Reader(Model):
    """Reads sidecars, and what `model` found."""

    name = "reader"
    reads_sidecars = True
    after = ("model",)
    needs = Needs(edge=0)

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding]:
        return [
            Finding(facts={"photo": photo.photo_id, "read": photo.findings["model"].facts["photo"]})
            for photo in photos
        ]


class Behind(Reader):
    """Reads what somebody found who reads sidecars."""

    name = "behind"
    reads_sidecars = False
    after = ("reader",)

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding]:
        return [_says(photo) for photo in photos]


class InlineReader(Inline):
    """Reads sidecars, and what `inline` found."""

    name = "inlinereader"
    reads_sidecars = True
    needs = Needs(edge=0)
    after = ("inline",)


class Keeper(Inline):
    """Keeps files of its own."""

    name = "keeper"
    wants_cache_dir = True


class Gate(InlineReader):
    """Says that it has a copy in hand, by a file beside the folder, and waits for a byte out of a pipe."""

    name = "gate"

    def analyze(self, photos: Sequence[PhotoInput]) -> list[Finding]:
        for photo in photos:
            path = Path(photo.path)
            if path.stem == "copy" and not (sign := path.parent.with_name("sign")).exists():
                sign.touch()
                with path.parent.with_name("gate").open("rb", buffering=0) as gate:
                    gate.read(1)
        return super().analyze(photos)
