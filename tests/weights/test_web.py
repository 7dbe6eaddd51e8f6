"""A web server of our own on localhost, with a certificate of its own: files are fetched from it over TLS."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from imgd.config import ModelSettings
from imgd.errors import ModelPullError
from imgd.model import Model, ModelFile
from imgd.weights.pull import pull
from imgd.weights.store import ModelStatus, ModelStore

MakeStore = Callable[[Model], ModelStore]


class Site(BaseHTTPRequestHandler):
    """Has one file, and sends half of another."""

    data = b""

    def do_GET(self) -> None:
        if self.path not in ("/v1/graph.bin", "/v1/broken.bin"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.data)))
        self.end_headers()
        self.wfile.write(self.data if "graph" in self.path else self.data[: len(self.data) // 2])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Speaks TLS with each caller in a thread of its own, where one that hangs up costs nothing and is closed."""

    daemon_threads = False  # closing the server waits for them

    def __init__(self, certificate: tuple[Path, Path], site: type[Site]) -> None:
        super().__init__(("127.0.0.1", 0), site)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*certificate)

    def get_request(self) -> tuple[ssl.SSLSocket, Any]:
        connection, address = super().get_request()
        return self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: the tests look at what the caller says."""


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate of localhost, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, which makes the certificate")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


@pytest.fixture
def site(
    certificate: tuple[Path, Path], contents: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    for variable in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    server = Server(certificate, type("ToySite", (Site,), {"data": contents["graph.bin"]}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"https://localhost:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def trusted(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))


def toy(model_file: Callable[..., ModelFile], source: str, data: bytes) -> Model:
    return Model("toy", "A toy", "MIT", (model_file("graph.bin", data, source),))


@pytest.mark.usefixtures("trusted")
def test_a_file_of_a_web_address_is_fetched_and_verified(
    site: str,
    make_store: MakeStore,
    settings: ModelSettings,
    model_file: Callable[..., ModelFile],
    contents: dict[str, bytes],
) -> None:
    data = contents["graph.bin"]
    model, seen = toy(model_file, f"{site}/v1/graph.bin", data), []
    store = make_store(model)
    assert pull(store, model, settings, lambda done, total: seen.append((done, total)))
    assert (store.directory("toy") / "graph.bin").read_bytes() == data
    assert seen[-1] == (len(data), len(data))


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("path", "data", "said"),
    [
        ("v1/other.bin", b"x", "other.bin: Not Found"),
        ("v1/broken.bin", None, "150000 of 300000 bytes"),
        ("v1/graph.bin", b"something else", "is larger than the 14 bytes"),
    ],
)
def test_what_is_not_the_file_is_refused_and_not_kept(
    site: str,
    make_store: MakeStore,
    settings: ModelSettings,
    model_file: Callable[..., ModelFile],
    contents: dict[str, bytes],
    path: str,
    data: bytes | None,
    said: str,
) -> None:
    model = toy(model_file, f"{site}/{path}", contents["graph.bin"] if data is None else data)
    store = make_store(model)
    with pytest.raises(ModelPullError) as raised:
        pull(store, model, settings)
    assert said in raised.value.detail
    assert store.status("toy") is ModelStatus.ABSENT


def test_an_address_whose_certificate_nobody_trusts_is_refused(
    site: str,
    make_store: MakeStore,
    settings: ModelSettings,
    model_file: Callable[..., ModelFile],
    contents: dict[str, bytes],
) -> None:
    model = toy(model_file, f"{site}/v1/graph.bin", contents["graph.bin"])
    with pytest.raises(ModelPullError) as raised:
        pull(make_store(model), model, settings)
    assert "CERTIFICATE_VERIFY_FAILED" in raised.value.detail
