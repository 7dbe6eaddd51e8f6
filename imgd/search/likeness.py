"""Photos that look like a photo: from what stands after `like:` to vectors, and from these to photos."""

from __future__ import annotations

import asyncio
import json
import os
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from imgd.errors import ImgdError, SearchError
from imgd.index.matches import Matches
from imgd.index.spaces import SpaceIndexes
from imgd.index.vectors import SpaceIndex
from imgd.index.words import Words
from imgd.pipeline.messages import FileAnswer, PhotoToEncode
from imgd.search.photo_cutoff import PhotoCutoffs
from imgd.search.pictures import most_like
from imgd.search.rank import Likeness
from imgd.search.restriction import Restriction
from imgd.search.targets import Place, Targets
from imgd.store.database import Database
from imgd.store.statements import load_statements

_SQL = load_statements("imgd.search", "targets")
_CACHED_FILES = 100

Vectors = npt.NDArray[np.float32]

_Key: TypeAlias = tuple[tuple[bytes, int, int], tuple[str, ...]]
"""A state of a file, and the spaces it was brought into."""


class PhotoEncoders(Protocol):
    """The query encoders that can bring photos into their spaces."""

    def of_texts(self) -> Collection[str]:
        """Spaces in which photos do not lie by their looks."""
        ...

    def unable(self, *, photos: bool = False) -> Collection[str]:
        """With `photos`: spaces into which no photo can be brought as things are."""
        ...

    def photo_edges(self) -> Mapping[str, int]:
        """The spaces of installed encoders, their models there or not, with the longest edge in pixels that each
        wants."""
        ...

    async def encode_photo(self, space: str, photo: PhotoToEncode) -> Vectors:
        """(d,), L2-normalised; zeros where there is nothing to compare by.

        Raises:
            ImgdError: when it cannot be done now; its hint says what helps.
        """
        ...


class Files(Protocol):
    """Decodes any file."""

    async def read(self, path: bytes, edges: Collection[int]) -> FileAnswer:
        """The file at `path` at each of `edges`.

        Raises:
            SearchError: it cannot be read or decoded.
        """
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """A photo to resemble. `photo_id` is None for a file outside the library.

    `vectors`: space -> (n, d) float32, L2-normalised, n >= 1. `problems`: why a space that could be among them is
    not.
    """

    path: bytes
    photo_id: int | None
    vectors: Mapping[str, Vectors]
    problems: tuple[ImgdError, ...] = ()


