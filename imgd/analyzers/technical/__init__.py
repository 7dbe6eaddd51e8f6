"""The built-in analyzer `technical`: how sharp, bright, contrasty, noisy and colourful a photo is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from imgd.analyzer import Analyzer
from imgd.domain import FactValue, Failure, Finding, Needs, PhotoInput


class Technical(Analyzer[None]):
    """Measures of one image of 1200 px: sharpness, exposure, contrast, noise, colours and a perceptual hash."""

    name = "technical"
    version = "1"
    needs = Needs(edge=1200)
    facts: ClassVar[Mapping[str, type]] = {
        "sharpness": float,
        "brightness": float,
        "contrast": float,
        "noise": float,
        "colourfulness": float,
        "clipped_shadows": float,
        "clipped_highlights": float,
        "phash": str,
    }

    def load(self, device: str) -> None:  # noqa: ARG002
        from imgd.analyzers.technical.measures import measure

        self._measure = measure

    def analyze(self, photos: Sequence[PhotoInput]) -> Sequence[Finding | Failure]:
        findings: list[Finding] = []
        for photo in photos:
            facts: dict[str, FactValue] = {**self._measure(photo.image)}
            findings.append(Finding(facts=facts))
        return findings
