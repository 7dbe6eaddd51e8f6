"""The directory of models: what is there, whether it is whole, and where it lies.

    ROOT/NAME/FILE...            the files of a model, as the catalogue names them
    ROOT/NAME/.verified.json     the sha256 that each file was last found to have, and should have where only its
                                 source could tell; of a model that its owner added as it was, all files
    ROOT/.partial/               downloads that are not yet verified
    ROOT/.lock                   held by whoever changes the store

The manifest makes `status` cheap: models are hashed when they are fetched, added or verified, not at every start.
"""

from __future__ import annotations

import dataclasses
import enum
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    write_verified,
)
from imgd.weights.manifest import Manifest, Told, told_file


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
    """Models on disk, below `root`: those that plugins name, and those that their owner added as they were."""

    def __init__(self, root: Path, catalogue: Catalogue) -> None:
        self.root = root
        self._declared = catalogue

    @property
    def catalogue(self) -> Catalogue:
        """Every model there can be, with those of this store that no plugin names."""
        try:
            names = sorted(entry.name for entry in self.root.iterdir() if not entry.name.startswith("."))
        except OSError:
            return self._declared
        own = (Manifest.read(self.root / name).as_model(name) for name in names if name not in self._declared)
        return self._declared.joined(model for model in own if model is not None)

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
        manifest = self._manifest(model)
        files, verified = manifest.complete(model.files), manifest.found
        told = [file for file in files if file.sha256]
        wrong_size = any(sizes[file.name] not in (None, file.size_bytes) for file in told)
        wrong_content = any(
            sizes[file.name] is not None and verified.get(file.name, file.sha256) != file.sha256 for file in told
        )
        if wrong_size or wrong_content:
            return ModelStatus.CORRUPT
        whole = len(told) == len(files) and all(
            sizes[file.name] is not None and file.name in verified for file in files
        )
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
                hint=f"To get it, {self.how_to_get([name])}; `imgctl models list` shows what there is.",
            )
        return self.root / name

    def how_to_get(self, names: Sequence[str]) -> str:
        """What to run for models that are not there, or not whole; "" for none. Those that no plugin names cannot
        be fetched: their owner has them."""
        pulled = " ".join(name for name in names if name in self._declared)
        own = [f"`imgctl models add DIR --as {name}`" for name in names if name not in self._declared]
        commands = [f"`imgctl models pull {pulled}`", *own] if pulled else own
        return f"run {' and '.join(commands)}" if commands else ""

    def files(self, model: Model) -> list[ModelFile]:
        """The files of `model`, each with its sha256 and size where the catalogue or its source have told them."""
        return self._manifest(model).complete(model.files)

    def learn(self, model: Model, file: ModelFile, told: Told) -> ModelFile:
        """Keep what the source of `file` says of it; the caller holds the lock. Returns the file with that."""
        private_directory(self.root / model.name)
        manifest = self._manifest(model)
        dataclasses.replace(manifest, told={**manifest.told, file.name: told}).write(self.root / model.name)
        return told_file(file, told)

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
            self._record(model, found)
        return [
            FileCheck(file, self.path(model, file), _problem(file, found.get(file.name)))
            for file in self.files(model)
        ]

    def add(self, directory: Path, name: str | None = None) -> list[str]:
        """Copy models that were fetched elsewhere: files below `directory`, whatever they are called there,
        are matched to the catalogue by size and sha256. Without `name`, every model that is found whole is added.

        A file whose sha256 the catalogue leaves to the hub is taken by its own name from where the others lie, and
        kept as it is there: nobody vouches for it but who added it.

        Returns the names of the models added.

        Raises:
            ModelError: not all files of `name`, or of any model, are there.
        """
        wanted = [self.catalogue.model(name)] if name else list(self._declared)
        with system_errors_named(directory):
            sizes = {file.size_bytes for model in wanted for file in self.files(model) if file.sha256}
            known = _files_by_sha256(directory, sizes)
            found = {model.name: _files_of(directory, self.files(model), known) for model in wanted}
        whole = [model for model in wanted if len(found[model.name]) == len(model.files)]
        if not whole:
            missing = [each.name for model in wanted for each in model.files if each.name not in found[model.name]]
            raise ModelError(
                f"{directory} lacks files of {name}: {', '.join(missing)}"
                if name
                else f"no model of the catalogue is whole in {directory}",
                hint="Files are recognised by their content; `imgctl models list` shows what models there are."
                " `--as NAME` takes a folder as it is, as a model of your own.",
            )
        with self.locked():
            for model in whole:
                self._take(model, found[model.name])
        return [model.name for model in whole]

    def add_as(self, directory: Path, name: str) -> None:
        """Copy all files below `directory`, but for hidden ones, as the model `name` that no plugin names.

        Raises:
            ModelError: a plugin names such a model, or there is nothing to take.
        """
        if name in self._declared:
            raise ModelError(
                f"{name} is a model of the catalogue",
                hint=f"`imgctl models add DIR --name {name}` checks its files; your own need another name.",
            )
        if "/" in name:
            raise ModelError(f"{name!r} cannot be the name of a model", hint="Take one without a slash.")
        with system_errors_named(directory):
            below = sorted(path for path in directory.rglob("*") if path.is_file())
            paths = {path.relative_to(directory).as_posix(): path for path in below}
            paths = {each: path for each, path in paths.items() if not f"/{each}".count("/.")}
            told = {each: Told(file_sha256(path), path.stat().st_size) for each, path in paths.items()}
        found = {each: file.sha256 for each, file in told.items()}
        manifest = Manifest(found, told, f"added from {directory.resolve().name}")
        model = manifest.as_model(name)
        if model is None or not model.files:
            raise ModelError(f"{directory} has no files", hint="Name the folder that holds the model's files.")
        for file in model.files:
            self.path(model, file)  # before anything is copied: refuses names that lead elsewhere
        with self.locked():
            self._replace(model, paths, manifest)

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
        self._record(model, {file.name: file.sha256 for file in self.files(model)})

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

    def _replace(self, model: Model, paths: Mapping[str, Path], manifest: Manifest) -> None:
        """Put `model` in the place of what is there under its name, once all its files are copied and verified."""
        staged, former = (self.partial_dir / each / model.name for each in ("added", "former"))
        for each in (staged, former):
            shutil.rmtree(each, ignore_errors=True)
            each.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            private_directory(staged)
            for file in model.files:
                scratch = self.partial_dir / f"{model.name}.{file.name.replace('/', '.')}"
                with paths[file.name].open("rb") as stream:
                    write_verified(stream, file, scratch, staged / file.name, lambda _written: None)
            manifest.write(staged)
            if (place := self.root / model.name).exists():
                place.rename(former)
            try:
                staged.rename(place)
            except BaseException:  # Ctrl-C, too
                if former.exists():
                    former.rename(place)
                raise
        finally:
            for each in (staged, former):
                shutil.rmtree(each, ignore_errors=True)

    def _take(self, model: Model, paths: Mapping[str, Path]) -> None:
        """Copy the files of `model` from `paths`, by their names, each verified."""
        for file in self.files(model):
            path = paths[file.name]
            taken = file if file.sha256 else self.learn(model, file, Told(file_sha256(path), path.stat().st_size))
            with path.open("rb") as stream:
                self.write(model, taken, stream)
        self.finish(model)

    def _manifest(self, model: Model) -> Manifest:
        return Manifest.read(self.root / model.name)

    def _record(self, model: Model, found: Mapping[str, str]) -> None:
        dataclasses.replace(self._manifest(model), found=found).write(self.root / model.name)


def _size_bytes(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _problem(file: ModelFile, digest: str | None) -> str:
    if digest is None:
        return "is missing"
    if not file.sha256:
        return "is not what was fetched: nothing says what it should be"
    return "" if digest == file.sha256 else f"has sha256 {digest}, should have {file.sha256}"


def _files_by_sha256(directory: Path, sizes: set[int]) -> dict[str, Path]:
    """Files below `directory` of one of these sizes, by content; others are not read."""
    candidates = (path for path in sorted(directory.rglob("*")) if path.is_file() and _size_bytes(path) in sizes)
    return {file_sha256(path): path for path in candidates}


def _files_of(directory: Path, files: Sequence[ModelFile], known: Mapping[str, Path]) -> dict[str, Path]:
    """Those of `files` that are there, by name: by their content (`known`), or beside such a one."""
    found = {file.name: known[file.sha256] for file in files if file.sha256 in known}
    roots = [directory, *(path.parents[name.count("/")] for name, path in found.items())]
    for file in files:
        if not file.sha256:
            beside = [path for root in roots if (path := root / file.name).is_file()]
            if beside:
                found[file.name] = beside[-1]
    return found
