"""The main process's side of the nursery: starting children, and hearing of their end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec

from imgd.pipeline.nursery import Birth, Death, request_bytes

_HEAD = struct.Struct("<I")
_PRELOADED = ("imgd.pipeline.worker",)


class Child:
    """A running child. `exit_status` is negative for the signal that killed it."""

    def __init__(self, name: str, pid: int, connection: socket.socket) -> None:
        self.name = name
        self.pid = pid
        self.connection = connection
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def alive(self) -> bool:
        return not self._ended.done()

    def kill(self) -> None:
        if self.alive:
            with contextlib.suppress(ProcessLookupError):  # its death may be on the way here
                os.kill(self.pid, signal.SIGKILL)

    async def wait(self) -> int:
        """Its exit status, once it has ended."""
        return await asyncio.shield(self._ended)

    def end(self, status: int) -> None:
        if not self._ended.done():
            self._ended.set_result(status)


class ChildStarter:
    """Starts children through the nursery, which is started on first use and again when it died."""

    def __init__(self) -> None:
        self._nursery: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._children: dict[int, Child] = {}
        self._early_deaths: dict[int, int] = {}
        self._births: deque[asyncio.Future[int]] = deque()
        self._listener: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    @property
    def pids(self) -> list[int]:
        """The nursery and all its children."""
        nursery = [self._nursery.pid] if self._nursery else []
        return [*nursery, *self._children]

    def names(self) -> dict[int, str]:
        """What each of `pids` is, by pid."""
        nursery = {self._nursery.pid: "imgd-nursery"} if self._nursery else {}
        return nursery | {pid: child.name for pid, child in self._children.items()}

    async def start(self, target: str, name: str, setup: object, fds: Sequence[int] = ()) -> Child:
        """Run `target` (`module:function`) in a child of its own, with a socket to it and copies of `fds`."""
        async with self._starting:
            if self._control is None:
                self._start_nursery()
            control = self._control
            assert control is not None
            ours, theirs = socket.socketpair()
            body = request_bytes(target, name, setup)
            born: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            self._births.append(born)
            loop = asyncio.get_running_loop()
            try:
                socket.send_fds(control, [_HEAD.pack(len(body))], [theirs.fileno(), *fds])
                await loop.sock_sendall(control, body)
                pid = await born
            except (ConnectionError, OSError):
                ours.close()
                raise
            finally:
                theirs.close()
        child = Child(name, pid, ours)
        self._children[pid] = child
        if pid in self._early_deaths:
            self._end(pid, self._early_deaths.pop(pid))
        return child

    async def stop(self) -> None:
        """End every child that is left, then the nursery."""
        children = list(self._children.values())
        for child in children:
            child.kill()
        await asyncio.gather(*(child.wait() for child in children))
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._listener is not None:
            self._listener.cancel()
        if self._nursery is not None:
            await asyncio.to_thread(self._nursery.wait)
        self._lose_all()

    def _start_nursery(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # a threaded library must not be forked
        with theirs:
            self._nursery = subprocess.Popen(
                [sys.executable, "-m", "imgd.pipeline.nursery", str(theirs.fileno()), *_PRELOADED],
                pass_fds=[theirs.fileno()],
                env=environment,
                stdin=subprocess.DEVNULL,
            )
        self._control = ours
        self._listener = asyncio.create_task(self._listen(ours))

    async def _listen(self, control: socket.socket) -> None:
        decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(Birth | Death)
        loop = asyncio.get_running_loop()
        buffer = bytearray()
        while part := await _receive(loop, control):
            buffer += part
            while len(buffer) >= _HEAD.size and len(buffer) >= (end := _HEAD.size + _HEAD.unpack_from(buffer)[0]):
                message = decoder.decode(bytes(buffer[_HEAD.size : end]))
                del buffer[:end]
                if isinstance(message, Birth):
                    self._births.popleft().set_result(message.pid)
                else:
                    self._end(message.pid, message.status)
        control.close()
        if self._control is control:
            self._control = None
            self._lose_all()
            if self._nursery is not None:
                await asyncio.to_thread(self._nursery.wait)

    def _end(self, pid: int, status: int) -> None:
        child = self._children.pop(pid, None)
        if child is None:
            self._early_deaths[pid] = status
        else:
            child.end(status)

    def _lose_all(self) -> None:
        """The nursery is gone, and the kernel has killed its children."""
        for child in self._children.values():
            child.end(-signal.SIGKILL)
        self._children.clear()
        while self._births:
            self._births.popleft().set_exception(ConnectionResetError("the process starter was killed"))


async def _receive(loop: asyncio.AbstractEventLoop, control: socket.socket) -> bytes:
    try:
        return await loop.sock_recv(control, 1 << 16)
    except OSError:
        return b""
