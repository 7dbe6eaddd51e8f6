"""Where log records go: to standard error, or with their fields to systemd's journal."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping

_FORMAT = "%(levelname)s %(name)s: %(message)s"


def make_log_handler(environment: Mapping[str, str] = os.environ) -> logging.Handler:
    """A handler for the root logger.

    The journal is used where standard error is connected to it and systemd-python is installed: a record then has
    its level, module and line as fields.
    """
    if is_journal(environment.get("JOURNAL_STREAM", "")):
        try:
            from systemd.journal import JournalHandler
        except ImportError:
            pass
        else:
            journal: logging.Handler = JournalHandler(SYSLOG_IDENTIFIER="imgd")
            journal.setFormatter(logging.Formatter("%(name)s: %(message)s"))
            return journal
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(_FORMAT))
    return handler


def is_journal(stream: str) -> bool:
    """Whether standard error is the `device:inode` that systemd named in $JOURNAL_STREAM; see systemd.exec(5)."""
    try:
        found = os.fstat(2)
    except OSError:
        return False
    return stream == f"{found.st_dev}:{found.st_ino}"
