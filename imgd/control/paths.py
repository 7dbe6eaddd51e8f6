"""File names are bytes, JSON is text: how a path is written into an answer and read out of it again."""

from __future__ import annotations

import base64


def path_text(path: bytes) -> str:
    """`path` for people and JSON; bytes that are not UTF-8 become `\\xNN`."""
    return path.decode("utf-8", "backslashreplace")


def path_exact(path: bytes) -> str:
    """The bytes of `path` in base64 where `path_text` does not hold them exactly, else ""."""
    try:
        path.decode("utf-8")
    except UnicodeDecodeError:
        return base64.b64encode(path).decode("ascii")
    return ""


def path_bytes(text: str, exact: str) -> bytes:
    """The inverse of `path_text` and `path_exact` together."""
    return base64.b64decode(exact) if exact else text.encode("utf-8")
