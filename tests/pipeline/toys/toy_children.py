"""What the tests of the child processes run in them."""

from __future__ import annotations

import os
import socket
import sys
import time
from typing import Any


def echo(connection: socket.socket, fds: list[int], setup: Any) -> None:
    """Say who one is, then send back whatever comes; end with the connection."""
    connection.sendall(f"{os.getpid()} {os.getppid()} {setup} {len(fds)}\n".encode())
    while data := connection.recv(1024):
        connection.sendall(data)


def write_to_first_fd(_connection: socket.socket, fds: list[int], setup: bytes) -> None:
    os.write(fds[0], setup)


def leave(_connection: socket.socket, _fds: list[int], setup: int) -> None:
    os._exit(setup)


def fail(_connection: socket.socket, _fds: list[int], _setup: None) -> None:
    sys.exit("no such thing")


def stay(_connection: socket.socket, _fds: list[int], _setup: None) -> None:
    """Deaf to the end of the connection, as a hung library is."""
    while True:
        time.sleep(60)
