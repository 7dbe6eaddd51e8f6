"""What the main process and its workers, lanes and encoder say to one another."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import Struct

from imgd.domain import DecodeReport, FileStat, StoredFinding

DECODING, WAITING = "decode", "wait for memory"
"""What a worker's line in the arena says, beside the names of analyzers."""


@dataclass(frozen=True, slots=True)
class AnalyzerSpec:
    """How a child finds and makes an analyzer (or a query encoder): by name, so that one whose import fails
    costs only itself. `former`: an encoder's, of a space that earlier settings filled."""

    name: str
    module: str
    qualname: str
    settings: Any
    model_dirs: Mapping[str, Path]
    cache_dir: Path | None = None
    former: bool = False


class Ready(Struct, frozen=True, array_like=True, tag=True):
    """A child's first message. `faults`: why an analyzer could not be loaded, by analyzer name."""

    faults: dict[str, str] = {}


class StandIn(Struct, frozen=True, array_like=True):
    """The cached preview of a photo, which serves in its place; and the photo as its own decode found it."""

    path: bytes
    format: str
    width: int
    height: int


class TwinFile(Struct, frozen=True, array_like=True):
    """An analyzed photo that a task's photo may be a copy of, and what is left to do where it is.

    `content_hash`: empty where nobody knows it yet. `analyzers`, `model_edges`: as the task's, without those whose
    findings are taken over; `prior`: such findings that others read. `with_preview`: so is the preview.
    """

    photo_id: int
    path: bytes
    stat: FileStat
    fingerprint: bytes
    content_hash: bytes
    analyzers: tuple[str, ...]
    model_edges: tuple[int, ...]
    prior: dict[str, StoredFinding] = {}
    with_preview: bool = False


class PhotoTask(Struct, frozen=True, array_like=True):
    """One photo for a worker: one open, one decode, the inline analyzers, and pixels for the lanes."""

    photo_id: int
    path: bytes
    stat: FileStat
    sidecars: tuple[bytes, ...]
    analyzers: tuple[str, ...]  # inline ones, in an order that respects `after`
    model_edges: tuple[int, ...]  # sizes wanted in shared memory
    slot_offset: int  # where in the arena they go; -1 where none is wanted
    prior: dict[str, StoredFinding] = {}  # findings that analyzers named in `after`
    stand_in: StandIn | None = None
    twins: tuple[TwinFile, ...] = ()


class Level(Struct, frozen=True, array_like=True):
    """Pixels in the arena: (height, width, 3) uint8 from `offset`."""

    edge: int
    offset: int
    height: int
    width: int


class AnalyzerOutcome(Struct, frozen=True, array_like=True):
    """What one analyzer said of one photo: a finding, or the reason why there is none."""

    analyzer: str
    finding: StoredFinding | None = None
    reason: str = ""
    transient: bool = False  # the failure may pass by itself (a full disk)


class PhotoStatus(enum.StrEnum):
    """How a worker found a photo's file."""

    DONE = "done"
    CHANGED = "changed"
    """Not as registered, or changed while it was read."""
    GONE = "gone"
    UNREADABLE = "unreadable"


class PhotoResult(Struct, frozen=True, array_like=True, tag=True):
    """A worker's answer to a PhotoTask. `reason`: why there are no pixels, or why the file was not read;
    `transient`: that may pass by itself. `leaky`: the analyzer to which it is due that the worker has grown too
    large and ends, and `leak`, a sentence about that. `route`: the step of the decode ladder that gave the pixels.
    `spent_s`: the seconds that each inline analyzer took, and under "" those of all the rest. `twin`: the photo
    whose file is the same, with `content_hash`, or 0; `copied_preview`: its preview is this one's now, too."""

    photo_id: int
    status: PhotoStatus
    reason: str = ""
    report: DecodeReport | None = None
    outcomes: list[AnalyzerOutcome] = []
    levels: list[Level] = []
    transient: bool = False
    route: str = ""
    spent_s: dict[str, float] = {}
    leaky: str = ""
    leak: str = ""
    twin: int = 0
    content_hash: bytes = b""
    copied_preview: bool = False


