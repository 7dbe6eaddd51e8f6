"""Finds the metadata of a photo file by what the file is, whatever its name says."""

from __future__ import annotations

from collections.abc import Callable

from imgd.metadata import boxes, chunks, ciff, jpeg, rawfiles
from imgd.metadata.blocks import Blocks

_LOCATORS: tuple[tuple[int, tuple[bytes, ...], Callable[[bytes, Blocks], None]], ...] = (
    (0, (b"\xff\xd8",), jpeg.locate_whole),
    (0, (b"\x89PNG\r\n\x1a\n",), chunks.locate_png),
    (8, (b"WEBP",), chunks.locate_webp),
    (0, (b"GIF87a", b"GIF89a"), chunks.locate_gif),
    (0, (b"8BPS",), chunks.locate_psd),
    (0, (b"FUJIFILMCCD-RAW",), rawfiles.locate_raf),
    (0, (b"FOVb",), rawfiles.locate_x3f),
    (0, (b"\0MRM",), rawfiles.locate_mrw),
    (6, (b"HEAPCCDR",), ciff.locate),
    (4, (b"ftyp", b"JXL ", b"jP  ", b"jP\x1a\x1a"), boxes.locate),
    (0, (b"II", b"MM"), rawfiles.locate_tiff),
)
"""(position, signatures, locator), asked in order."""


def locate(data: bytes) -> Blocks:
    """The metadata blocks of the photo file `data`; an unknown kind of file has none. Never raises."""
    blocks = Blocks()
    for position, signatures, locator in _LOCATORS:
        if data.startswith(signatures, position):
            locator(data, blocks)
            break
    return blocks
