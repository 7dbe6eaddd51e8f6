"""Vectors as numbers of fewer bits, one code a dimension: FAISS's scalar quantizers, made and looked into."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np

from imgd.index.matches import Floats, Ids
from imgd.index.positions import Mask
from imgd.index.stored import Halves

HALF = faiss.ScalarQuantizer.QT_fp16
EIGHT_BITS = faiss.ScalarQuantizer.QT_8bit
SIX_BITS = faiss.ScalarQuantizer.QT_6bit


def scalar_index(dimensions: int, kind: int) -> Any:
    """An empty index by inner product; all but `HALF` must be trained."""
    return faiss.IndexScalarQuantizer(dimensions, kind, faiss.METRIC_INNER_PRODUCT)


def half_index(values: Halves) -> Any:
    """An index of float16 values as they are: its similarities are exact."""
    index = scalar_index(values.shape[1], HALF)
    index.is_trained = True
    index.add_sa_codes(np.ascontiguousarray(values).view(np.uint8))
    return index


def best_of(index: Any, positions: Ids, query: Floats, k: int) -> tuple[Ids, Floats]:
    """The `k` of `positions` that are most similar to `query` (1, d) by the codes of `index`, best first.

    Only the codes at those positions are read. No index of FAISS looks at a list of positions alone, so they are
    gathered into a small one.
    """
    codes = faiss.rev_swig_ptr(index.codes.data(), index.ntotal * index.code_size)
    few = scalar_index(index.d, index.sq.qtype)
    few.sq, few.is_trained = index.sq, True
    few.add_sa_codes(codes.reshape(index.ntotal, index.code_size)[positions])
    similarities, at = few.search(query, min(k, len(positions)))
    return positions[at[0]], similarities[0]


def selector(mask: Mask | None) -> Any:
    """Search parameters that let only the positions of `mask` count; None where all do."""
    if mask is None:
        return None
    bits = np.packbits(mask, bitorder="little")
    chosen = faiss.IDSelectorBitmap(bits)  # type: ignore[call-arg, arg-type]
    return faiss.SearchParameters(sel=chosen)  # type: ignore[call-arg]
