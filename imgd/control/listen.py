"""The listening Unix socket: who may reach it, who owns it, and when it may be replaced or removed."""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path

from imgd.errors import SocketPathError

PATH_LIMIT_BYTES = 107
"""Of `sockaddr_un.sun_path` (108), without the terminating zero; see unix(7)."""

_UCRED = struct.Struct("iII")  # pid, uid, gid; see unix(7)
_ACTIVATED_FD = 3  # SD_LISTEN_FDS_START, see sd_listen_fds(3)


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound socket. `identity`: (device, inode) of its file, None where systemd owns it."""

    socket: socket.socket
    path: Path
    identity: tuple[int, int] | None

    def remove(self) -> None:
        """Take the socket's file away, if it is still this listener's."""
        if self.identity is not None and _identity(self.path) == self.identity:
            self.path.unlink(missing_ok=True)


def listen(path: Path, environment: MutableMapping[str, str] = os.environ) -> Listener:
    """Listen where systemd says (socket activation), else on `path`.

    The directory of `path` is made with mode 0700, the socket with 0600. A socket that nobody answers on
    any more is replaced.

    Raises:
        SocketPathError: when a daemon answers there already, or `path` cannot be a socket of ours.
    """
    inherited = _inherited_socket(environment)
    if inherited is not None:
        return Listener(inherited, Path(str(inherited.getsockname())), None)
    if len(os.fsencode(path)) > PATH_LIMIT_BYTES:
        raise SocketPathError(f"{path} is longer than {PATH_LIMIT_BYTES} bytes, the limit of the system")
    _make_directory(path.parent)
    _clear_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        old_umask = os.umask(0o177)  # from the first moment on nobody else can connect
        try:
            listener.bind(os.fspath(path))
        finally:
            os.umask(old_umask)
        listener.listen(socket.SOMAXCONN)
    except OSError as error:
        listener.close()
        raise SocketPathError(f"{path}: {error.strerror}") from error
    listener.setblocking(False)
    return Listener(listener, path, _identity(path))


def may_connect(peer: socket.socket) -> bool:
    """Whether the process at the other end belongs to this user, or to root."""
    uid = peer_uid(peer)
    return uid in (0, os.geteuid())


def peer_uid(peer: socket.socket) -> int:
    """The user of the process at the other end, as the kernel recorded it at connect (SO_PEERCRED)."""
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    _pid, uid, _gid = _UCRED.unpack(credentials)
    return int(uid)


def is_activated(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether systemd passed this very process a socket."""
    return environment.get("LISTEN_PID") == str(os.getpid()) and environment.get("LISTEN_FDS", "0") != "0"


def _inherited_socket(environment: MutableMapping[str, str]) -> socket.socket | None:
    if not is_activated(environment):
        return None
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        environment.pop(name, None)  # not for the processes that we start
    os.set_inheritable(_ACTIVATED_FD, False)
    inherited = socket.socket(fileno=_ACTIVATED_FD)
    if inherited.family != socket.AF_UNIX or inherited.type != socket.SOCK_STREAM:
        raise SocketPathError(
            "systemd passed a socket that is no Unix stream socket", hint="Install imgd's own imgd.socket."
        )
    inherited.setblocking(False)
    return inherited


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.stat()
        if not stat.S_ISDIR(found.st_mode):
            raise SocketPathError(f"{directory} is not a directory")
        if (
            found.st_uid == os.geteuid()
            and stat.S_IMODE(found.st_mode) & 0o022
            and not found.st_mode & stat.S_ISVTX
        ):
            raise SocketPathError(f"other users may write to {directory}", hint=f"Run `chmod go-w {directory}`.")
    except OSError as error:
        raise SocketPathError(f"{directory}: {error.strerror}") from error
    if not os.access(directory, os.W_OK | os.X_OK):
        raise SocketPathError(f"{directory} cannot be written by this user")


def _clear_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise SocketPathError(f"{path}: {error.strerror}") from error
    if not stat.S_ISSOCK(mode):
        raise SocketPathError(
            f"{path} is there already and is no socket", hint="Move that file away, or set `paths.socket`."
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2.0)
        answer = probe.connect_ex(os.fspath(path))
    if answer == errno.ECONNREFUSED:
        path.unlink(missing_ok=True)
    elif answer != errno.ENOENT:
        raise SocketPathError(
            f"a daemon already listens on {path}",
            hint="Use that one (`imgctl status`), stop it first, or set `paths.socket` to another path.",
        )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
