"""The values that cross floors: frozen, typed, with units in their names.

Words are those of docs/glossary.md. Whatever leaves or enters a process of imgd (worker, lane, encoder,
client) is one of these, or is made of them.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, SupportsIndex, TypeAlias, overload

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class ByteRange(Protocol):
    """A file's bytes, which may be read only as they are asked for: what `bytes` can, as far as it is needed."""

    def __len__(self) -> int: ...

    @overload
    def __getitem__(self, part: SupportsIndex, /) -> int: ...

    @overload
    def __getitem__(self, part: slice, /) -> bytes: ...

    def startswith(self, prefix: bytes | tuple[bytes, ...], start: int = 0, /) -> bool: ...


FactValue: TypeAlias = bool | int | float | str | list[Any] | dict[str, Any] | None
"""What a fact may hold: JSON. A filterable fact (declared in `Analyzer.facts`) is a scalar."""


class Device(enum.StrEnum):
    """Where an analyzer runs."""

    CPU = "cpu"
    """Inline, in the decode worker, where the pixels are hot in cache."""
    MODEL = "model"
    """In a lane, in batches, beside other models."""


class RootState(enum.StrEnum):
    """Whether a root's photos can be reached now."""

    ONLINE = "online"
    OFFLINE = "offline"


class PhotoState(enum.StrEnum):
    """Whether a photo's file was there when its folder was last seen."""

    PRESENT = "present"
    MISSING = "missing"


class RunMode(enum.StrEnum):
    """When an analyzer runs: `run` in its section of imgd.toml."""

    ALWAYS = "always"
    """Every photo owes it a finding."""
    IDLE = "idle"
    """As `always`, but its jobs wait until imgd has nothing else to do and nobody searches."""
    REQUEST = "request"
    """Photos owe it a finding only where a person asked for it."""
    OFF = "off"


class Priority(enum.IntEnum):
    """How soon a job is done; lower is sooner."""

    REQUEST = 5
    """What a person asked an analyzer to do: it does not wait for imgd to be idle."""
    EVENT = 10
    """A file that a person has just added, changed or asked for."""
    SCAN = 20
    """A file that a scan found."""
    REANALYSIS = 30
    """A photo that has a finding already, of an older version."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What an analyzer needs of a photo.

    `edge`: longest edge in pixels; the analyzer receives exactly min(edge, original), never upscaled.
    0 means no pixels at all: only the file's metadata.
    """

    edge: int = 0


