"""Which format a file is of: by its content, never by its extension alone."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence

from imgd.analyzer import ImageFormat
from imgd.decode.foreign import foreign_kind
from imgd.decode.formats import PILLOW_FORMATS
from imgd.decode.pillow import PillowFormat
from imgd.decode.raw import RawFormat
from imgd.decode.turns import NoTurns, Turns
from imgd.domain import ByteRange
from imgd.errors import UnsupportedFormatError

log = logging.getLogger(__name__)

BUILT_IN: tuple[type[PillowFormat | RawFormat], ...] = (*PILLOW_FORMATS, RawFormat)
"""In the order in which they are asked; RAW last, for it also answers for names that nothing else knows."""


class FormatRegistry:
    """The formats that can be decoded: `extra` ones of plugins first, the last of them asked first.

    One of `extra` that cannot be made is left out, and the log says why.
    """

    def __init__(self, extra: Sequence[type[ImageFormat]] = (), turns: Turns | None = None) -> None:
        """`turns`: what large decodes of imgd's own formats wait for; nothing, where None."""
        self._extra = tuple(_made(reversed(extra)))
        self._built_in = tuple(each(turns or NoTurns()) for each in BUILT_IN)
        self._told: set[ImageFormat] = set()

    def identify(self, data: ByteRange, name: str) -> ImageFormat:
        """The format of the file with the content `data`; `name` settles what the content leaves open.

        Formats of plugins are given all of it, read once for them; imgd's own read what they look at.

        Raises:
            UnsupportedFormatError: no format matches; the detail names what the file is.
        """
        whole = data[:] if self._extra else b""
        for image_format in self._extra:
            if self._matches(image_format, whole, name):
                return image_format
        for built_in in self._built_in:
            if built_in.matches(data, name):
                return built_in
        kind = foreign_kind(data[:])
        raise UnsupportedFormatError(f"this is {kind}" if kind else "its content is of no known type")

    def _matches(self, image_format: ImageFormat, data: bytes, name: str) -> bool:
        """Its answer; one that raises does not count as a match, and is told of once."""
        try:
            return bool(image_format.matches(data, name))
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything
            if image_format not in self._told:
                self._told.add(image_format)
                log.warning(
                    "image format %s: matches() raised %s: %s", image_format.name, type(error).__name__, error
                )
            return False

    def extensions(self) -> frozenset[str]:
        """What a file's name must end with (lower case, with the dot) for it to count as a photo."""
        return frozenset(ending for each in (*self._extra, *self._built_in) for ending in each.extensions)


def _made(formats: Iterable[type[ImageFormat]]) -> Iterator[ImageFormat]:
    for each in formats:
        try:
            yield each()
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything
            log.error("image format %s is left out: %s: %s", each.__qualname__, type(error).__name__, error)
