from __future__ import annotations

import os
import subprocess
import sys

import pytest

from imgd.errors import StateLockedError
from imgd.store.lock import StateLock

_HOLD = """
import sys
from pathlib import Path
from imgd.store.lock import StateLock
lock = StateLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_holder_is_refused_and_told_who_holds_it(tmp_path):
    lock = StateLock(tmp_path)
    with pytest.raises(StateLockedError, match=f"process {os.getpid()}"):
        StateLock(tmp_path)
    lock.release()
    StateLock(tmp_path).release()


def test_the_lock_goes_with_a_process_that_is_killed(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StateLockedError):
            StateLock(tmp_path)
        holder.kill()
    StateLock(tmp_path).release()
