"""The socket file: whose it is, who may reach it, when it is replaced."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from imgd.control.client import ControlClient
from imgd.control.listen import listen, may_connect, peer_uid
from imgd.errors import DaemonUnreachableError, SocketPathError

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")


def test_directory_and_socket_are_the_owners_alone(tmp_path):
    listener = listen(tmp_path / "run" / "imgd.sock", {})
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o700
    assert stat.S_IMODE(listener.path.stat().st_mode) == 0o600
    listener.socket.close()


def test_the_socket_of_a_dead_daemon_is_replaced(tmp_path):
    path = tmp_path / "imgd.sock"
    listen(path, {}).socket.close()
    listener = listen(path, {})
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(path))
    listener.socket.close()


def test_the_socket_of_a_live_daemon_is_left_alone(tmp_path):
    first = listen(tmp_path / "imgd.sock", {})
    with pytest.raises(SocketPathError, match="a daemon already listens") as caught:
        listen(first.path, {})
    assert "imgctl status" in caught.value.advice
    first.socket.close()


def test_a_path_that_is_too_long_is_refused_with_advice(tmp_path):
    with pytest.raises(SocketPathError, match="longer than 107 bytes") as caught:
        listen(tmp_path / ("x" * 120), {})
    assert "paths.socket" in caught.value.advice


def test_a_file_of_somebody_else_is_never_removed(tmp_path):
    path = tmp_path / "imgd.sock"
    path.write_text("precious")
    with pytest.raises(SocketPathError, match="is no socket"):
        listen(path, {})
    assert path.read_text() == "precious"


def test_a_directory_that_is_a_file_is_named(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(SocketPathError, match="run"):
        listen(tmp_path / "run" / "imgd.sock", {})


def test_a_directory_that_others_may_write_is_refused(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o777)
    with pytest.raises(SocketPathError, match="other users may write"):
        listen(tmp_path / "run" / "imgd.sock", {})


@needs_root
def test_a_directory_that_cannot_be_written_is_named(tmp_path):
    tmp_path.chmod(0o755)
    code = f"""
import os, sys
sys.path[:0] = {sys.path!r}
from pathlib import Path
from imgd.control.listen import listen
from imgd.errors import SocketPathError
os.setuid(65534)
try:
    listen(Path("/proc/1/imgd.sock"), {{}})
except SocketPathError as error:
    print(error, error.advice)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "cannot be written by this user" in done.stdout, done.stderr
    assert "paths.socket" in done.stdout


def test_removing_takes_away_only_the_own_socket(tmp_path):
    listener = listen(tmp_path / "imgd.sock", {})
    listener.path.unlink()
    successor = listen(tmp_path / "imgd.sock", {})
    listener.remove()
    assert successor.path.exists()
    successor.remove()
    assert not successor.path.exists()
    listener.socket.close()
    successor.socket.close()


def test_the_server_removes_its_socket_when_it_stops(running):
    path = running.server.path
    assert path.exists()
    running.stop()
    assert not path.exists()


def test_a_socket_passed_by_systemd_is_used_and_not_removed(tmp_path):
    path = tmp_path / "imgd.sock"
    code = f"""
import os, socket, sys
from pathlib import Path
from imgd.control.listen import listen
passed = socket.socket(socket.AF_UNIX)
passed.bind({str(path)!r})
passed.listen()
os.dup2(passed.fileno(), 3)
environment = {{"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}}
listener = listen(Path("/nowhere/else"), environment)
listener.remove()
print(listener.path, listener.socket.fileno(), environment, os.get_inheritable(3), flush=True)
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{path} 3 {{}} False\n"
    assert path.exists()


def test_the_peer_of_a_connection_is_known_by_its_user():
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert peer_uid(ours) == os.geteuid()
        assert may_connect(ours)


@needs_root
def test_another_user_is_refused_even_where_the_files_would_let_him(running, tmp_path):
    path: Path = running.server.path
    for directory in (path.parent, *path.parents):
        if directory == Path("/tmp"):
            break
        directory.chmod(0o755)
    path.chmod(0o666)
    code = f"""
import os, socket
os.setuid(65534)
peer = socket.socket(socket.AF_UNIX)
peer.connect({str(path)!r})
peer.sendall(b"GET /v1/status HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n")
print(peer.recv(65536).decode(), peer.recv(10))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "403" in done.stdout, done.stderr
    assert "photos" not in done.stdout


def test_a_client_without_a_daemon_says_how_to_start_one(tmp_path):
    with pytest.raises(DaemonUnreachableError, match="no such file") as caught:
        ControlClient(tmp_path / "imgd.sock").status()
    assert "systemctl --user start imgd" in caught.value.advice


def test_a_client_of_a_dead_daemon_says_so(tmp_path):
    listen(tmp_path / "imgd.sock", {}).socket.close()
    with pytest.raises(DaemonUnreachableError, match="refused"):
        ControlClient(tmp_path / "imgd.sock").status()
