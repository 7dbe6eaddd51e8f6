"""Seeing what a plugin does besides analyzing: opens a photo's file, asks the network, imports what is heavy.

Files are watched by inotify, so that what C code opens counts, too. The network is watched by Python's audit
events (PEP 578): a library that opens its sockets in C is not seen.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from imgd.domain import PhotoInput
from imgd.testing.photos import jpeg

HEAVY = ("cv2", "jax", "onnxruntime", "open_clip", "tensorflow", "torch", "transformers")
"""Libraries that the main process must not have to load."""

_IN_OPEN = 0x20
_EVENT = struct.Struct("iIII")
_NETWORK_EVENTS = frozenset({"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request"})


class Watch:
    """What the code that runs inside `with watch.looking():` does to photos' files and to the network.

    The photos' files are made below `folder`, so that an analyzer which opens one has success, and is seen.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._inotify = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._names: dict[int, str] = {}
        self._looks = False
        self.opened: set[str] = set()
        """Names of photos whose file was opened."""
        self.called: set[str] = set()
        """Hosts that were asked for."""
        sys.addaudithook(self._hear)  # there is no way to take it away: it does nothing outside `looking`

    def place(self, photos: Mapping[str, PhotoInput]) -> dict[str, PhotoInput]:
        """The same photos, each with a file at its path, under the name that it had."""
        placed = {}
        for number, (name, photo) in enumerate(photos.items()):
            folder = self._folder / str(number)
            folder.mkdir()
            path = folder / (os.path.basename(photo.path) or "photo.jpg")
            content = photo.data or (jpeg(photo.pixels) if photo.pixels is not None else b"")
            path.write_bytes(content)
            watched = self._libc.inotify_add_watch(self._inotify, os.fsencode(folder), _IN_OPEN)
            self._names[watched] = name
            placed[name] = replace(photo, path=str(path))
        return placed

    @contextlib.contextmanager
    def looking(self) -> Iterator[None]:
        """Hold what happens inside against the plugin."""
        self._opened()  # what was opened before is not its doing
        self._looks = True
        try:
            yield
        finally:
            self._looks = False
            self.opened |= self._opened()

    def close(self) -> None:
        if self._inotify >= 0:
            os.close(self._inotify)
            self._inotify = -1

    def _opened(self) -> set[str]:
        if self._inotify < 0:
            return set()
        found = set()
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._inotify, 1 << 16):
                at = 0
                while at < len(data):
                    watched, _mask, _cookie, length = _EVENT.unpack_from(data, at)
                    at += _EVENT.size + length
                    if length and watched in self._names:  # without a name it is the folder
                        found.add(self._names[watched])
        return found

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._looks and event in _NETWORK_EVENTS and (host := _host(event, arguments)):
            self.called.add(host)


def _host(event: str, arguments: tuple[Any, ...]) -> str:
    """Which machine an audit event speaks of; "" for none (a socket of this one)."""
    if event == "socket.connect":
        address = arguments[1]
        return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else ""
    return str(arguments[0] or "")
