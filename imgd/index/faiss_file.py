"""An index on disk: built beside, synced, put in place by its manifest, and checked when it is loaded."""

from __future__ import annotations

import errno
import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import msgspec
import xxhash

from imgd.errors import DiskFullError, StoreError
from imgd.index.built import Breadth
from imgd.index.positions import Positions
from imgd.index.shapes import Kind, Layers
from imgd.weights.files import sync_directory

_BLOCK = 1 << 20
_SPOTS = 64
_SPOT = 4096


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was written. `glance`: the hash of its beginning, its end and spots between; `xxh3`: of all."""

    name: str
    size_bytes: int
    glance: str
    xxh3: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an index holds: all vectors of `space` with ids up to `max_id` that were there at `change_seq`, in the
    library of that identity.

    `recall`: of the `breadth` that was chosen for it, where it has one; else 1. `sieve` is there where it has one.
    """

    space: str
    dimensions: int
    kind: Kind
    count: int
    max_id: int
    change_seq: int
    breadth: Breadth
    recall: float
    codes: File
    positions: File
    sieve: File | None
    library: int = 0

    @property
    def files(self) -> list[File]:
        return [file for file in (self.codes, self.positions, self.sieve) if file is not None]


@dataclass(frozen=True, slots=True)
class Made:
    """An index in memory, ready to be saved."""

    space: str
    kind: Kind
    layers: Layers
    positions: Positions
    breadth: Breadth
    recall: float
    change_seq: int
    library: int


def save(folder: Path, made: Made) -> Manifest:
    """Write the index beside what is there, then its manifest, whose rename puts it in place.

    Raises:
        DiskFullError: when it does not fit.
        StoreError: when it cannot be written for another reason. What was there before stays in use either way.
    """
    stem = safe_name(made.space)
    max_id = int(made.positions.vector_ids[-1]) if len(made.positions) else 0
    # A name of its own each time: a file that is written again while it is mapped ends the process that maps it.
    path = folder / f"{stem}.{made.change_seq}-{max_id}-{secrets.token_hex(4)}.faiss"
    ids, sieve = path.with_suffix(".ids"), path.with_suffix(".sieve")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # What builds that were killed left may be what fills the disk.
        discard(folder, made.space, keep=_stem_in_place(folder, made.space))
        _write(made.layers.codes, path)
        made.positions.save(ids)
        if made.layers.sieve is not None:
            _write(made.layers.sieve, sieve)
        manifest = Manifest(
            made.space, made.layers.codes.d, made.kind, len(made.positions), max_id, made.change_seq,
            made.breadth, made.recall, _synced(path), _synced(ids),
            None if made.layers.sieve is None else _synced(sieve), made.library,
        )  # fmt: skip
        beside = folder / f"{stem}.json.new"
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1))
        _sync(beside)
        beside.replace(folder / f"{stem}.json")
        sync_directory(folder)
    except (OSError, RuntimeError) as error:
        for each in (path, ids, sieve):
            with suppress(OSError):
                each.unlink(missing_ok=True)
        is_full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        kind_of_error = DiskFullError if is_full else StoreError
        raise kind_of_error(f"the index of {made.space} could not be written: {error}") from error
    discard(folder, made.space, keep=path.stem)
    return manifest


def load(folder: Path, space: str, dimensions: int) -> tuple[Manifest, Layers, Positions] | None:
    """The saved index, its codes and positions mapped into memory, and its manifest; None when none was saved.

    Reading all of a large file takes seconds on a slow disk, so that it is glanced at here; `flawed` reads it.

    Raises:
        ValueError: when what was saved is torn or of another space, and so has to be built anew.
    """
    try:
        text = (folder / f"{safe_name(space)}.json").read_bytes()
    except FileNotFoundError:
        return None
    try:
        manifest = msgspec.json.decode(text, type=Manifest)
        if (manifest.space, manifest.dimensions) != (space, dimensions):
            raise ValueError(f"it holds {manifest.space} with {manifest.dimensions} dimensions")
        for file in manifest.files:
            path = folder / file.name
            if path.stat().st_size != file.size_bytes or _glance(path) != file.glance:
                raise ValueError(f"{file.name} is not what was written")
        codes = faiss.read_index(str(folder / manifest.codes.name), faiss.IO_FLAG_MMAP_IFC)
        # FAISS copies a sieve, so that a map of it would take its memory twice.
        sieve = None if manifest.sieve is None else faiss.read_index(str(folder / manifest.sieve.name))
        positions = Positions.mapped(folder / manifest.positions.name, manifest.count)
    except (msgspec.DecodeError, OSError, RuntimeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    return manifest, Layers(codes, sieve), positions


def flawed(folder: Path, manifest: Manifest) -> str:
    """The name of a file that is not, byte by byte, what was written; empty where all are, or are replaced."""
    for file in manifest.files:
        with suppress(FileNotFoundError):
            if _xxh3(folder / file.name) != file.xxh3:
                return file.name
    return ""


def discard(folder: Path, space: str, keep: str = "") -> None:
    """Remove files of `space` other than those of the stem `keep`; with nothing to keep, its manifest too."""
    stem = safe_name(space)
    if not keep:
        (folder / f"{stem}.json").unlink(missing_ok=True)
    for ending in ("faiss", "ids", "sieve"):
        for path in folder.glob(f"{stem}.*-*.{ending}"):
            if path.stem != keep:
                path.unlink(missing_ok=True)


def _stem_in_place(folder: Path, space: str) -> str:
    """The stem of the files that the saved manifest names; empty where there is no manifest, or no whole one."""
    try:
        text = (folder / f"{safe_name(space)}.json").read_bytes()
        return Path(msgspec.json.decode(text, type=Manifest).codes.name).stem
    except (FileNotFoundError, msgspec.DecodeError):
        return ""


def safe_name(space: str) -> str:
    """A file name of its own for every space: `clip:ViT-B-32/openai` -> `clip_ViT-B-32_openai-1f0c9a2b`."""
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '_', space)[:80]}-{xxhash.xxh32_hexdigest(space.encode())}"


def _write(index: Any, path: Path) -> None:
    # FAISS's own writer tells of a failure without its errno, and of one at closing not at all.
    with path.open("wb") as file:
        faiss.write_index(index, faiss.PyCallbackIOWriter(file.write))  # type: ignore[attr-defined]


def _synced(path: Path) -> File:
    _sync(path)
    return File(path.name, path.stat().st_size, _glance(path), _xxh3(path))


def _xxh3(path: Path) -> str:
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _glance(path: Path) -> str:
    """The hash of the first and last MiB and of spots between; of all of a file that is not larger than these."""
    size = path.stat().st_size
    if size <= 2 * _BLOCK + _SPOTS * _SPOT:
        return _xxh3(path)
    digest = xxhash.xxh3_128()
    between = range(_BLOCK, size - _BLOCK, (size - 2 * _BLOCK) // _SPOTS)
    with path.open("rb", buffering=0) as file:
        for start, length in ((0, _BLOCK), *((at, _SPOT) for at in between), (size - _BLOCK, _BLOCK)):
            digest.update(os.pread(file.fileno(), length, start))
    return digest.hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
