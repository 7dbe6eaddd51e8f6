"""A model hub of our own on localhost: the real client downloads from it, in a process of its own."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

PULL = """
import sys
from pathlib import Path
from imgd.config import ModelSettings
from imgd.model import Model, ModelFile
from imgd.weights.catalogue import Catalogue
from imgd.weights.pull import pull
from imgd.weights.store import ModelStore

root, source, sha256, size = sys.argv[1:]
model = Model("toy", "A toy", "MIT", (ModelFile("graph.bin", sha256, int(size), (source,)),))
store = ModelStore(Path(root), Catalogue({"toy": model}))
try:
    pull(store, model, ModelSettings())
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
print(store.status("toy"))
"""


class Hub(BaseHTTPRequestHandler):
    """Serves one file of one repository, as a hub does."""

    data = b""

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        found = self.path == "/org/repo/resolve/v1/onnx/graph.bin"
        self.send_response(200 if found else 404)
        if found:
            self.send_header("X-Repo-Commit", "a" * 40)
            self.send_header("ETag", f'"{hashlib.sha256(self.data).hexdigest()}"')
        else:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("Content-Length", str(len(self.data) if found else 0))
        self.end_headers()
        if found and body:
            self.wfile.write(self.data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def hub(contents: dict[str, bytes]) -> Iterator[str]:
    handler = type("ToyHub", (Hub,), {"data": contents["graph.bin"]})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def pull_from(hub: str, tmp_path: Path, source: str, data: bytes) -> subprocess.CompletedProcess[str]:
    without_proxy = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    environment = {**without_proxy, "HF_ENDPOINT": hub, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
    digest = hashlib.sha256(data).hexdigest()
    command = [sys.executable, "-c", PULL, str(tmp_path / "models"), source, digest, str(len(data))]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_a_file_of_a_hub_is_fetched_and_verified(hub: str, tmp_path: Path, contents: dict[str, bytes]) -> None:
    done = pull_from(hub, tmp_path, "hub:org/repo@v1:onnx/graph.bin", contents["graph.bin"])
    assert done.stdout == "present\n", done.stderr
    assert (tmp_path / "models/toy/graph.bin").read_bytes() == contents["graph.bin"]
    assert not (tmp_path / "hf/hub").exists()


def test_another_content_than_the_catalogue_names_is_refused(hub: str, tmp_path: Path) -> None:
    done = pull_from(hub, tmp_path, "hub:org/repo@v1:onnx/graph.bin", b"something else")
    assert "ModelPullError" in done.stderr
    assert "graph.bin is larger than" in done.stderr


def test_a_file_that_the_hub_lacks_is_reported(hub: str, tmp_path: Path) -> None:
    done = pull_from(hub, tmp_path, "hub:org/repo@v1:onnx/other.bin", b"x")
    assert "ModelPullError" in done.stderr
    assert "org/repo@v1: onnx/other.bin" in done.stderr
