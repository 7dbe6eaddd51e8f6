"""What all formats that Pillow opens share: header, bounds, decode, upright sRGB; and making do with damage."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import importlib
import io
import warnings
from collections.abc import Callable, Iterator
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from imgd.analyzer import ImageFormat
from imgd.decode import orientation
from imgd.decode.colour import SrgbConverter, flatten
from imgd.decode.faults import reason
from imgd.decode.limits import check_pixels
from imgd.decode.pyramid import exact_size, resize
from imgd.decode.turns import Turns
from imgd.domain import ByteRange, Picture
from imgd.errors import BrokenImageError, DecodeError

_BYTES_PER_PIXEL = 8
Loaded = Image.Image | npt.NDArray[np.uint8]
"""An image of any mode, or the bare pixels of one in RGB."""
Explain = Callable[[float], str]
"""From the fraction of the picture that is missing to why a strict decoder refused it."""


class PillowFormat(ImageFormat):
    """A format that one of Pillow's file classes reads."""

    file_class: ClassVar[str]
    """`module:class`. It is constructed itself, so that no other of Pillow's parsers sees a hostile file."""
    fillers: ClassVar[tuple[int, ...]] = (0,)
    """The values of pixels that a cut file does not give."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._srgb = SrgbConverter()

    @abc.abstractmethod
    def matches(self, data: ByteRange, name: str) -> bool: ...

    def decode(self, data: bytes, edge_px: int, max_pixels: int) -> Picture:
        return self.decode_turned(data, edge_px, max_pixels, None)

    def decode_turned(self, data: bytes, edge_px: int, max_pixels: int, turn: int | None) -> Picture:
        """As `decode`, with the EXIF orientation `turn` in place of the file's own, unless None."""
        try:
            with _pillow(tolerant=False):
                return self._decode(data, edge_px, max_pixels, turn)
        except (DecodeError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001  a decoder of hostile bytes may raise anything
            strict = error

        def explain(missing: float) -> str:
            return reason(strict, data, self.name, missing)

        trimmed = self.trim(data)
        if len(trimmed) < len(data):
            with contextlib.suppress(Exception), _pillow(tolerant=False):
                picture = self._decode(trimmed, edge_px, max_pixels, turn)
                return dataclasses.replace(picture, damage=explain(0))
        with _pillow(tolerant=True):
            return self._decode(trimmed, edge_px, max_pixels, turn, explain)

    def open(self, data: bytes) -> Image.Image:
        """The file's header, read; no pixel decoded yet."""
        module, name = self.file_class.split(":")
        opened: ImageFile.ImageFile = getattr(importlib.import_module(module), name)(io.BytesIO(data))
        return opened

    def size(self, data: bytes) -> tuple[int, int] | None:
        """The stored size, for formats whose file class decodes as it opens; else None."""
        return None

    def orientation(self, image: Image.Image) -> int:
        """The EXIF orientation that is still to be applied; unreadable EXIF counts as upright."""
        try:
            value = image.getexif().get(orientation.TAG, 1)
        except Exception:  # noqa: BLE001  broken metadata costs no picture
            return 1
        return value if isinstance(value, int) and 1 <= value <= 8 else 1

    def orientation_of(self, data: bytes) -> int:
        """`orientation` of a file that is not opened yet."""
        with _pillow(tolerant=False), self.open(data) as image:
            return self.orientation(image)

    def decoded_bytes(self, stored: tuple[int, int], needed: tuple[int, int]) -> int:
        """About how much memory it takes to decode `stored` pixels when `needed` are wanted: the decoder's own
        picture, and a copy in another mode."""
        return stored[0] * stored[1] * _BYTES_PER_PIXEL

    def reduce(self, image: Image.Image, size: tuple[int, int]) -> str:
        """Make the decoder itself deliver fewer pixels, at least `size`; the route that this is."""
        return "full"

    def load(self, image: Image.Image, data: bytes, size: tuple[int, int]) -> tuple[Loaded, str]:
        """The decoded pixels, at least `size`, and the route that gave them; raises where any are missing."""
        route = self.reduce(image, size)
        image.load()
        return image, route

    def load_by(
        self, codec: Callable[[bytes, Image.Image], npt.NDArray[np.uint8] | None], image: Image.Image, data: bytes
    ) -> Loaded:
        """The pixels by `codec`, or by Pillow where that answers None."""
        pixels = codec(data, image)
        if pixels is None:
            image.load()
            return image
        return pixels if image.mode == "RGB" else Image.fromarray(pixels, image.mode)

    def trim(self, data: bytes) -> bytes:
        """`data` without what lies beside the picture, for a decoder that stumbles on it."""
        return data

    def mend(self, data: bytes) -> bytes:
        """`data` with what makes a decoder give what a cut file still has."""
        return data

    def _decode(
        self, data: bytes, edge_px: int, max_pixels: int, turn: int | None, explain: Explain | None = None
    ) -> Picture:
        """The picture; with `explain`, what a damaged file still gives of it."""
        if size := self.size(data):
            check_pixels(*size, max_pixels)
            if edge_px == 0:
                return Picture(None, *size, route="metadata")
        with self.open(self.mend(data) if explain else data) as image:
            check_pixels(*image.size, max_pixels)
            needed = exact_size(*image.size, max(edge_px, 1))
            turn = self.orientation(image) if turn is None else turn
            width, height = orientation.upright_size(image.size, turn)
            if edge_px == 0:
                return Picture(None, width, height, "metadata", explain(0) if explain else "")
            with self._turns.take(self.decoded_bytes(image.size, needed)):
                if explain is None:
                    loaded, route = self.load(image, data, needed)
                    icc = image.info.get("icc_profile")
                    return Picture(self._pixels(loaded, icc, needed, turn), width, height, route)
                route = self.reduce(image, needed)
                image.load()
                damage = explain(_missing(image, self.fillers, explain))
                icc = image.info.get("icc_profile")
                return Picture(self._pixels(image, icc, needed, turn), width, height, route, damage)

    def _pixels(
        self, loaded: Loaded, icc: bytes | None, size: tuple[int, int], turn: int
    ) -> npt.NDArray[np.uint8]:
        """Scaled first, since turning and colour conversion then cost less."""
        if isinstance(loaded, np.ndarray):
            if loaded.shape == (*size[::-1], 3) and turn == 1 and not self._srgb.changes(icc, "RGB"):
                return loaded
            loaded = Image.fromarray(loaded)
        small = resize(flatten(loaded), size)
        return np.asarray(orientation.upright(self._srgb.convert(small, icc), turn))


@contextlib.contextmanager
def _pillow(tolerant: bool) -> Iterator[None]:
    """Pillow's process-wide switches, set for one decode and put back: imgd has a pixel bound of its own, and
    warnings about a photo belong to its damage, not to standard error."""
    bound, truncated = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    Image.MAX_IMAGE_PIXELS = None
    ImageFile.LOAD_TRUNCATED_IMAGES = tolerant
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = bound, truncated


def _missing(image: Image.Image, fillers: tuple[int, ...], explain: Explain) -> float:
    """The fraction of rows, at the end of `image`, that hold nothing but one of the fillers.

    Raises:
        BrokenImageError: all of them do.
    """
    values = np.asarray(image)
    # An alpha channel says nothing of whether colours were decoded.
    rows = (values[..., :3] if image.mode == "RGBA" else values).reshape(values.shape[0], -1)
    blank = (rows == rows[:, :1]).all(axis=1) & np.isin(rows[:, 0], fillers)
    written = np.flatnonzero(~blank)
    if written.size == 0:
        raise BrokenImageError(explain(0))
    return 1.0 - (int(written[-1]) + 1) / len(rows)
