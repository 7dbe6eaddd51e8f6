"""What native libraries print on standard error while they decode.

LibRaw and libtiff tell of cut and corrupt data there and nowhere else; in a daemon's log it would be noise.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def native_stderr() -> Iterator[Callable[[], str]]:
    """Catch what goes to file descriptor 2; the function it gives returns what was caught so far.

    The descriptor is the whole process's: for decode workers, which decode one photo at a time.
    """
    caught = os.memfd_create("stderr", os.MFD_CLOEXEC)
    try:
        kept = os.dup(2)
    except OSError:  # a process without standard error prints nowhere
        os.close(caught)
        yield str
        return
    os.dup2(caught, 2)
    try:
        yield lambda: os.pread(caught, 4096, 0).decode("utf-8", "replace")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(caught)
