"""Where a model's files come from, as the catalogue writes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from imgd.errors import ModelError

_HUB = re.compile(r"hub:(?P<repository>[\w.-]+/[\w.-]+)@(?P<revision>[^:\s]+):(?P<path>\S+)")
_WHEEL = re.compile(r"pypi:(?P<package>[A-Za-z0-9][\w.-]*)==(?P<version>[A-Za-z0-9.+!]+):(?P<member>\S+)")
_WEB = re.compile(r"https://[^/\s]+/\S+")
_FILE = re.compile(r"file:(?P<path>.+)")


@dataclass(frozen=True, slots=True)
class HubSource:
    """A file of a model hub's repository, at one revision."""

    repository: str
    revision: str
    path: str


@dataclass(frozen=True, slots=True)
class WheelSource:
    """A data file inside a wheel of the package index."""

    package: str
    version: str
    member: str

    @property
    def requirement(self) -> str:
        return f"{self.package}=={self.version}"


@dataclass(frozen=True, slots=True)
class WebSource:
    """A file at an `https:` address."""

    url: str


@dataclass(frozen=True, slots=True)
class FileSource:
    """A file of this machine."""

    path: Path


Source: TypeAlias = HubSource | WheelSource | WebSource | FileSource


def parse_source(text: str) -> Source:
    """One entry of `ModelFile.sources`.

    Raises:
        ModelError: it is written in none of the four forms.
    """
    if match := _HUB.fullmatch(text):
        return HubSource(**match.groupdict())
    if match := _WHEEL.fullmatch(text):
        return WheelSource(**match.groupdict())
    if _WEB.fullmatch(text):
        return WebSource(text)
    if match := _FILE.fullmatch(text):
        return FileSource(Path(match["path"]).expanduser())
    raise ModelError(
        f"{text!r} is no source of a model file",
        hint="Sources are hub:ORG/REPO@REVISION:PATH, pypi:PACKAGE==VERSION:MEMBER, https://HOST/PATH "
        "and file:PATH.",
    )