class LaneItem(Struct, frozen=True, array_like=True):
    """One photo of a lane's batch. No level: its analyzer works without pixels."""

    photo_id: int
    path: bytes
    format: str
    width: int
    height: int
    level: Level | None
    prior: dict[str, StoredFinding] = {}


class LaneReady(Struct, frozen=True, array_like=True, tag=True):
    """A lane's first message. `faults`: why an analyzer could not be loaded; `batch_sizes`: the most photos that
    the lane's memory allows in one batch; `runtimes`: what runs it; all by analyzer name. `room_mb`: what the
    loaded analyzers leave of that memory, -1 where nobody knows."""

    faults: dict[str, str] = {}
    batch_sizes: dict[str, int] = {}
    room_mb: int = -1
    runtimes: dict[str, str] = {}


class LaneBatch(Struct, frozen=True, array_like=True):
    """Photos for one analyzer of a lane. Lines in the arena name a batch by its analyzer and number."""

    analyzer: str
    items: list[LaneItem]
    number: int = 0


class LaneResult(Struct, frozen=True, array_like=True, tag=True):
    """A lane's answer to a LaneBatch: one outcome an item, in order. `batch_size`: the most photos that the
    analyzer can be sent from now on."""

    analyzer: str
    outcomes: list[AnalyzerOutcome]
    batch_size: int


class LaneEnd(Struct, frozen=True, array_like=True, tag=True):
    """A lane's last message: why it cannot go on, in words that follow its name. `leaky` and `leak` are as those
    of a worker's answer."""

    reason: str
    leaky: str = ""
    leak: str = ""


class FilePixels(Struct, frozen=True, array_like=True):
    """The pixels of a file at one size: (height, width, 3) uint8, longest edge min(edge, original)."""

    edge: int
    height: int
    width: int
    pixels: bytes


class PhotoToEncode(Struct, frozen=True, array_like=True):
    """A photo for a query encoder. `width`, `height`: of the full upright photo."""

    path: bytes
    format: str
    width: int
    height: int
    level: FilePixels


class FileAnswer(Struct, frozen=True, array_like=True):
    """A file as it was decoded, once for each edge that was asked for; or `reason`, why there is no picture.
    `width`, `height`: of the full upright photo. Size and time are those of the file that was opened."""

    size_bytes: int = 0
    mtime_ns: int = 0
    format: str = ""
    width: int = 0
    height: int = 0
    levels: list[FilePixels] = []
    reason: str = ""


class EncodeRequest(Struct, frozen=True, array_like=True):
    """Texts, or a photo, for the query encoder of `space`."""

    number: int
    space: str
    texts: list[str]
    photo: PhotoToEncode | None = None


class EncodeAnswer(Struct, frozen=True, array_like=True):
    """Float32 rows, one a text or photo, in native byte order; or why there are none."""

    number: int
    vectors: bytes = b""
    error: str = ""


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """All a worker needs to start."""

    index: int
    analyzers: tuple[AnalyzerSpec, ...]
    formats: tuple[tuple[str, str], ...]  # (module, qualname) of image formats that plugins bring
    decode: Any  # config.DecodeSettings
    arena_bytes: int
    nice: int
    recycle_after: int
    share_bytes: int  # what a photo may take while other workers do the same; larger ones take turns


@dataclass(frozen=True, slots=True)
class LaneSetup:
    """All a lane needs to start."""

    index: int
    device: str
    analyzers: tuple[AnalyzerSpec, ...]
    arena_bytes: int
    nice: int
    memory_mb: int = 0  # of its device, what it may take; 0: a share of what is free


@dataclass(frozen=True, slots=True)
class FileSetup:
    """The one file of a child that decodes it."""

    path: bytes
    edges: tuple[int, ...]
    usual_edges: tuple[int, ...]  # those of all analyzers, by whose way pixels come to each size
    formats: tuple[tuple[str, str], ...]  # as a worker's
    decode: Any  # config.DecodeSettings


@dataclass(frozen=True, slots=True)
class EncoderSetup:
    """All the encoder process needs to start; specs are named by their space."""

    encoders: tuple[AnalyzerSpec, ...]
    device: str
