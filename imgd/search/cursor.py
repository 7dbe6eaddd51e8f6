"""The place in an answer from which the next page goes on."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import msgspec
import xxhash

from imgd.errors import CursorError

Key: TypeAlias = float | str | bytes
"""What an answer is sorted by: a score, a moment, or a path."""

_Id = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
_Candidates = Annotated[int, msgspec.Meta(ge=0, le=100_000)]
_KINDS: Mapping[str, type] = {"score": float, "date": str, "path": bytes}


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last hit of a page. `key` and `photo_id` say where the next page begins, whatever was added or removed
    since. `candidates`: how many the ranking had that the page is from; `first`: how many the ranking of the very
    first page had."""

    key: Key
    photo_id: int
    candidates: int = 0
    first: int = 0

    def encode(self, query: str, sort: str) -> str:
        """As text for the client, good for this query in this order alone."""
        exact = isinstance(self.key, bytes)
        key = base64.b64encode(self.key).decode() if isinstance(self.key, bytes) else self.key
        data = msgspec.json.encode([_mark(query, sort), key, exact, self.photo_id, self.candidates, self.first])
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, query: str, sort: str) -> Cursor | None:
        """The cursor of an earlier answer; None for the first page.

        Raises:
            CursorError: when `text` is no cursor, or is one of another query or order.
        """
        if not text:
            return None
        try:
            data = base64.b64decode(text.encode() + b"=" * (-len(text) % 4), b"-_", validate=True)
            mark, key, exact, *place = msgspec.json.decode(
                data, type=tuple[str, float | str, bool, _Id, _Candidates, _Candidates]
            )
            cursor = cls(base64.b64decode(key, validate=True) if exact else key, *place)  # type: ignore[arg-type]
        except (msgspec.MsgspecError, binascii.Error, UnicodeError, TypeError, ValueError) as error:
            raise CursorError("`after` is no cursor") from error
        if not isinstance(cursor.key, _KINDS[sort]):
            raise CursorError("`after` is no cursor")
        if mark != _mark(query, sort):
            raise CursorError(
                "`after` is a cursor of another query or order", hint="Ask for the first page without `after`."
            )
        return cursor


def _mark(query: str, sort: str) -> str:
    return xxhash.xxh32_hexdigest(f"{sort}\0{query}".encode("utf-8", "surrogatepass"))
