"""Whether two answers about one photo are the same, as far as that can be asked of arithmetic."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from imgd.domain import StoredVector

TOLERANCE = 1e-3
"""How far numbers of one photo may differ from run to run, relative to the larger: threads sum in any order."""


def difference(one: Any, other: Any, where: str = "") -> str:
    """Where two outcomes differ by more than TOLERANCE, or ""."""
    if isinstance(one, StoredVector) and isinstance(other, StoredVector):
        return _vector_difference(one, other)
    if isinstance(one, float) and isinstance(other, float):
        return "" if math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE) else f"{where} {one} {other}"
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return next(filter(None, (difference(one[key], other[key], str(key)) for key in one)), "")
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        return next(filter(None, (difference(a, b, where) for a, b in zip(one, other, strict=True))), "")
    fields = getattr(type(one), "__dataclass_fields__", None)
    if fields is not None and type(one) is type(other):
        return next(filter(None, (difference(getattr(one, f), getattr(other, f), f) for f in fields)), "")
    return "" if one == other else f"{where} {one!r} {other!r}".strip()


def _vector_difference(one: StoredVector, other: StoredVector) -> str:
    if (one.space, one.region, len(one.data)) != (other.space, other.region, len(other.data)):
        return f"a vector of {one.space} and one of {other.space}"
    cosine = float(
        np.frombuffer(one.data, np.float16).astype(np.float32)
        @ np.frombuffer(other.data, np.float16).astype(np.float32)
    )
    return "" if cosine > 1 - TOLERANCE else f"vectors of {one.space} with a cosine of {cosine:.4f}"
