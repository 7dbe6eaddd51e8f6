"""Vectors of texts on disk, so that no start of the daemon has to encode them again."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xxhash

Vectors = npt.NDArray[np.float32]


class KeptTexts:
    """One file with texts and their vectors in one space, as float16: a cache, so what is torn is made again."""

    def __init__(self, folder: Path, kind: str, space: str) -> None:
        """`kind`: what the texts are; it begins the file's name."""
        readable = re.sub(r"[^A-Za-z0-9]+", "-", space)[:60]
        self._path = folder / f"{kind}-{readable}-{xxhash.xxh64_hexdigest(space.encode())}.npz"

    def load(self) -> tuple[list[str], Vectors] | None:
        """The texts and their vectors (n, d); None where there are none, or the file is damaged."""
        try:
            with np.load(io.BytesIO(self._path.read_bytes()), allow_pickle=False) as saved:
                texts = json.loads(saved["texts"].tobytes())
                vectors = saved["vectors"].astype(np.float32)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        if not isinstance(texts, list) or vectors.ndim != 2 or len(texts) != len(vectors):
            return None
        return texts, vectors

    def save(self, texts: Sequence[str], vectors: npt.NDArray[np.floating]) -> None:
        """Replace the file by these, all at once. Where that fails, nothing is kept: it is a cache."""
        beside = self._path.with_suffix(f".{os.getpid()}.tmp")
        with contextlib.suppress(OSError):
            try:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with beside.open("wb") as file:
                    encoded = np.frombuffer(json.dumps(list(texts)).encode(), np.uint8)
                    np.savez(file, texts=encoded, vectors=vectors.astype(np.float16))
                    file.flush()
                    os.fsync(file.fileno())
                beside.replace(self._path)
            finally:
                beside.unlink(missing_ok=True)
