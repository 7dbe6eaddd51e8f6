"""The client of the control socket. Light: it is what `imgctl` imports before every command."""

from __future__ import annotations

import http.client
import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from imgd import errors
from imgd.control import protocol
from imgd.errors import DaemonUnreachableError, ImgdError, RequestError

if TYPE_CHECKING:
    from imgd.control import plans

T = TypeVar("T")

_CONNECT_TIMEOUT_S = 5.0
_ANSWER_TIMEOUT_S = 60.0
_LONG_TIMEOUT_S = 600.0
"""For what touches every photo of a library."""
_PASSING_TIMEOUT_S = 0.2


class ControlClient:
    """One connection to a daemon, kept between requests.

    Every method raises DaemonUnreachableError where no daemon answers, and the daemon's own error (QueryError,
    PhotoUnknownError, ..., else RequestError) where it refuses. `timeout_s`: how long an answer may take, `wait`
    aside.
    """

    def __init__(self, path: Path, timeout_s: float = _ANSWER_TIMEOUT_S) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._connection = UnixConnection(path, min(_CONNECT_TIMEOUT_S, timeout_s))

    def status(self) -> protocol.StatusAnswer:
        return self._get("/v1/status", protocol.StatusAnswer)

    def search(
        self,
        query: str,
        limit: int | None = None,
        *,
        sort: str = "",
        min_score: float | None = None,
        after: str = "",
        cwd: bytes = b"",
        explain: bool = False,
    ) -> protocol.SearchAnswer:
        """One page: `limit` hits (as many as the daemon is set to give where None) that come `after` a cursor.

        `sort`: `score`, `date` or `path`. `min_score`: 0 to 1. `cwd`: the absolute folder that relative paths
        after `like:` start from. `explain`: every hit has its reasons one by one.
        """
        given: dict[str, object] = {
            "limit": limit,
            "sort": sort,
            "min_score": min_score,
            "after": after,
            "cwd": cwd,
            "explain": int(explain),
        }
        wanted = {name: value for name, value in given.items() if value}
        return self._get(f"/v1/search?{_query(query, **wanted)}", protocol.SearchAnswer)

    def warm_search(self) -> None:
        """Let the daemon begin to load what a search needs; nobody waits for it, or learns that it failed."""
        connection = UnixConnection(self._path, _PASSING_TIMEOUT_S)
        with suppress(ImgdError), closing(connection), _as_unreachable(connection):
            connection.request("POST", "/v1/search/warm", b"{}", {"content-type": "application/json"})

    def complete(self, query: str) -> tuple[str, ...]:
        """The last term of a half-typed `query`, completed in each way that the library knows."""
        return self._get(f"/v1/complete?{_query(query)}", protocol.CompleteAnswer).completions

    def preview(self, photo_id: int) -> bytes:
        """The cached preview of a photo, a JPEG. Raises PreviewMissingError where there is none."""
        status, content = self._exchange("GET", f"/v1/photos/{photo_id}/preview", b"", self._timeout_s)
        return content if status < 400 else self._decode(status, content, bytes)

    def show(self, photo: int | bytes) -> protocol.PhotoAnswer:
        """A photo by id, or by its absolute path."""
        if isinstance(photo, int):
            return self._get(f"/v1/photos/{photo}", protocol.PhotoAnswer)
        return self._get(f"/v1/photos?path={quote(photo, safe='/')}", protocol.PhotoAnswer)

    def failed(self, page_size: int = 500) -> Iterator[protocol.FailedJob]:
        """Every failed job, page by page."""
        after = ""
        while True:
            parameters = urlencode({"after": after, "limit": page_size})
            page = self._get(f"/v1/failed?{parameters}", protocol.FailedAnswer)
            yield from page.failed
            after = page.after
            if not after:
                return

    def duplicates(self, kind: str = "identical", page_size: int = 200) -> Iterator[protocol.DuplicatesAnswer]:
        """The groups of one list, page by page; there is always a first page."""
        after = ""
        while True:
            parameters = urlencode({"kind": kind, "after": after, "limit": page_size})
            page = self._get(f"/v1/duplicates?{parameters}", protocol.DuplicatesAnswer)
            yield page
            after = page.after
            if not after:
                return

    def analyzers(self) -> protocol.AnalyzersAnswer:
        return self._get("/v1/analyzers", protocol.AnalyzersAnswer)

    def retry(self, request: protocol.RetryRequest) -> int:
        return self._post("/v1/retry", request, protocol.CountAnswer).count

    def analyze(self, request: plans.AnalyzeRequest) -> plans.AnalyzeAnswer:
        from imgd.control.plans import AnalyzeAnswer

        return self._post("/v1/analyze", request, AnalyzeAnswer, _LONG_TIMEOUT_S)

    def reanalyze(self, request: plans.ReanalyzeRequest) -> plans.ReanalysisAnswer:
        """Plan what is analyzed again, or put it into the queue."""
        from imgd.control.plans import ReanalysisAnswer

        return self._post("/v1/reanalyze", request, ReanalysisAnswer, _LONG_TIMEOUT_S)

    def confirm(self, root: str) -> int:
        return self._post("/v1/confirm", protocol.ConfirmRequest(root), protocol.CountAnswer).count

    def rescan(self, root: str | None) -> int:
        return self._post("/v1/rescan", protocol.RescanRequest(root), protocol.CountAnswer).count

    def wait(self, timeout_s: float) -> protocol.WaitAnswer:
        """Blocks until the daemon has nothing to do, at most `timeout_s`."""
        request = protocol.WaitRequest(timeout_s)
        return self._post("/v1/wait", request, protocol.WaitAnswer, timeout_s + _ANSWER_TIMEOUT_S)

    def pause(self) -> str:
        return self._post("/v1/pause", None, protocol.StateAnswer).state

    def resume(self) -> str:
        return self._post("/v1/resume", None, protocol.StateAnswer).state

    def refresh_models(self) -> int:
        """How many analyzers became ready because their models are there now."""
        return self._post("/v1/models/refresh", None, protocol.CountAnswer).count

    def events(self) -> Iterator[protocol.Progress]:
        """Progress whenever it changes, until the daemon stops. On a connection of its own."""
        connection = UnixConnection(self._path)
        with closing(connection), _as_unreachable(connection):
            connection.request("GET", "/v1/events")
            with connection.getresponse() as response:
                for line in response:
                    if line.startswith(b"data: "):
                        yield msgspec.json.decode(line[6:], type=protocol.Progress)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _get(self, url: str, kind: type[T]) -> T:
        return self._decode(*self._exchange("GET", url, b"", self._timeout_s), kind)

    def _post(self, url: str, request: object, kind: type[T], timeout_s: float | None = None) -> T:
        body = msgspec.json.encode(request) if request is not None else b"{}"
        return self._decode(*self._exchange("POST", url, body, timeout_s or self._timeout_s), kind)

    def _exchange(self, method: str, url: str, body: bytes, timeout_s: float) -> tuple[int, bytes]:
        """The status and body of the answer."""
        with _as_unreachable(self._connection):
            if self._connection.sock is None:
                self._connection.connect()
            self._connection.sock.settimeout(timeout_s)
            self._connection.request(
                method, url, body or None, {"content-type": "application/json"} if body else {}
            )
            response = self._connection.getresponse()
            return response.status, response.read()

    def _decode(self, status: int, data: bytes, kind: type[T]) -> T:
        """Raises the daemon's error where it refused."""
        try:
            if status < 400:
                return msgspec.json.decode(data, type=kind)
            problem = msgspec.json.decode(data, type=protocol.Problem)
        except msgspec.MsgspecError as error:
            raise DaemonUnreachableError(
                f"what answers on {self._path} is no imgd of this version",
                hint="Restart imgd after an update; does `--socket` name the right one?",
            ) from error
        raise _as_error(problem)