class LikenessSearch:
    """Finds photos that look like another one."""

    def __init__(
        self, database: Database, words: Words, spaces: SpaceIndexes, encoders: PhotoEncoders, files: Files
    ) -> None:
        self._database = database
        self._spaces = spaces
        self._encoders = encoders
        self._files = files
        self._cutoffs = PhotoCutoffs()
        self._targets = Targets(database, words)
        self._encoded: OrderedDict[_Key, Mapping[str, Vectors]] = OrderedDict()

    async def resolve(self, target: str, cwd: bytes | None) -> Target:
        """The photo that `target` names: by `#ID`, by path (a relative one starts at `cwd`), or by a file name
        that one photo of the library has.

        A photo of the library serves by its stored vectors, in every space that has some of the whole photo;
        another file, and a photo that is not analyzed yet, is encoded by every encoder that can.

        Raises:
            QueryError: there is no such photo, or there are several.
            ModelMissingError: no encoder has the models that it needs.
            SearchError: the file cannot be decoded, or no encoder can make anything of it.
        """
        place = await asyncio.to_thread(self._targets.find, target, cwd)
        if place.photo_id is not None and (stored := await asyncio.to_thread(self._stored, place.photo_id)):
            return Target(place.path, place.photo_id, stored)
        return await self._encode(place)

    async def serving(self, target: Target) -> list[str]:
        """The spaces to compare `target` in: of those in which it has vectors, the ones that serve now."""
        unable = self._encoders.unable(photos=True) if target.photo_id is None else ()
        return await asyncio.to_thread(self._spaces.serving, target.vectors, unable)

    async def find(
        self, target: Target, space: str, restriction: Restriction | None, candidates: int
    ) -> Likeness | None:
        """The present photos most like `target` in `space`, by `candidates` of its vectors; None where there is
        nothing to compare.

        The target itself, where it is a photo of the library that can be found, comes first, with 1.0.
        """
        index = await asyncio.to_thread(self._spaces.get, space)
        queries = target.vectors.get(space)
        if index is None or queries is None or queries.shape[1] != index.space.dimensions:
            return None
        return await asyncio.to_thread(self._compare, index, queries, target.photo_id, restriction, candidates)

    def _compare(
        self,
        index: SpaceIndex,
        queries: Vectors,
        photo_id: int | None,
        restriction: Restriction | None,
        candidates: int,
    ) -> Likeness | None:
        cutoff = self._cutoffs.of_photos(index)
        if cutoff is None:
            return None
        found = most_like(index, queries, candidates, restriction)
        best = _best_of_photos(found)
        if photo_id in best:
            best = {photo_id: 1.0} | {each: best[each] for each in best if each != photo_id}
        with self._database.read() as library:
            rows = library.execute(_SQL["present"], {"photo_ids": json.dumps(list(best))})
            present = {row[0] for row in rows}
        similarities = {each: value for each, value in best.items() if each in present}
        complete = all(len(each) < candidates for each in found)
        return Likeness(index.space.name, similarities, cutoff.least, *cutoff.scale, complete)

    def _stored(self, photo_id: int) -> dict[str, Vectors]:
        """The vectors of the whole photo by its looks, by space; of spaces that are searched at all."""
        found: dict[str, list[bytes]] = {}
        of_texts = self._encoders.of_texts()
        with self._database.read() as library:
            for space, data in library.execute(_SQL["vectors"], {"photo_id": photo_id}):
                if space not in of_texts:
                    found.setdefault(space, []).append(data)
        return {
            space: np.frombuffer(b"".join(data), np.float16).reshape(len(data), -1).astype(np.float32)
            for space, data in found.items()
            if self._spaces.get(space) is not None
        }

    async def _encode(self, place: Place) -> Target:
        """By its file, whose vectors are kept for as long as its size and time stay."""
        name = os.path.basename(place.path).decode("utf-8", "backslashreplace")
        edges = self._encoders.photo_edges()
        if not edges:
            raise SearchError(
                f"no installed plugin can compare {name} with the library",
                hint="Install one that encodes photos, such as imgd-concepts; `imgctl analyzers` shows all.",
            )
        unable = self._encoders.unable(photos=True)
        wanted = await asyncio.to_thread(self._spaces.serving, edges, unable)
        edges = {space: edges[space] for space in wanted}
        key = (await asyncio.to_thread(_state, place.path), tuple(edges))
        if (known := self._encoded.get(key)) is not None:
            self._encoded.move_to_end(key)
            return Target(place.path, place.photo_id, known)
        try:
            file = await self._files.read(place.path, set(edges.values()))
        except SearchError as error:
            raise SearchError(f"{name}: {error.detail}", hint=error.advice) from error
        vectors, problems = await self._encode_pixels(place.path, file, edges)
        if not vectors:
            if problems:
                raise problems[0]
            raise SearchError(f"nothing was recognised in {name}", hint="Try another photo.")
        if not problems:  # else the next search may have more luck
            self._encoded[(place.path, file.size_bytes, file.mtime_ns), key[1]] = vectors
            while len(self._encoded) > _CACHED_FILES:
                self._encoded.popitem(last=False)
        return Target(place.path, place.photo_id, vectors, tuple(problems))

    async def _encode_pixels(
        self, path: bytes, file: FileAnswer, edges: Mapping[str, int]
    ) -> tuple[dict[str, Vectors], list[ImgdError]]:
        """The vectors by space, and why others are not among them."""
        photos = {
            each.edge: PhotoToEncode(path, file.format, file.width, file.height, each) for each in file.levels
        }
        rows = await asyncio.gather(
            *(self._encoders.encode_photo(space, photos[edge]) for space, edge in edges.items()),
            return_exceptions=True,
        )
        vectors: dict[str, Vectors] = {}
        problems: list[ImgdError] = []
        for space, row in zip(edges, rows, strict=True):
            if isinstance(row, ImgdError):
                problems.append(row)
            elif isinstance(row, BaseException):
                raise row
            elif row.any():
                vectors[space] = row[np.newaxis]
        return vectors, problems


def _best_of_photos(found: Sequence[Matches]) -> dict[int, float]:
    """Photo -> similarity of its best vector to any of the queries, best first."""
    best: dict[int, float] = {}
    for matches in found:
        for photo_id, similarity in zip(matches.photo_ids.tolist(), matches.similarities.tolist(), strict=True):
            best[photo_id] = max(min(1.0, similarity), best.get(photo_id, -1.0))
    return dict(sorted(best.items(), key=lambda item: (-item[1], item[0])))


def _state(path: bytes) -> tuple[bytes, int, int]:
    """What its vectors are kept by; nothing is kept by what a file that cannot be looked at gives."""
    try:
        status = os.stat(path)
    except OSError:
        return path, -1, -1
    return path, status.st_size, status.st_mtime_ns
