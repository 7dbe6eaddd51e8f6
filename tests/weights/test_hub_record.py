"""Files whose sha256 the catalogue leaves to the hub: checked against its own records, and then kept."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from imgd.model import Model, ModelFile
from imgd.weights.catalogue import Catalogue
from imgd.weights.store import ModelStatus, ModelStore

COMMIT = "c" * 40
LFS, SMALL = b"graph " * 50_000, b'{"embed_dim": 512}'
SOURCE = f"hub:org/repo@{COMMIT}:"

PULL = """
import sys
from pathlib import Path
from imgd.config import ModelSettings
from imgd.model import Model, ModelFile
from imgd.weights.catalogue import Catalogue
from imgd.weights.pull import pull
from imgd.weights.store import ModelStore

root, *sources = sys.argv[1:]
files = tuple(ModelFile(each.rpartition(":")[2], "", 1000, (each,)) for each in sources)
model = Model("toy", "A toy", "MIT", files)
store = ModelStore(Path(root), Catalogue({"toy": model}))
try:
    pull(store, model, ModelSettings())
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
print(store.status("toy"), [check.problem for check in store.verify("toy")])
"""


def git_object(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Hub(BaseHTTPRequestHandler):
    """One repository, as a hub serves it: a large file by its LFS record, a small one by its git object."""

    contents: ClassVar[dict[str, bytes]] = {}
    etags: ClassVar[dict[str, str]] = {}
    answers_for = COMMIT

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        name = self.path.rpartition("/")[2]
        data = self.contents.get(name)
        self.send_response(404 if data is None else 200)
        if data is not None:
            self.send_header("X-Repo-Commit", self.answers_for)
            self.send_header("ETag", '"of-the-storage"')
            self.send_header("X-Linked-ETag", f'"{self.etags[name]}"')
            self.send_header("X-Linked-Size", str(len(data)))
        self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()
        if data is not None and body:
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def serve() -> Iterator[Any]:
    servers = []

    def start(**attributes: Any) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("ToyHub", (Hub,), attributes))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


CONTENTS = {"graph.bin": LFS, "config.json": SMALL}
ETAGS = {"graph.bin": hashlib.sha256(LFS).hexdigest(), "config.json": git_object(SMALL)}


def pull_from(hub: str, tmp_path: Path, *sources: str) -> subprocess.CompletedProcess[str]:
    without_proxy = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    environment = {**without_proxy, "HF_ENDPOINT": hub, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "-c", PULL, str(tmp_path / "models"), *sources]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_files_are_checked_against_the_hubs_records_and_their_hashes_are_kept(serve: Any, tmp_path: Path) -> None:
    hub = serve(contents=CONTENTS, etags=ETAGS)
    done = pull_from(hub, tmp_path, f"{SOURCE}graph.bin", f"{SOURCE}config.json")
    assert done.stdout == "present ['', '']\n", done.stderr
    told = json.loads((tmp_path / "models/toy/.verified.json").read_bytes())["told"]
    assert told["config.json"] == {"sha256": hashlib.sha256(SMALL).hexdigest(), "size_bytes": len(SMALL)}
    assert told["graph.bin"] == {"sha256": hashlib.sha256(LFS).hexdigest(), "size_bytes": len(LFS)}


def test_what_the_store_was_told_is_what_verify_holds_a_file_against(serve: Any, tmp_path: Path) -> None:
    hub = serve(contents=CONTENTS, etags=ETAGS)
    assert pull_from(hub, tmp_path, f"{SOURCE}config.json").returncode == 0
    file = ModelFile("config.json", "", 1000, (f"{SOURCE}config.json",))
    store = ModelStore(tmp_path / "models", Catalogue({"toy": Model("toy", "A toy", "MIT", (file,))}))
    path = store.directory("toy") / "config.json"
    path.write_bytes(SMALL.replace(b"512", b"768"))
    assert store.status("toy") is ModelStatus.PRESENT
    (check,) = store.verify("toy")
    assert f"should have {hashlib.sha256(SMALL).hexdigest()}" in check.problem
    assert store.status("toy") is ModelStatus.CORRUPT
    path.write_bytes(SMALL + b" ")
    assert store.status("toy") is ModelStatus.CORRUPT


@pytest.mark.parametrize("name", ["graph.bin", "config.json"])
def test_other_content_than_the_record_names_is_refused(serve: Any, tmp_path: Path, name: str) -> None:
    changed = {each: data[:-1] + b"?" for each, data in CONTENTS.items()}
    done = pull_from(serve(contents=changed, etags=ETAGS), tmp_path, f"{SOURCE}{name}")
    assert f"{name} is not what org/repo has at {COMMIT}" in done.stderr
    assert not (tmp_path / "models/toy" / name).exists()


@pytest.mark.parametrize(
    ("source", "attributes", "reason"),
    [
        ("hub:org/repo@main:config.json", {}, "only the full hash of a commit"),
        (f"{SOURCE}config.json", {"answers_for": "d" * 40}, "the hub answers for dddd"),
        (f"{SOURCE}config.json", {"etags": {"config.json": "weak"}}, "does not say what the file should be"),
        (f"{SOURCE}absent.json", {}, f"org/repo@{COMMIT}: absent.json"),
        ("pypi:toy==1.0:toy/config.json", {}, "nothing says what"),
    ],
)
def test_where_nothing_vouches_for_a_file_it_is_not_fetched(
    serve: Any, tmp_path: Path, source: str, attributes: dict[str, Any], reason: str
) -> None:
    done = pull_from(serve(**{"contents": CONTENTS, "etags": ETAGS, **attributes}), tmp_path, source)
    assert "ModelPullError" in done.stderr
    assert reason in done.stderr


def test_an_interrupted_pull_keeps_the_files_that_were_told(serve: Any, tmp_path: Path) -> None:
    both = (f"{SOURCE}graph.bin", f"{SOURCE}config.json")
    hub = serve(contents={"graph.bin": LFS}, etags=ETAGS)
    assert "config.json" in pull_from(hub, tmp_path, *both).stderr
    fetched = (tmp_path / "models/toy/graph.bin").stat().st_ino
    assert pull_from(serve(contents=CONTENTS, etags=ETAGS), tmp_path, *both).returncode == 0
    assert (tmp_path / "models/toy/graph.bin").stat().st_ino == fetched


def test_a_hub_that_cannot_be_reached_is_told_in_a_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        done = pull_from(f"http://127.0.0.1:{taken.getsockname()[1]}", tmp_path, f"{SOURCE}graph.bin")
    assert done.stderr.startswith("ModelPullError: ")
    assert f"org/repo@{COMMIT}: graph.bin: " in done.stderr
