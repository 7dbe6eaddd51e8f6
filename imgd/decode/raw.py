"""RAW files: the embedded preview where it serves, else through LibRaw half the sensor, else all of it.

Where a preview serves, only it and the directories are read, if the file has directories (TIFF). LibRaw reads
all that it is given.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from imgd.decode import raw_previews, tiff
from imgd.decode.faults import out_of_memory, truncated
from imgd.decode.formats import Jpeg
from imgd.decode.limits import check_pixels
from imgd.decode.orientation import upright, upright_size
from imgd.decode.pyramid import exact_size, resize
from imgd.decode.ranges import RangedFormat
from imgd.decode.raw_marks import EXTENSIONS, is_raw
from imgd.decode.stderr import native_stderr
from imgd.decode.structure import expected_size
from imgd.decode.turns import Turns
from imgd.domain import ByteRange, Picture
from imgd.errors import BrokenImageError, UnsupportedFormatError

# LibRaw's flip -> EXIF orientation
_TURNS = {0: 1, 3: 3, 5: 8, 6: 6}
_TOLERANCE = 0.02
_FULL_BYTES_PER_PIXEL, _HALF_BYTES_PER_PIXEL = 16, 6
"""What LibRaw takes: the sensor's data (2), four colours of 16 bits (8; half: 2), the picture twice (6; 2)."""

Size = tuple[int, int]
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one decode is to give, and what the file's structure tells beforehand."""

    edge_px: int
    max_pixels: int
    damage: str
    declared: Size | None


