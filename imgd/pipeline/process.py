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
from dataclasses import dataclass
from typing import Any

import msgspec

from imgd.pipeline.nursery import Birth, Death, request_bytes

_HEAD = struct.Struct("<I")
_PRELOADED = ("imgd.pipeline.worker", "scipy.spatial")
"""What workers need: imported once, before the fork, and its memory shared."""
_DEATH_S = 10.0
_NURSERIES = 3
"""How many are tried for one child: the first may have been killed, but one that dies at each start is a fault."""


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

    async def wait(self, patience_s: float | None = None) -> int:
        """Its exit status, once it has ended; with `patience_s` it is killed where that takes longer."""
        try:
            async with asyncio.timeout(patience_s):
                return await asyncio.shield(self._ended)
        except TimeoutError:
            self.kill()
            return await asyncio.shield(self._ended)

    async def destroy(self) -> None:
        """Kill it where it lives, and wait until what it had is free. One that the kernel keeps is given up."""
        self.kill()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DEATH_S):
                await asyncio.shield(self._ended)

    def end(self, status: int) -> None:
        if not self._ended.done():
            self._ended.set_result(status)


@dataclass(frozen=True, slots=True)
class _Expected:
    """A child that was asked for; the nursery answers in the order of the requests."""

    name: str
    connection: socket.socket
    born: asyncio.Future[Child]


class ChildStarter:
    """Starts children through the nursery, which is started on first use and again when it died."""

    def __init__(self) -> None:
        self._nursery: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._children: dict[int, Child] = {}
        self._births: deque[_Expected] = deque()
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
        body = request_bytes(target, name, setup)
        async with self._starting:
            for _ in range(_NURSERIES - 1):
                with contextlib.suppress(ConnectionError):  # the nursery was killed: another one takes over
                    return await self._ask(name, body, fds)
            return await self._ask(name, body, fds)

    async def _ask(self, name: str, body: bytes, fds: Sequence[int]) -> Child:
        if self._control is None:
            self._start_nursery()
        control, listener = self._control, self._listener
        assert control is not None
        assert listener is not None
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        expected = _Expected(name, ours, loop.create_future())
        self._births.append(expected)
        try:
            socket.send_fds(control, [_HEAD.pack(len(body))], [theirs.fileno(), *fds])
            await loop.sock_sendall(control, body)
        except ConnectionError:
            await asyncio.wait([listener])  # it gives the expected birth up
        except OSError:
            self._births.remove(expected)
            ours.close()
            raise
        finally:
            theirs.close()
        try:
            return await expected.born
        except asyncio.CancelledError:
            if expected.born.done() and not expected.born.cancelled() and expected.born.exception() is None:
                _give_up(expected.born.result())
            raise

    async def stop(self) -> None:
        """End every child that is left, then the nursery."""
        children = list(self._children.values())
        for child in children:
            child.kill()
        await asyncio.gather(*(child.wait() for child in children))
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._nursery is not None:
            await asyncio.to_thread(self._nursery.wait)
        self._lose_all()

    def _start_nursery(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # a threaded library must not be forked
        with theirs:
            # -P: no module is taken from the folder in which the daemon happens to have been started.
            self._nursery = subprocess.Popen(
                [sys.executable, "-P", "-m", "imgd.pipeline.nursery", str(theirs.fileno()), *_PRELOADED],
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
                    self._welcome(self._births.popleft(), message.pid)
                elif child := self._children.pop(message.pid, None):
                    child.end(message.status)
        control.close()
        if self._control is control:
            self._control = None
            self._lose_all()
            if self._nursery is not None:
                await asyncio.to_thread(self._nursery.wait)

    def _welcome(self, expected: _Expected, pid: int) -> None:
        child = self._children[pid] = Child(expected.name, pid, expected.connection)
        if expected.born.done():  # whoever asked for it was cancelled meanwhile
            _give_up(child)
        else:
            expected.born.set_result(child)

    def _lose_all(self) -> None:
        """The nursery is gone, and the kernel has killed its children."""
        for child in self._children.values():
            child.end(-signal.SIGKILL)
        self._children.clear()
        while self._births:
            expected = self._births.popleft()
            expected.connection.close()
            if not expected.born.done():
                expected.born.set_exception(ConnectionResetError("the process starter was killed"))


def _give_up(child: Child) -> None:
    child.connection.close()
    child.kill()


async def _receive(loop: asyncio.AbstractEventLoop, control: socket.socket) -> bytes:
    try:
        return await loop.sock_recv(control, 1 << 16)
    except OSError:
        return b""