@dataclass(frozen=True, slots=True)
class Tag:
    """A word or short phrase that an analyzer says applies to a photo; `score` from 0 to 1."""

    label: str
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Text:
    """Text of or about a photo. `kind` is the field it is searched in: `caption`, `text` (in the picture),
    `keyword`, `place`, `camera`, or another word for anything else."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Region:
    """A box in the upright photo. `box` is (left, top, width, height), each a fraction 0..1 of the photo.

    `score`: how sure it is that the region is there; `quality`: how well what it shows can be recognised, where
    the analyzer can tell; both from 0 to 1. `landmarks`: (x, y) fractions of the photo.
    """

    kind: str
    box: tuple[float, float, float, float]
    label: str = ""
    score: float = 1.0
    landmarks: tuple[tuple[float, float], ...] = ()
    quality: float | None = None


@dataclass(frozen=True, slots=True)
class Vector:
    """A point of a vector space: `values` of shape (d,), float; stored as float16, L2-normalised.

    `region` is the position, in the finding's `regions`, of the region the vector describes.
    """

    space: str
    values: npt.NDArray[np.floating]
    region: int | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What one analyzer version says of one photo."""

    facts: Mapping[str, FactValue] = field(default_factory=dict)
    texts: Sequence[Text] = ()
    tags: Sequence[Tag] = ()
    regions: Sequence[Region] = ()
    vectors: Sequence[Vector] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an analyzer could say nothing of one photo; returned in place of its Finding."""

    reason: str


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A file beside a photo that describes it (`IMG_1.xmp`, `IMG_1.CR2.xmp`)."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class PhotoInput:
    """One photo as an analyzer receives it.

    `pixels`: (height, width, 3) uint8 sRGB, upright, longest edge exactly min(needs.edge, original);
    None where the analyzer's edge is 0. Read-only: analyzers of one size share the array.
    `file`: its bytes, for analyzers that run inline and need its metadata; empty in a lane. A slice of it reads no
    more of a large RAW than that part; `data` is all of it.
    `width`, `height`: of the full upright photo, in pixels; 0 where no pixel was decoded and the header
    does not tell.
    `findings`: of the analyzers named in `after`, by analyzer name.
    """

    photo_id: int
    path: str
    format: str
    width: int
    height: int
    pixels: npt.NDArray[np.uint8] | None = None
    file: ByteRange = b""
    sidecars: tuple[Sidecar, ...] = ()
    findings: Mapping[str, Finding] = field(default_factory=dict)

    @property
    def data(self) -> bytes:
        """The whole file. Asking for it reads a RAW that would else be read in part."""
        return self.file if isinstance(self.file, bytes) else self.file[:]

    @property
    def image(self) -> npt.NDArray[np.uint8]:
        """`pixels`, for an analyzer that declared an edge and so always has them."""
        if self.pixels is None:
            raise ValueError("this analyzer declared Needs(edge=0): it receives no pixels")
        return self.pixels


@dataclass(frozen=True, slots=True)
class StoredVector:
    """A vector ready to be stored: `data` is float16, L2-normalised, in native byte order."""

    space: str
    data: bytes
    region: int | None = None


@dataclass(frozen=True, slots=True)
class StoredFinding:
    """A checked finding in plain values, as it travels from a worker or a lane to the store.

    `filterable`: the declared facts, as (key, number, text) with one of the two set.
    """

    facts: dict[str, FactValue] = field(default_factory=dict)
    filterable: list[tuple[str, float | None, str | None]] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    tags: list[Tag] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)
    vectors: list[StoredVector] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FileStat:
    """What identifies one state of a file. `inode` and `device` as signed 64-bit numbers."""

    size_bytes: int
    mtime_ns: int
    device: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileStat:
        """`status` as the store keeps it. SQLite's integers are signed; the kernel's are not."""
        return cls(status.st_size, status.st_mtime_ns, _signed(status.st_dev), _signed(status.st_ino))


_LARGEST = (1 << 63) - 1


def _signed(number: int) -> int:
    return number - (1 << 64) if number > _LARGEST else number


class SeenFile(NamedTuple):
    """A file as a scan or an event saw it: `folder` relative to its root (b"" is the root itself), the rest as in
    `FileStat`.

    A flat tuple, for a scan makes one of each file, and compares them with the rows of the store as they are.
    """

    folder: bytes
    name: bytes
    size_bytes: int
    mtime_ns: int
    device: int
    inode: int

    @classmethod
    def of(cls, folder: bytes, name: bytes, status: os.stat_result) -> SeenFile:
        """The file `name` of `folder`, whose status is `status`."""
        device, inode = status.st_dev, status.st_ino
        if device > _LARGEST or inode > _LARGEST:
            device, inode = _signed(device), _signed(inode)
        # Straight to the tuple: a call more would cost as much as the rest.
        return tuple.__new__(cls, (folder, name, status.st_size, status.st_mtime_ns, device, inode))


@dataclass(frozen=True, slots=True)
class Picture:
    """One decoded photo.

    `pixels`: (h, w, 3) uint8 sRGB, upright, longest edge at least min(needed edge, original); None where no
    pixels were asked for. `width`, `height`: of the full upright photo, in pixels. `route`: the step of the
    decode ladder that was taken. `damage`: why the photo counts as damaged although its pixels serve, or "".
    `format`: set by imgd from the ImageFormat that decoded it.
    """

    pixels: npt.NDArray[np.uint8] | None
    width: int
    height: int
    route: str = "full"
    damage: str = ""
    format: str = ""


@dataclass(frozen=True, slots=True)
class DecodeReport:
    """What the one open and decode of a photo showed.

    `route`: the step of the decode ladder that was taken (`metadata`, `preview`, `dct 1/4`, `half`, `full`).
    `damage`: why the photo counts as damaged although its pixels served, or "".
    """

    stat: FileStat
    fingerprint: bytes
    format: str
    width: int
    height: int
    route: str
    damage: str = ""


@dataclass(frozen=True, slots=True)
class OwedJob:
    """One analyzer's owed finding, as the scheduler claims it."""

    analyzer_id: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Twin:
    """An analyzed photo that a new one may be a copy of: both files have the same size.

    `content_hash`: empty where nobody knows it yet. `analyzers`: ids of those whose findings of it are current.
    """

    photo_id: int
    revision: int
    path: bytes  # absolute
    stat: FileStat
    fingerprint: bytes
    content_hash: bytes
    analyzers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SameFile:
    """The analyzed photo of which another one was found to be a copy, byte by byte, and the hash of both."""

    photo_id: int
    revision: int
    content_hash: bytes


@dataclass(frozen=True, slots=True)
class OwedPhoto:
    """A photo with all the jobs it owes.

    `format`, `width`, `height`: as its last decode found them; "" and 0 before that. `has_preview`: its cached
    preview was made of the file as it is now, in an earlier analysis.
    """

    photo_id: int
    revision: int
    path: bytes  # absolute
    stat: FileStat
    sidecars: tuple[bytes, ...]  # names, in the photo's own folder
    jobs: tuple[OwedJob, ...]
    format: str = ""
    width: int = 0
    height: int = 0
    has_preview: bool = False
    twins: tuple[Twin, ...] = ()  # of one that was never read


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one job of one photo revision ended: a finding, or a failure with its reason.

    `same`: the photo whose finding is taken over, in place of a finding or a reason.

    `retry_in_s`: for a failure that may pass by itself, when to try again; None means not before the file
    changes or `imgctl retry`. `route`: the step of the ladder that gave the pixels, "" where there were none.
    `of_file_alone`: neither its analyzer nor any that it reads looks into sidecars, so that it is as true of a
    later revision in which only these have changed.
    """

    photo_id: int
    analyzer_id: int
    revision: int
    finding: StoredFinding | None = None
    reason: str = ""
    retry_in_s: float | None = None
    route: str = ""
    of_file_alone: bool = False
    same: SameFile | None = None

    @property
    def found(self) -> bool:
        """Whether there is a finding now: its own, or one that was taken over."""
        return self.finding is not None or self.same is not None


@dataclass(frozen=True, slots=True)
class Decoded:
    """What the store learns of the photo itself when its jobs' outcomes are committed."""

    photo_id: int
    revision: int
    report: DecodeReport
    same: SameFile | None = None
