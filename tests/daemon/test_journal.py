import logging
import os

import pytest

from imgd.daemon.journal import is_journal, make_log_handler


def test_without_a_journal_records_go_to_standard_error() -> None:
    assert isinstance(make_log_handler({}), logging.StreamHandler)


def test_a_stream_is_the_journal_only_if_it_is_standard_error_itself() -> None:
    stderr = os.fstat(2)
    assert is_journal(f"{stderr.st_dev}:{stderr.st_ino}")
    assert not is_journal(f"{stderr.st_dev}:{stderr.st_ino + 1}")
    assert not is_journal("")


def test_a_journal_without_the_package_that_speaks_to_it_still_gets_lines() -> None:
    stderr = os.fstat(2)
    try:
        import systemd.journal  # noqa: F401
    except ImportError:
        handler = make_log_handler({"JOURNAL_STREAM": f"{stderr.st_dev}:{stderr.st_ino}"})
        assert isinstance(handler, logging.StreamHandler)
    else:
        pytest.skip("systemd-python is installed here")
