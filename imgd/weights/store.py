"""The directory of models: what is there, whether it is whole, and where it lies.

    ROOT/NAME/FILE...            the files of a model, as the catalogue names them
    ROOT/NAME/.verified.json     the sha256 that each file was last found to have
    ROOT/.partial/               downloads that are not yet verified
    ROOT/.lock                   held by whoever changes the store

The manifest makes `status` cheap: models are hashed when they are fetched, added or verified, not at every start.
"""

from __future__ import annotations

import enum
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from imgd.errors import ModelError, ModelMissingError
from imgd.model import Model, ModelFile
from imgd.weights.catalogue import Catalogue
from imgd.weights.files import (
    file_sha256,
    private_directory,
    system_errors_named,
    write_text_atomically,
    write_verified,
)

_MANIFEST = ".verified.json"


class ModelStatus(enum.StrEnum):
    """What the store holds of a model."""

    PRESENT = "present"
    PARTIAL = "partial"
    """Some files are missing, or not yet verified."""
    ABSENT = "absent"
    CORRUPT = "corrupt"
    """A file has the wrong size, or was found to have the wrong content."""


@dataclass(frozen=True, slots=True)
class FileCheck:
    """One file of a model as `verify` found it: `problem` says what is wrong, or is empty."""

    file: ModelFile
    path: Path
    problem: str = ""


class ModelStore:
    """Models on disk, below `root`; only those that `catalogue` names count."""

    def __init__(self, root: Path, catalogue: Catalogue) -> None:
        self.root = root
        self.catalogue = catalogue

    @property
    def partial_dir(self) -> Path:
        """Where unfinished downloads are kept until their files are verified."""
        return self.root / ".partial"

    def status(self, name: str) -> ModelStatus:
        """What is there of a model, by file sizes and the manifest: nothing is hashed."""
        model = self.catalogue.model(name)
        sizes = {file.name: _size_bytes(self.path(model, file)) for file in model.files}
        if all(size is None for size in sizes.values()):
            return ModelStatus.ABSENT
        verified = self._manifest(model)
        wrong_size = any(sizes[file.name] not in (None, file.size_bytes) for file in model.files)
        wrong_content = any(
            sizes[file.name] is not None and verified.get(file.name, file.sha256) != file.sha256
            for file in model.files
        )
        if wrong_size or wrong_content:
            return ModelStatus.CORRUPT
        whole = all(sizes[file.name] is not None and file.name in verified for file in model.files)
        return ModelStatus.PRESENT if whole else ModelStatus.PARTIAL

    def directory(self, name: str) -> Path:
        """The directory of a model that is present.

        Raises:
            ModelMissingError: it is not there, or not whole.
        """
        status = self.status(name)
        if status is not ModelStatus.PRESENT:
            raise ModelMissingError(
                f"{name} is {status}",
                hint=f"Fetch it with `imgctl models pull {name}`; `imgctl models list` shows what there is.",
            )
        return self.root / name

    def path(self, model: Model, file: ModelFile) -> Path:
        """Where a model's file belongs, whether or not it is there."""
        for part in (model.name, file.name):
            relative = PurePosixPath(part)
            if not relative.parts or relative.is_absolute() or ".." in relative.parts or part.startswith("."):
                raise ModelError(f"{part!r} cannot be the name of a model or of its file")
        return self.root / model.name / file.name

    def verify(self, name: str) -> list[FileCheck]:
        """Hash every file of a model and remember the result.

        Raises:
            ModelMissingError: nothing of the model is there.
        """
        model = self.catalogue.model(name)
        if self.status(name) is ModelStatus.ABSENT:
            self.directory(name)
        with self.locked():
            found = {
                file.name: file_sha256(path) for file in model.files if (path := self.path(model, file)).is_file()
            }
            self._write_manifest(model, found)
        return [
            FileCheck(file, self.path(model, file), _problem(file, found.get(file.name))) for file in model.files
        ]

    def add(self, directory: Path, name: str | None = None) -> list[str]:
        """Copy models that were fetched elsewhere: files below `directory`, whatever they are called there,
        are matched to the catalogue by size and sha256. Without `name`, every model that is found whole is added.

        Returns the names of the models added.

        Raises:
            ModelError: not all files of `name`, or of any model, are there.
        """
        wanted = [self.catalogue.model(name)] if name else list(self.catalogue)
        with system_errors_named(directory):
            found = _files_by_sha256(directory, {file.size_bytes for model in wanted for file in model.files})
        whole = [model for model in wanted if all(file.sha256 in found for file in model.files)]
        if not whole:
            missing = [file.name for model in wanted for file in model.files if file.sha256 not in found]
            lacking = f"{name}: {', '.join(missing)}" if name else "no model of the catalogue is whole there"
            raise ModelError(
                f"{directory} lacks files of {lacking}",
                hint="Files are recognised by their content; `imgctl models list` shows what models there are.",
            )
        with self.locked():
            for model in whole:
                for file in model.files:
                    with found[file.sha256].open("rb") as stream:
                        self.write(model, file, stream)
                self.finish(model)
        return [model.name for model in whole]

    def remove(self, name: str) -> bool:
        """Delete a model's files. Returns whether there were any."""
        model = self.catalogue.model(name)
        if self.status(name) is ModelStatus.ABSENT:
            return False
        with self.locked():
            shutil.rmtree(self.root / model.name)
        return True

    def write(
        self,
        model: Model,
        file: ModelFile,
        stream: IO[bytes],
        progress: Callable[[int], None] = lambda _written: None,
    ) -> None:
        """Put one file of a model in its place once it is verified; the caller holds the lock."""
        private_directory(self.partial_dir)
        scratch = self.partial_dir / f"{model.name}.{file.name.replace('/', '.')}"
        write_verified(stream, file, scratch, self.path(model, file), progress)

    def finish(self, model: Model) -> None:
        """Record that every file of `model` was just verified; the caller holds the lock."""
        self._write_manifest(model, {file.name: file.sha256 for file in model.files})

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Wait until nobody else changes this store, in this process or another, and keep others out.

        Raises:
            ModelError: the operating system refuses something, here or in the body.
            DiskFullError: there is no room.
        """
        with system_errors_named(self.root):
            private_directory(self.root)
            descriptor = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield
            finally:
                os.close(descriptor)

    def _manifest(self, model: Model) -> dict[str, str]:
        """File name -> sha256 as last found; empty where nothing was verified yet."""
        try:
            files = json.loads((self.root / model.name / _MANIFEST).read_bytes())["files"]
            return {str(name): str(digest) for name, digest in files.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def _write_manifest(self, model: Model, found: dict[str, str]) -> None:
        text = json.dumps({"model": model.name, "files": found}, indent=1, sort_keys=True)
        write_text_atomically(self.root / model.name / _MANIFEST, text + "\n")


def _size_bytes(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _problem(file: ModelFile, digest: str | None) -> str:
    if digest is None:
        return "is missing"
    return "" if digest == file.sha256 else f"has sha256 {digest}, should have {file.sha256}"


def _files_by_sha256(directory: Path, sizes: set[int]) -> dict[str, Path]:
    """Files below `directory` of one of these sizes, by content; others are not read."""
    candidates = (path for path in sorted(directory.rglob("*")) if path.is_file() and _size_bytes(path) in sizes)
    return {file_sha256(path): path for path in candidates}
