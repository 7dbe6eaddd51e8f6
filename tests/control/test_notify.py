"""What systemd is told, received on a real datagram socket."""

from __future__ import annotations

import os
import socket

import pytest

from imgd.control.notify import Notifier


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as received:
        received.bind(str(tmp_path / "notify"))
        received.settimeout(120)
        yield received


def test_ready_and_stopping_come_with_a_status_line(manager):
    notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname()})
    notifier.ready("watching 2 roots\nall well")
    assert manager.recv(1024) == b"READY=1\nSTATUS=watching 2 roots all well"
    notifier.alive()
    assert manager.recv(1024) == b"WATCHDOG=1"
    notifier.extend_start(90)
    assert manager.recv(1024) == b"EXTEND_TIMEOUT_USEC=90000000"
    notifier.stopping()
    assert manager.recv(1024) == b"STOPPING=1"


def test_an_abstract_address_works(tmp_path):
    name = f"imgd-test-{tmp_path.name}-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as received:
        received.bind("\0" + name)
        Notifier({"NOTIFY_SOCKET": "@" + name}).ready()
        assert received.recv(100) == b"READY=1"


def test_nothing_is_said_where_no_manager_listens(tmp_path):
    Notifier({}).ready("to nobody")
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready("to nobody")


def test_the_watchdog_concerns_only_the_process_it_names():
    assert Notifier({}).watchdog_s is None
    assert Notifier({"WATCHDOG_USEC": "30000000"}).watchdog_s == 30
    assert Notifier({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}).watchdog_s == 30
    assert Notifier({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}).watchdog_s is None
