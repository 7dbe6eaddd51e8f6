"""Serving the control socket inside the daemon's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Generator
from pathlib import Path

import msgspec
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from imgd.control.app import build_app
from imgd.control.listen import Listener, listen, may_connect
from imgd.control.protocol import Problem
from imgd.control.services import Services

_log = logging.getLogger(__name__)

_STOP_TIMEOUT_S = 3
_REFUSAL_BODY = msgspec.json.encode(Problem("RequestError", "this imgd belongs to another user"))
_REFUSAL = (
    b"HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%b"
) % (len(_REFUSAL_BODY), _REFUSAL_BODY)


class ControlServer:
    """Binds the socket when made, serves from `start` to `stop`."""

    def __init__(self, path: Path) -> None:
        """Raises SocketPathError, as `listen` does."""
        self._listener: Listener = listen(path)
        self._closing = asyncio.Event()
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def path(self) -> Path:
        return self._listener.path

    async def start(self, services: Services, version: str) -> None:
        """Answer from now on. Connections made since the socket was bound were kept waiting, and are served."""
        config = uvicorn.Config(
            build_app(services, version, self._closing),
            http=_PeerCheckedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=60,
            timeout_graceful_shutdown=_STOP_TIMEOUT_S,
        )
        self._server = _Server(config, self._closing)
        self._serving = asyncio.create_task(self._server.serve([self._listener.socket]), name="control")
        accepting = asyncio.create_task(self._server.accepting.wait())
        await asyncio.wait({accepting, self._serving}, return_when=asyncio.FIRST_COMPLETED)
        if not accepting.done():
            accepting.cancel()
            self._serving.result()

    async def stop(self) -> None:
        """Take no more requests, let those in work end (waiting ones are told), remove the socket."""
        self._listener.remove()
        self._closing.set()
        if self._serving is not None:
            await self._serving
        self._listener.socket.close()


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers, which are the daemon's, and without its ten ticks a second."""

    def __init__(self, config: uvicorn.Config, closing: asyncio.Event) -> None:
        super().__init__(config)
        self.accepting = asyncio.Event()
        self._closing = closing

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def main_loop(self) -> None:
        self.accepting.set()
        await self._closing.wait()


class _PeerCheckedProtocol(H11Protocol):
    """HTTP/1.1 for processes of the same user (and root) alone."""

    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._refused = not may_connect(transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        if not self._refused:
            super().data_received(data)
        elif not self.transport.is_closing():
            _log.warning("refused a request of another user on the control socket")
            self.transport.write(_REFUSAL)
            self.transport.close()
