"""The sieve: a quick scan of coarse codes that lets the likeliest positions pass."""

from __future__ import annotations

from typing import Any

import faiss

from imgd.index.matches import Floats, Ids


def passing(sieve: Any, queries: Floats, depth: int, lists: int) -> list[Ids]:
    """The positions of the best `depth` for each query (n, d); of the `lists` nearest lists where it has lists."""
    if lists:
        parameters = faiss.SearchParametersIVF()
        parameters.nprobe = lists
        _similarities, at = sieve.search(queries, depth, params=parameters)
    else:
        _similarities, at = sieve.search(queries, depth)
    return [row[row >= 0] for row in at]