class UnixConnection(http.client.HTTPConnection):
    """http.client over a Unix socket. `timeout_s`: how long it may take to connect, and to answer where the socket
    is given no other bound."""

    def __init__(self, path: Path, timeout_s: float = _CONNECT_TIMEOUT_S) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(os.fspath(self.path))
        except OSError:
            self.close()
            raise


@contextmanager
def _as_unreachable(connection: UnixConnection) -> Iterator[None]:
    """Whatever the connection raises, as DaemonUnreachableError; the connection is then closed."""
    path = connection.path
    try:
        yield
    except TimeoutError as error:
        connection.close()
        raise DaemonUnreachableError(
            f"the daemon on {path} does not answer in time", hint="It may be very busy: try again."
        ) from error
    except PermissionError as error:
        connection.close()
        raise DaemonUnreachableError(
            f"{path} may not be opened by this user", hint="Run imgctl as the user who runs imgd."
        ) from error
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        reason = getattr(error, "strerror", None) or str(error) or "the connection was closed"
        raise DaemonUnreachableError(f"{path}: {reason[0].lower()}{reason[1:]}") from error


def _query(query: str, **more: object) -> str:
    """The parameters of a search. What a shell passes need not be Unicode; what is sent is."""
    return urlencode({"q": query.encode("utf-8", "replace").decode("utf-8"), **more})


def _as_error(problem: protocol.Problem) -> ImgdError:
    """The daemon's error as it was there, where this side knows its class."""
    kind = getattr(errors, problem.error, None)
    if kind in (
        errors.QueryError,
        errors.CursorError,
        errors.AnalyzerUnknownError,
        errors.PhotoUnknownError,
        errors.PreviewMissingError,
        errors.StoreError,
        errors.IndexBuildingError,
        errors.IndexDamagedError,
        errors.DiskFullError,
        errors.ModelError,
    ):
        error: ImgdError = kind(problem.detail, hint=problem.hint)
        return error
    detail = f"{problem.message}: {problem.detail}" if problem.detail else problem.message
    same = problem.message == RequestError().message
    return RequestError(problem.detail if same else detail, hint=problem.hint)
