"""Which format a file is of: by its content, never by its extension alone."""

from __future__ import annotations

from collections.abc import Sequence

from imgd.analyzer import ImageFormat
from imgd.decode.foreign import foreign_kind
from imgd.decode.formats import PILLOW_FORMATS
from imgd.decode.raw import RawFormat
from imgd.errors import UnsupportedFormatError

BUILT_IN: tuple[type[ImageFormat], ...] = (*PILLOW_FORMATS, RawFormat)
"""In the order in which they are asked; RAW last, for it also answers for names that nothing else knows."""


class FormatRegistry:
    """The formats that can be decoded: `extra` ones of plugins first, the last of them asked first."""

    def __init__(self, extra: Sequence[type[ImageFormat]] = ()) -> None:
        self._formats = tuple(each() for each in (*reversed(extra), *BUILT_IN))

    def identify(self, data: bytes, name: str) -> ImageFormat:
        """The format of the file with the content `data`; `name` settles what the content leaves open.

        Raises:
            UnsupportedFormatError: no format matches; the detail names what the file is.
        """
        for image_format in self._formats:
            if image_format.matches(data, name):
                return image_format
        kind = foreign_kind(data)
        raise UnsupportedFormatError(f"this is {kind}" if kind else "its content is of no known type")

    def extensions(self) -> frozenset[str]:
        """What a file's name must end with (lower case, with the dot) for it to count as a photo."""
        return frozenset(ending for each in self._formats for ending in each.extensions)
