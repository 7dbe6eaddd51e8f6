"""The bounds on one photo, and how a decode worker is held to them."""

from __future__ import annotations

import ctypes
import math
import os
import resource
import time
from dataclasses import dataclass
from typing import Self

from imgd.config import DecodeSettings
from imgd.errors import LimitError

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What one photo may cost. `timeout_s` is kept by the pool, from outside the worker."""

    max_pixels: int
    max_frames: int
    max_file_bytes: int
    memory_bytes: int
    cpu_s: float
    timeout_s: float

    @classmethod
    def of(cls, settings: DecodeSettings) -> Self:
        return cls(
            max_pixels=int(settings.max_megapixels * 1_000_000),
            max_frames=settings.max_frames,
            max_file_bytes=settings.max_file_mb * 1_000_000,
            memory_bytes=settings.memory_mb * 1_000_000,
            cpu_s=settings.cpu_s,
            timeout_s=settings.timeout_s,
        )


def confine(limits: DecodeLimits) -> None:
    """Hold this process, which must be a decode worker, to `limits.memory_bytes` beyond what it has mapped now.

    Also turns core dumps off (they would put photos on disk) and gives native libraries that are loaded later one
    thread: the pool already has a worker a core.
    """
    with open("/proc/self/statm", "rb") as statm:
        mapped = int(statm.read().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    bound = mapped + limits.memory_bytes
    if hard != resource.RLIM_INFINITY:
        bound = min(bound, hard)
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    keep_freed_memory()


def allow_cpu(seconds: float) -> None:
    """Let this process use `seconds` of CPU time more from now on; then the kernel ends it by SIGXCPU."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    bound = math.ceil(time.process_time() + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (bound if hard == resource.RLIM_INFINITY else min(bound, hard), hard))


def keep_freed_memory() -> None:
    """Let glibc keep freed picture buffers for the next photo, up to 64 MiB, instead of giving each back.

    Without this every photo's buffers are mapped and zeroed by the kernel anew, which takes as long as the
    technical measures themselves (20 ms a photo instead of 12). `malloc_trim` gives the memory back. A C library
    without `mallopt` goes on as it is.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 32 * 1024 * 1024)
        mallopt(_M_TRIM_THRESHOLD, 64 * 1024 * 1024)


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    """Refuse by the header, before any pixel is decoded.

    Raises:
        LimitError: width x height is more than `max_pixels`.
    """
    if width * height > max_pixels:
        raise LimitError(
            f"{width} x {height} is {width * height / 1e6:.0f} megapixels, more than `decode.max_megapixels`"
            f" ({max_pixels / 1e6:.0f}) allows"
        )
