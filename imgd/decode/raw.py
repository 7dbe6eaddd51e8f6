"""RAW files, through LibRaw: the embedded preview where it serves, else half the sensor, else all of it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from imgd.analyzer import ImageFormat
from imgd.decode.faults import out_of_memory, truncated
from imgd.decode.formats import Jpeg
from imgd.decode.limits import check_pixels
from imgd.decode.orientation import upright, upright_size
from imgd.decode.pyramid import exact_size, resize
from imgd.decode.raw_marks import EXTENSIONS, is_raw
from imgd.decode.stderr import native_stderr
from imgd.decode.structure import expected_size
from imgd.domain import Picture
from imgd.errors import BrokenImageError, UnsupportedFormatError

# LibRaw's flip -> EXIF orientation
_TURNS = {0: 1, 3: 3, 5: 8, 6: 6}
_TOLERANCE = 0.02


class RawFormat(ImageFormat):
    """Every camera's RAW format that LibRaw reads."""

    name = "raw"
    extensions = EXTENSIONS

    def __init__(self) -> None:
        self._jpeg = Jpeg()

    def matches(self, data: bytes, name: str) -> bool:
        return is_raw(data, name)

    def decode(self, data: bytes, edge_px: int, max_pixels: int) -> Picture:
        import rawpy

        expected = expected_size(data)
        damage = truncated(len(data), expected) if expected > len(data) else ""
        try:
            with native_stderr() as heard, rawpy.imread(io.BytesIO(data)) as raw:
                return self._climb(raw, edge_px, max_pixels, damage, heard)
        except rawpy.LibRawUnsufficientMemoryError as error:
            raise out_of_memory() from error
        except rawpy.LibRawFileUnsupportedError as error:
            if damage:
                raise BrokenImageError(damage) from error
            raise UnsupportedFormatError(
                "this is a RAW file of a kind that LibRaw cannot read, or a damaged one"
            ) from error
        except rawpy.LibRawError as error:
            raise BrokenImageError(damage or "damaged raw file: its image data is cut or garbled") from error

    def _climb(self, raw: Any, edge_px: int, max_pixels: int, damage: str, heard: Callable[[], str]) -> Picture:
        turn = _TURNS.get(raw.sizes.flip, 1)
        width, height = upright_size(_square_pixels(raw.sizes), turn)
        if width <= 0 or height <= 0:
            raise BrokenImageError(damage or "damaged raw file: it has no picture")
        check_pixels(width, height, max_pixels)
        if edge_px == 0:
            return Picture(None, width, height, "metadata", damage)
        needed = exact_size(width, height, edge_px)
        pixels = self._preview(raw, (width, height), needed, turn, max_pixels)
        route = "preview"
        if pixels is None:
            half = min(width // 2 - needed[0], height // 2 - needed[1]) >= 0
            route = "half" if half else "full"
            pixels = _develop(raw, half)
            damage = _judge(heard(), pixels, damage)
        return Picture(np.asarray(resize(Image.fromarray(pixels), needed)), width, height, route, damage)

    def _preview(
        self, raw: Any, size: tuple[int, int], needed: tuple[int, int], turn: int, max_pixels: int
    ) -> npt.NDArray[np.uint8] | None:
        """The upright embedded preview, or None where there is none, or it is too small, cut or misshapen."""
        import rawpy

        try:
            thumb = raw.extract_thumb()
        except rawpy.LibRawError:
            return None
        if thumb.format == rawpy.ThumbFormat.BITMAP:
            image = upright(Image.fromarray(thumb.data), turn)
            serves = _serves(image.size, size, needed)
            return np.asarray(image) if serves else None
        try:
            header = self._jpeg.decode_turned(thumb.data, 0, max_pixels, 1)
            stored = (header.width, header.height)
            own = self._jpeg.orientation_of(thumb.data)
            # A preview's own orientation comes before the RAW's; one that is upright already needs neither.
            turns = [own] if own > 1 else [turn, 1]
            fitting = [each for each in turns if _serves(upright_size(stored, each), size, needed)]
            if not fitting:
                return None
            picture = self._jpeg.decode_turned(thumb.data, max(needed), max_pixels, fitting[0])
        except Exception:  # noqa: BLE001  a broken preview is no reason to fail: the sensor's data is still there
            return None
        return None if picture.damage else picture.pixels


def _judge(complaint: str, pixels: npt.NDArray[np.uint8], damage: str) -> str:
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


def _square_pixels(sizes: Any) -> tuple[int, int]:
    """The sensor's (width, height) once LibRaw has made its pixels square, as some of Nikon's are not."""
    if sizes.pixel_aspect < 1:
        return sizes.width, round(sizes.height / sizes.pixel_aspect)
    return round(sizes.width * sizes.pixel_aspect), sizes.height


def _serves(preview: tuple[int, int], full: tuple[int, int], needed: tuple[int, int]) -> bool:
    """Whether a preview is large enough and, within 2 %, of the RAW's own proportions."""
    across, down = preview[0] * full[1], preview[1] * full[0]
    return (
        preview[0] >= needed[0]
        and preview[1] >= needed[1]
        and abs(across - down) <= _TOLERANCE * max(across, down)
    )


def _develop(raw: Any, half: bool) -> npt.NDArray[np.uint8]:
    """Demosaiced, upright, with the camera's white balance, as 8-bit sRGB."""
    import rawpy

    pixels: npt.NDArray[np.uint8] = raw.postprocess(
        half_size=half, use_camera_wb=True, output_bps=8, output_color=rawpy.ColorSpace.sRGB
    )
    return pixels
