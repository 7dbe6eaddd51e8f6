"""The process that starts all others: a fork server of imgd's own.

It is started once, by exec, imports what decode workers need, stays single-threaded, and forks a child on
request: a replacement for a dead worker is there in milliseconds and shares its libraries' pages. A fork of
the main process, with its threads, would be unsafe. Children die with the nursery (PR_SET_PDEATHSIG), and the
nursery ends when the main process does (its socket closes), so that no kill leaves a process behind.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import pickle
import selectors
import signal
import socket
import struct
import sys
from typing import Any, NoReturn

import msgspec

from imgd.pipeline.voices import Voices

_HEAD = struct.Struct("<I")
_MAX_FDS = 4
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


class Birth(msgspec.Struct, frozen=True, tag=True):
    """The answer to a request, in the order of the requests."""

    pid: int


class Death(msgspec.Struct, frozen=True, tag=True):
    """A child has ended: `status` as os.waitstatus_to_exitcode gives it (negative: the signal)."""

    pid: int
    status: int


def request_bytes(target: str, name: str, setup: object) -> bytes:
    """A request to run `target` (`module:function`) with `(socket, extra fds, setup)` in a process `name`."""
    # Pickled: it comes from the main process, which trusts itself, and carries settings of any plugin's type.
    return pickle.dumps((target, name, pickle.dumps(setup)))


def main() -> None:
    """Serve the socket whose descriptor is the first argument, until it closes; preload the modules named."""
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module in sys.argv[2:]:
        importlib.import_module(module)
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    with contextlib.suppress(ConnectionError):  # the main process is gone: so are its children, by their signal
        _serve(control, selector)


def _serve(control: socket.socket, selector: selectors.BaseSelector) -> None:
    voices = Voices()
    while True:
        for key, _events in selector.select():
            if key.fileobj is control:
                request = _receive(control)
                if request is None:
                    voices.drain()
                    return
                heard, mouth = voices.open(_name(request[0]))
                selector.register(heard, selectors.EVENT_READ, voices)
                pid = _fork(control, mouth, *request)
                pidfd = os.pidfd_open(pid)
                selector.register(pidfd, selectors.EVENT_READ, pid)
                _answer(control, Birth(pid))
            elif key.data is voices:
                if not voices.pass_on(key.fd):
                    selector.unregister(key.fileobj)
                    os.close(key.fd)
            else:
                selector.unregister(key.fileobj)
                os.close(key.fd)
                _pid, status = os.waitpid(key.data, 0)
                _answer(control, Death(key.data, os.waitstatus_to_exitcode(status)))


def _receive(control: socket.socket) -> tuple[bytes, list[int]] | None:
    head, fds, _flags, _address = socket.recv_fds(control, _HEAD.size, _MAX_FDS)
    if len(head) < _HEAD.size:
        return None
    length = _HEAD.unpack(head)[0]
    body = bytearray()
    while len(body) < length:
        part = control.recv(length - len(body))  # not into the next request, whose descriptors would be lost
        if not part:
            return None
        body += part
    return bytes(body), fds


def _answer(control: socket.socket, message: Birth | Death) -> None:
    body = msgspec.msgpack.encode(message)
    control.sendall(_HEAD.pack(len(body)) + body)


def _name(body: bytes) -> str:
    name: str = pickle.loads(body)[1]
    return name


def _fork(control: socket.socket, mouth: int, body: bytes, fds: list[int]) -> int:
    nursery = os.getpid()
    pid = os.fork()
    if not pid:
        os.dup2(mouth, 1)
        os.dup2(mouth, 2)
        os.close(mouth)
        _live(nursery, control, body, fds)
    for fd in (mouth, *fds):
        os.close(fd)
    return pid


def _live(nursery: int, control: socket.socket, body: bytes, fds: list[int]) -> NoReturn:
    """The child's whole life."""
    status = 1
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != nursery:  # it died before the line above
            os._exit(1)
        control.close()
        target, name, setup = pickle.loads(body)
        libc.prctl(_PR_SET_NAME, name.encode()[:15])
        module, function = target.split(":")
        run: Any = getattr(importlib.import_module(module), function)
        run(socket.socket(fileno=fds[0]), fds[1:], pickle.loads(setup))
        status = 0
    except BaseException as error:  # noqa: BLE001 - the last boundary of a process: it has to end here
        if not isinstance(error, SystemExit):
            sys.excepthook(type(error), error, error.__traceback__)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
