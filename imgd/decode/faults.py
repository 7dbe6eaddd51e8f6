"""What a decoder's failure means, in plain words."""

from __future__ import annotations

import contextlib
import re
import struct
from collections.abc import Iterator

from imgd.decode.structure import expected_size
from imgd.domain import ByteRange
from imgd.errors import BrokenImageError, DecodeError, LimitError, UnsupportedFormatError

_MEMORY = re.compile(
    r"out of memory|memory (alloc|limit|error)|allocat\w+ memory|alloc\w* fail|bad_alloc|malloc", re.IGNORECASE
)
_CUT = re.compile(
    r"truncat|unexpected end|end of file|\beof\b|not enough|premature(?! end of data segment)|too short|overrun",
    re.IGNORECASE,
)
_LAYOUT = re.compile(
    r"unknown (raw|pixel|data) (mode|layout|organization)|unknown mode"
    r"|unsupported (bmp|compression|pixel|bit|color)",
    re.IGNORECASE,
)
_GARBLED = re.compile(
    r"broken data stream|decoder error|unrecognized data|decod\w+ error|invalid data|filter category"
    r"|cannot load this|corrupt jpeg|inconsistent progression"
    r"|generic error|failed to read next frame|decoding of \w+ planes",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"not a \w+ file|cannot identify|no jpeg|unrecognized header|invalid magic|not identified|no marker found"
    r"|missing dimensions|header (checksum|length)|parsing failed|cannot extend|-layer image|\bIHDR\b"
    r"|unpack_from|out of range|codec can",
    re.IGNORECASE,
)
_GARBLED_ERRORS = (IndexError, KeyError, TypeError, AttributeError, UnicodeError, struct.error, OverflowError)
_REPR = re.compile(r"\s*[:,]?\s*<[^>]* at 0x[0-9a-f]+>", re.IGNORECASE)
_BELIEVABLE_RATIO = 1000


@contextlib.contextmanager
def plain_errors(data: ByteRange, format_name: str) -> Iterator[None]:
    """Turns whatever a decoder raises into a DecodeError whose detail a photographer can read."""
    try:
        yield
    except DecodeError:
        raise
    except MemoryError as error:
        raise out_of_memory() from error
    except BaseException as error:
        # pyo3's PanicException, which a Rust decoder raises, is no Exception but means no more than one.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        if _MEMORY.search(str(error)):
            raise out_of_memory() from error
        if _LAYOUT.search(str(error)):
            raise UnsupportedFormatError(
                f"this is a {format_name} file with a pixel layout that imgd cannot read"
            ) from error
        raise BrokenImageError(_with_nothing(reason(error, data, format_name))) from error


def out_of_memory() -> LimitError:
    """The error for a decoder that met the address-space limit of its worker."""
    return LimitError("decoding it takes more memory than `decode.memory_mb` allows")


def reason(error: BaseException, data: ByteRange, format_name: str, missing: float = 0.0) -> str:
    """Why `data` did not decode as it should; `missing`: the fraction of the picture, at its end, that is gone."""
    said = _REPR.sub("", str(error)).strip()
    text = truncated(len(data), expected_size(data))
    if not text and _CUT.search(said):
        text = f"truncated file: {_amount(len(data))}"
    text = text or f"damaged {format_name} file: {_meaning(error, said)}"
    if missing:
        text += f", the last {min(99, max(1, round(missing * 100)))} % of the picture is missing"
    return text


def truncated(size_bytes: int, expected_bytes: int) -> str:
    """`truncated file: 64 of 2310 KiB`, or "" for a file that is whole, or whose structure asks for a size that
    cannot be believed."""
    # Garbage in a size field is no size: a file was hardly cut to a thousandth.
    if not size_bytes < expected_bytes <= size_bytes * _BELIEVABLE_RATIO:
        return ""
    if expected_bytes < 10 * 1024:
        return f"truncated file: {size_bytes} of {expected_bytes} bytes"
    return f"truncated file: {size_bytes // 1024} of {-(-expected_bytes // 1024)} KiB"


def _with_nothing(text: str) -> str:
    return f"{text}, nothing of the picture can be decoded" if text.startswith("truncated") else text


def _meaning(error: BaseException, said: str) -> str:
    if _GARBLED.search(said):
        return "its image data is garbled"
    if _HEADER.search(said) or isinstance(error, _GARBLED_ERRORS):
        return "its header is not valid"
    # Of a library's own words the first sentence, and of its nested ones (`a: b: c`) the last.
    words = said.splitlines()[0].split(". ")[0].rstrip(".").split(": ")[-1] if said else type(error).__name__
    return (words[:1].lower() + words[1:])[:160]


def _amount(size_bytes: int) -> str:
    return f"{size_bytes} bytes" if size_bytes < 10 * 1024 else f"{size_bytes // 1024} KiB"
