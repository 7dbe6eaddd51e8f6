"""What a model's directory says of itself: the sha256 that each file was found to have, and should have."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imgd.model import Model, ModelFile
from imgd.weights.files import write_text_atomically

NAME = ".verified.json"


@dataclass(frozen=True, slots=True)
class Told:
    """A file whose sha256 the catalogue leaves to its source, as that source told it when the file was fetched."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """`found`: file name -> sha256 as last hashed. `told`: what those files should be of which the catalogue does
    not say it. `title`: of a model that no plugin names, since its owner added it as it was; then `told` has all
    files."""

    found: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, Told] = field(default_factory=dict)
    title: str = ""

    @classmethod
    def read(cls, directory: Path) -> Manifest:
        """That of a model's directory; an empty one where nothing was verified yet."""
        try:
            values = json.loads((directory / NAME).read_bytes())
            return cls(
                {str(name): str(digest) for name, digest in values["files"].items()},
                {
                    str(name): Told(str(each["sha256"]), int(each["size_bytes"]))
                    for name, each in values.get("told", {}).items()
                },
                str(values.get("title", "")),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def write(self, directory: Path) -> None:
        values: dict[str, object] = {"model": directory.name, "files": dict(self.found)}
        if self.told:
            values["told"] = {name: dataclasses.asdict(each) for name, each in self.told.items()}
        if self.title:
            values["title"] = self.title
        write_text_atomically(directory / NAME, json.dumps(values, indent=1, sort_keys=True) + "\n")

    def complete(self, files: Sequence[ModelFile]) -> list[ModelFile]:
        """`files` with what their sources told; those of which nobody told anything stay without a sha256."""
        return [
            file if file.sha256 or (told := self.told.get(file.name)) is None else told_file(file, told)
            for file in files
        ]

    def as_model(self, name: str) -> Model | None:
        """The model that its owner added as it was; None where this is one of the catalogue."""
        if not self.title:
            return None
        files = tuple(ModelFile(each, told.sha256, told.size_bytes, ()) for each, told in self.told.items())
        return Model(name, self.title, "as its owner knows it", files)


def told_file(file: ModelFile, told: Told) -> ModelFile:
    return dataclasses.replace(file, sha256=told.sha256, size_bytes=told.size_bytes)
