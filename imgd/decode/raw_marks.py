"""By what a camera's RAW file is known. Most are TIFFs in disguise, so a TIFF has to be looked into."""

from __future__ import annotations

import os

from imgd.decode import tiff
from imgd.decode.foreign import foreign_kind
from imgd.domain import ByteRange

EXTENSIONS = (
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".gpr", ".iiq", ".k25", ".kdc", ".mef",
    ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
)  # fmt: skip
_MAGICS = (
    (0, b"FUJIFILMCCD-RAW"), (0, b"FOVb"), (0, b"\0MRM"), (6, b"HEAPCCDR"), (4, b"ftypcrx "),
    (0, b"IIU\0"), (0, b"IIRO"), (0, b"IIRS"), (0, b"MMOR"),
)  # fmt: skip
_CR2, _PHASE_ONE = b"CR\x02", (b"IIII", b"MMMM")
_DNG_VERSION, _MAKE, _COMPRESSION, _PHOTOMETRIC = 50706, 271, 259, 262
SENSOR_PHOTOMETRICS = (32803, 34892)  # colour filter array, linear raw (DNG specification 1.7, chapter 4)
# Sony, packed, Samsung, Kodak, Nikon, Pentax: compressions that only RAW files use
_SENSOR_COMPRESSIONS = (32767, 32769, 32770, 65000, 34713, 65535)


def is_raw(data: ByteRange, name: str) -> bool:
    """Whether `data` is a RAW file: by its marks, or by its extension where it is nothing else that is known (some
    RAW files are bare sensor data, which LibRaw knows by their size)."""
    if any(data.startswith(magic, offset) for offset, magic in _MAGICS):
        return True
    if tiff.is_tiff_like(data):
        return is_raw_tiff(data, name)
    return _suffix(name) in EXTENSIONS and foreign_kind(data[:]) is None


def is_raw_tiff(data: ByteRange, name: str) -> bool:
    """Whether a file with a TIFF header is a camera's RAW: by its maker's mark, by a DNG version, by sensor data
    in any of its directories; its extension counts only where it also names a camera maker."""
    if data[8:11] == _CR2 or data[8:12] in _PHASE_ONE:
        return True
    made = False
    for directory in tiff.directories(data):
        if (
            _DNG_VERSION in directory.tags
            or directory.number(_PHOTOMETRIC) in SENSOR_PHOTOMETRICS
            or directory.number(_COMPRESSION) in _SENSOR_COMPRESSIONS
        ):
            return True
        made = made or _MAKE in directory.tags
    return made and _suffix(name) in EXTENSIONS


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()
