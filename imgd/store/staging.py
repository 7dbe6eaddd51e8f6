"""Many rows in one statement: a multi-row VALUES clause, cut and padded to a few fixed lengths."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TypeAlias

Value: TypeAlias = int | bytes | str | None
Row: TypeAlias = tuple[Value, ...]

BATCH_ROWS = 5000
"""The most rows in a statement. SQLite takes 32,766 parameters, so a row may have six."""

# Few lengths, because each makes a statement text of its own, and long prepared statements are large.
_LENGTHS = (8, 64, 512, BATCH_ROWS)


def batches(statement: str, rows: Sequence[Row], columns: int) -> Iterator[tuple[str, list[Value]]]:
    """`statement` with `:rows` written out, and its parameters, for each `BATCH_ROWS` of `rows`.

    The last batch is padded with rows of NULL, which the statement has to leave out.
    """
    for start in range(0, len(rows), BATCH_ROWS):
        chunk = rows[start : start + BATCH_ROWS]
        length = next(length for length in _LENGTHS if length >= len(chunk))
        parameters: list[Value] = list(itertools.chain.from_iterable(chunk))
        parameters.extend([None] * (columns * (length - len(chunk))))
        row = f"({','.join('?' * columns)})"
        yield statement.replace(":rows", ",".join([row] * length)), parameters
