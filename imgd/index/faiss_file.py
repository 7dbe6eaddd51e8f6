"""An index on disk: built beside, synced, put in place by its manifest, and checked when it is loaded."""

from __future__ import annotations

import errno
import json
import os
import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import faiss
import xxhash

from imgd.errors import DiskFullError, StoreError
from imgd.index.built import Breadth
from imgd.index.positions import Positions
from imgd.index.shapes import Kind
from imgd.index.text import sync_folder

_BLOCK = 1 << 20
_SPOTS = 64
_SPOT = 4096


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an index file holds: all vectors of `space` with ids up to `max_id` that were there at `change_seq`.

    `recall`: of the `breadth` that was chosen for it, where it has one; else 1. `glance` is the hash of the file's
    beginning, end and spots between, which is looked at when it is loaded; `xxh3` that of all its bytes.
    """

    space: str
    dimensions: int
    kind: Kind
    count: int
    max_id: int
    change_seq: int
    depth: int
    lists: int
    recall: float
    file: str
    size_bytes: int
    glance: str
    xxh3: str
    positions_xxh3: str

    @property
    def breadth(self) -> Breadth:
        return Breadth(self.depth, self.lists)

    @property
    def positions_file(self) -> str:
        return str(Path(self.file).with_suffix(".ids"))


@dataclass(frozen=True, slots=True)
class Made:
    """An index in memory, ready to be saved."""

    space: str
    kind: Kind
    index: Any
    positions: Positions
    breadth: Breadth
    recall: float
    change_seq: int


def save(folder: Path, made: Made) -> Manifest:
    """Write the index beside what is there, then its manifest, whose rename puts it in place.

    Raises:
        DiskFullError: when it does not fit.
        StoreError: when it cannot be written for another reason. What was there before stays in use either way.
    """
    stem = safe_name(made.space)
    max_id = int(made.positions.vector_ids[-1]) if len(made.positions) else 0
    path = folder / f"{stem}.{made.change_seq}-{max_id}.faiss"
    ids = path.with_suffix(".ids")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # FAISS's own writer tells of a failure without its errno, and of one at closing not at all.
        with path.open("wb") as file:
            faiss.write_index(made.index, faiss.PyCallbackIOWriter(file.write))  # type: ignore[attr-defined]
        made.positions.save(ids)
        manifest = Manifest(
            made.space, made.index.d, made.kind, len(made.positions), max_id, made.change_seq,
            made.breadth.depth, made.breadth.lists, made.recall,
            path.name, path.stat().st_size, _glance(path), _xxh3(path), _xxh3(ids),
        )  # fmt: skip
        _sync(path)
        _sync(ids)
        beside = folder / f"{stem}.json.new"
        beside.write_text(json.dumps(asdict(manifest), indent=1), encoding="utf-8")
        _sync(beside)
        beside.replace(folder / f"{stem}.json")
        sync_folder(folder)
    except (OSError, RuntimeError) as error:
        for each in (path, ids):
            with suppress(OSError):
                each.unlink(missing_ok=True)
        is_full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        kind_of_error = DiskFullError if is_full else StoreError
        raise kind_of_error(f"the index of {made.space} could not be written: {error}") from error
    discard(folder, made.space, keep=path.stem)
    return manifest


def load(folder: Path, space: str, dimensions: int) -> tuple[Manifest, Any, Positions] | None:
    """The saved index and its positions, mapped into memory, and its manifest; None when none was saved.

    Reading all of a large file takes seconds on a slow disk, so that it is glanced at here; `is_whole` reads it.

    Raises:
        ValueError: when what was saved is torn or of another space, and so has to be built anew.
    """
    try:
        text = (folder / f"{safe_name(space)}.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        values = json.loads(text)
        manifest = Manifest(**values | {"kind": Kind(values["kind"])})
        path = folder / Path(manifest.file).name
        if (manifest.space, manifest.dimensions) != (space, dimensions):
            raise ValueError(f"it holds {manifest.space} with {manifest.dimensions} dimensions")
        if path.stat().st_size != manifest.size_bytes or _glance(path) != manifest.glance:
            raise ValueError(f"{path.name} is not what was written")
        if _xxh3(ids := folder / Path(manifest.positions_file).name) != manifest.positions_xxh3:
            raise ValueError(f"{ids.name} is not what was written")
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        return manifest, index, Positions.mapped(ids, manifest.count)
    except (TypeError, KeyError, OSError, RuntimeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def is_whole(folder: Path, manifest: Manifest) -> bool:
    """Whether every byte of the index file is what was written; True, too, where a newer one has replaced it."""
    try:
        return _xxh3(folder / Path(manifest.file).name) == manifest.xxh3
    except FileNotFoundError:
        return True
    except OSError:
        return False


def discard(folder: Path, space: str, keep: str = "") -> None:
    """Remove files of `space` other than those of the stem `keep`; with nothing to keep, its manifest too."""
    stem = safe_name(space)
    if not keep:
        (folder / f"{stem}.json").unlink(missing_ok=True)
    for ending in ("faiss", "ids"):
        for path in folder.glob(f"{stem}.*-*.{ending}"):
            if path.stem != keep:
                path.unlink(missing_ok=True)


def safe_name(space: str) -> str:
    """A file name of its own for every space: `clip:ViT-B-32/openai` -> `clip_ViT-B-32_openai-1f0c9a2b`."""
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '_', space)[:80]}-{xxhash.xxh32_hexdigest(space.encode())}"


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
