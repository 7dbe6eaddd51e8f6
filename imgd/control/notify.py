"""Telling systemd how the service is, by the protocol of sd_notify(3): datagrams to $NOTIFY_SOCKET."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class Notifier:
    """Says nothing where no service manager listens. `status` is one line for people, in `systemctl status`."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        watchdog_us = environment.get("WATCHDOG_USEC", "0")
        self.watchdog_s: float | None = int(watchdog_us) / 1e6 if mine and watchdog_us.isdigit() else None
        """The service is killed when `alive` was not called for so long; None where nobody watches."""
        if self.watchdog_s == 0:
            self.watchdog_s = None

    def ready(self, status: str = "") -> None:
        self._send("READY=1", status)

    def alive(self, status: str = "") -> None:
        self._send("WATCHDOG=1", status)

    def stopping(self, status: str = "") -> None:
        self._send("STOPPING=1", status)

    def extend_start(self, seconds: float) -> None:
        """Starting takes longer than usual (a migration, say)."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}", "")

    def _send(self, state: str, status: str) -> None:
        if not self._address:
            return
        one_line = " ".join(status.split())
        lines = [state, f"STATUS={one_line}"] if status else [state]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            try:
                sender.sendto("\n".join(lines).encode(), self._address)
            except OSError:
                return  # the manager is gone or restarting: the service itself goes on