class RawFormat(RangedFormat):
    """Every camera's RAW format that LibRaw reads."""

    name = "raw"
    extensions = EXTENSIONS

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._jpeg = Jpeg(turns)

    def matches(self, data: ByteRange, name: str) -> bool:
        return is_raw(data, name)

    def decode(self, data: ByteRange, edge_px: int, max_pixels: int) -> Picture:
        found = list(tiff.directories(data))
        expected = tiff.end_of(found) if found else expected_size(data)
        damage = truncated(len(data), expected)
        asked = _Asked(edge_px, max_pixels, damage, raw_previews.declared_size(data, found))
        return self._by_ranges(data, found, asked) or self._by_libraw(data[:], asked)

    def _by_ranges(self, data: ByteRange, found: Sequence[tiff.Directory], asked: _Asked) -> Picture | None:
        """The photo by its directories and a preview; None where no size is told or no preview serves."""
        if asked.declared is None:
            return None
        turn = raw_previews.orientation(found)
        width, height = upright_size(asked.declared, turn)
        check_pixels(width, height, asked.max_pixels)
        if asked.edge_px == 0:
            return Picture(None, width, height, "metadata", asked.damage)
        needed = exact_size(width, height, asked.edge_px)
        jpegs = (data[place : place + size] for place, size in raw_previews.previews(data, found))
        pixels = self._serving(jpegs, (width, height), needed, turn, asked.max_pixels)
        if pixels is None:
            return None
        return Picture(_fitted(pixels, needed), width, height, "preview", asked.damage)

    def _by_libraw(self, data: bytes, asked: _Asked) -> Picture:
        import rawpy

        try:
            with native_stderr() as heard, rawpy.imread(io.BytesIO(data)) as raw:
                return self._climb(raw, asked, heard)
        except rawpy.LibRawUnsufficientMemoryError as error:
            raise out_of_memory() from error
        except rawpy.LibRawFileUnsupportedError as error:
            if asked.damage:
                raise BrokenImageError(asked.damage) from error
            raise UnsupportedFormatError(
                "this is a RAW file of a kind that LibRaw cannot read, or a damaged one"
            ) from error
        except rawpy.LibRawError as error:
            raise BrokenImageError(asked.damage or "damaged raw file: its image data is cut or garbled") from error

    def _climb(self, raw: Any, asked: _Asked, heard: Callable[[], str]) -> Picture:
        turn = _TURNS.get(raw.sizes.flip, 1)
        stored = _square_pixels(raw.sizes)
        if asked.declared is not None and _serves(stored, asked.declared, asked.declared):
            stored = asked.declared  # LibRaw keeps the edges of the sensor that the camera cuts off
        width, height = upright_size(stored, turn)
        if width <= 0 or height <= 0:
            raise BrokenImageError(asked.damage or "damaged raw file: it has no picture")
        check_pixels(width, height, asked.max_pixels)
        if asked.edge_px == 0:
            return Picture(None, width, height, "metadata", asked.damage)
        needed = exact_size(width, height, asked.edge_px)
        pixels = self._thumbnail(raw, (width, height), needed, turn, asked.max_pixels)
        if pixels is not None:
            return Picture(_fitted(pixels, needed), width, height, "preview", asked.damage)
        half = min(width // 2 - needed[0], height // 2 - needed[1]) >= 0
        with self._turns.take(width * height * (_HALF_BYTES_PER_PIXEL if half else _FULL_BYTES_PER_PIXEL)):
            pixels = _develop(raw, half)
        damage = _judge(heard(), pixels, asked.damage)
        return Picture(_fitted(pixels, needed), width, height, "half" if half else "full", damage)

    def _thumbnail(self, raw: Any, size: Size, needed: Size, turn: int, max_pixels: int) -> Pixels | None:
        """The upright preview that LibRaw finds, or None where there is none that serves."""
        import rawpy

        try:
            thumb = raw.extract_thumb()
        except rawpy.LibRawError:
            return None
        if thumb.format != rawpy.ThumbFormat.BITMAP:
            return self._serving([thumb.data], size, needed, turn, max_pixels)
        image = upright(Image.fromarray(thumb.data), turn)
        return np.asarray(image) if _serves(image.size, size, needed) else None

    def _serving(
        self, jpegs: Iterable[bytes], size: Size, needed: Size, turn: int, max_pixels: int
    ) -> Pixels | None:
        """The first of `jpegs` that serves, upright; none that is too small, cut, damaged or misshapen does."""
        for jpeg in jpegs:
            # A broken preview is no reason to fail: the sensor's data is still there.
            with contextlib.suppress(Exception):
                header = self._jpeg.decode_turned(jpeg, 0, max_pixels, 1)
                stored = (header.width, header.height)
                own = self._jpeg.orientation_of(jpeg)
                # A preview's own orientation comes before the RAW's; one that is upright already needs neither.
                turns = [own] if own > 1 else [turn, 1]
                fitting = [each for each in turns if _serves(upright_size(stored, each), size, needed)]
                if fitting:
                    picture = self._jpeg.decode_turned(jpeg, max(needed), max_pixels, fitting[0])
                    if not picture.damage:
                        return picture.pixels
        return None


def _fitted(pixels: Pixels, size: Size) -> Pixels:
    return np.asarray(resize(Image.fromarray(pixels), size))


def _judge(complaint: str, pixels: Pixels, damage: str) -> str:
    """The damage to `pixels`, as LibRaw developed them, by its `complaint` and by how they look.

    Raises:
        BrokenImageError: the pixels are as good as black, as no sensor's noise leaves them.
    """
    if complaint and not damage:
        cut = "end of file" in complaint.lower()
        damage = f"damaged raw file: its image data is {'cut' if cut else 'garbled'}"
    sample = pixels[::8, ::8]
    if np.count_nonzero(sample) < sample.size / 2 and sample.mean() < 1:
        raise BrokenImageError(damage or "damaged raw file: its image data is empty")
    return damage


def _square_pixels(sizes: Any) -> Size:
    """The sensor's (width, height) once LibRaw has made its pixels square, as some of Nikon's are not."""
    if sizes.pixel_aspect < 1:
        return sizes.width, round(sizes.height / sizes.pixel_aspect)
    return round(sizes.width * sizes.pixel_aspect), sizes.height


def _serves(preview: Size, full: Size, needed: Size) -> bool:
    """Whether a preview is large enough and, within 2 %, of the RAW's own proportions."""
    across, down = preview[0] * full[1], preview[1] * full[0]
    return (
        preview[0] >= needed[0]
        and preview[1] >= needed[1]
        and abs(across - down) <= _TOLERANCE * max(across, down)
    )


def _develop(raw: Any, half: bool) -> Pixels:
    """Demosaiced, upright, with the camera's white balance, as 8-bit sRGB."""
    import rawpy

    pixels: Pixels = raw.postprocess(
        half_size=half, use_camera_wb=True, output_bps=8, output_color=rawpy.ColorSpace.sRGB
    )
    return pixels
