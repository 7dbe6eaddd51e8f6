"""Finds the metadata of a photo file by what the file is, whatever its name says."""

from __future__ import annotations

from collections.abc import Callable

from imgd.domain import ByteRange
from imgd.metadata import boxes, chunks, ciff, jpeg, rawfiles
from imgd.metadata.blocks import Blocks

_TIFF_ORDERS = (b"II", b"MM")
_CIFF, _CIFF_AT = b"HEAPCCDR", 6
_LOCATORS: tuple[tuple[int, tuple[bytes, ...], Callable[[bytes, Blocks], None]], ...] = (
    (0, (b"\xff\xd8",), jpeg.locate_whole),
    (0, (b"\x89PNG\r\n\x1a\n",), chunks.locate_png),
    (8, (b"WEBP",), chunks.locate_webp),
    (0, (b"GIF87a", b"GIF89a"), chunks.locate_gif),
    (0, (b"8BPS",), chunks.locate_psd),
    (0, (b"FUJIFILMCCD-RAW",), rawfiles.locate_raf),
    (0, (b"FOVb",), rawfiles.locate_x3f),
    (0, (b"\0MRM",), rawfiles.locate_mrw),
    (_CIFF_AT, (_CIFF,), ciff.locate),
    (4, (b"ftyp", b"JXL ", b"jP  ", b"jP\x1a\x1a"), boxes.locate),
)
"""(position, signatures, locator), asked in order."""


def locate(data: ByteRange) -> Blocks:
    """The metadata blocks of the photo file `data`; an unknown kind of file has none. Never raises.

    Of a TIFF no more is read than the directories and what they point to.
    """
    blocks = Blocks()
    if data.startswith(_TIFF_ORDERS) and not data.startswith(_CIFF, _CIFF_AT):
        rawfiles.locate_tiff(data, blocks)
        return blocks
    for position, signatures, locator in _LOCATORS:
        if data.startswith(signatures, position):
            locator(data[:], blocks)
            break
    return blocks
