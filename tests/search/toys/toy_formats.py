"""Image formats that do what the first line of a file says."""

from __future__ import annotations

import os
import threading

import numpy as np

from imgd import ImageFormat, Picture

_MAGIC = b"toy picture "


class Behaving(ImageFormat):
    """`grey`: a picture; `abort`, `hang`, `burn` (CPU time) and `grow` (memory) end or stop the process."""

    name = "behaving"
    extensions = (".toy",)

    def matches(self, data: bytes, name: str) -> bool:
        return data.startswith(_MAGIC)

    def decode(self, data: bytes, edge_px: int, max_pixels: int) -> Picture:
        does = data[len(_MAGIC) :].decode()
        if does == "abort":
            os.abort()
        if does == "hang":
            threading.Event().wait()
        while does == "burn":
            pass
        if does == "grow":
            np.ones(1 << 40, np.uint8)
        return Picture(np.full((30, 40, 3), 128, np.uint8), 40, 30, "full", "", "behaving")
