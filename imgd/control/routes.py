"""Everything under `/v1`, as one table: what is asked, who answers, of which types. OpenAPI comes from it too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec
from starlette.requests import Request

from imgd.control import plans, protocol
from imgd.control.services import PhotoName, Services
from imgd.errors import PhotoUnknownError, RequestError
from imgd.search.options import SORTS, SearchOptions

Handler = Callable[[Services, Request], Awaitable[object]]

JPEG = "image/jpeg"
"""What an answer of bytes is."""

_BODY_LIMIT_BYTES = 1 << 20
_LIMIT_MAX = 10_000
_FAILED_PAGE = 500
_DUPLICATES_PAGE = 200
_COMPLETIONS = 50
_LONGEST_ID = 19  # digits of the largest integer of SQLite


@dataclass(frozen=True, slots=True)
class Parameter:
    """One query parameter."""

    name: str
    meaning: str
    kind: type = str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One thing that can be asked. `request` is the type of the body, None where there is none. An `answer` of
    bytes is sent as it is, as a JPEG; every other one as JSON."""

    method: str
    path: str
    handler: Handler
    answer: type
    summary: str
    parameters: tuple[Parameter, ...] = ()
    request: type | None = None


async def _status(services: Services, _request: Request) -> object:
    return await services.status()


async def _search(services: Services, request: Request) -> object:
    query = request.query_params.get("q")
    if query is None:
        raise RequestError("`q` is missing", hint="Ask for /v1/search?q=WORDS.")
    return await services.search(query, _search_options(request))


async def _warm_search(services: Services, _request: Request) -> object:
    return await services.warm_search()


async def _complete(services: Services, request: Request) -> object:
    return await services.complete(request.query_params.get("q", ""), _limit(request) or _COMPLETIONS)


async def _photo_by_id(services: Services, request: Request) -> object:
    return await services.show(PhotoName(photo_id=_photo_id(request)))


async def _preview(services: Services, request: Request) -> object:
    return await services.preview(_photo_id(request))


async def _photo_by_path(services: Services, request: Request) -> object:
    path = _raw_parameter(request, b"path")
    if not path.startswith(b"/"):
        raise RequestError("`path` is not an absolute path", hint="Ask for /v1/photos?path=/percent/encoded.jpg.")
    return await services.show(PhotoName(path=path))


async def _failed(services: Services, request: Request) -> object:
    return await services.failed(request.query_params.get("after", ""), _limit(request) or _FAILED_PAGE)


async def _duplicates(services: Services, request: Request) -> object:
    asked = request.query_params
    kind, after = asked.get("kind", "identical"), asked.get("after", "")
    return await services.duplicates(kind, after, _limit(request) or _DUPLICATES_PAGE)


async def _retry(services: Services, request: Request) -> object:
    return await services.retry(await _body(request, protocol.RetryRequest))


async def _analyze(services: Services, request: Request) -> object:
    return await services.analyze(await _body(request, plans.AnalyzeRequest))


async def _reanalyze(services: Services, request: Request) -> object:
    return await services.reanalyze(await _body(request, plans.ReanalyzeRequest))


async def _confirm(services: Services, request: Request) -> object:
    return await services.confirm(await _body(request, protocol.ConfirmRequest))


async def _rescan(services: Services, request: Request) -> object:
    return await services.rescan(await _body(request, protocol.RescanRequest))


async def _analyzers(services: Services, _request: Request) -> object:
    return await services.analyzers()


async def _wait(services: Services, request: Request) -> object:
    wanted = await _body(request, protocol.WaitRequest)
    return await services.wait(max(0.0, wanted.timeout_s))


async def _pause(services: Services, _request: Request) -> object:
    return await services.pause()


async def _resume(services: Services, _request: Request) -> object:
    return await services.resume()


async def _refresh_models(services: Services, _request: Request) -> object:
    return await services.refresh_models()


_LIMIT = Parameter("limit", f"the most entries wanted, 1 to {_LIMIT_MAX}", int)

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("GET", "/v1/status", _status, protocol.StatusAnswer, "Roots, queue, indexes and faults"),
    Endpoint(
        "GET",
        "/v1/search",
        _search,
        protocol.SearchAnswer,
        "Photos that match a query, best first",
        (
            Parameter("q", "the query", required=True),
            _LIMIT,
            Parameter("sort", f"the order of the hits: {', '.join(SORTS)}"),
            Parameter("min_score", "leave out hits that score less, 0 to 1", float),
            Parameter("after", "`after` of the page before"),
            Parameter("explain", "`1`: give every hit's reasons one by one"),
            Parameter("cwd", "the folder that a relative path after `like:` starts from, percent-encoded"),
        ),
    ),
    Endpoint(
        "POST",
        "/v1/search/warm",
        _warm_search,
        protocol.CountAnswer,
        "Begin to load what the first search needs",
    ),
    Endpoint(
        "GET",
        "/v1/complete",
        _complete,
        protocol.CompleteAnswer,
        "Ways to go on with a half-typed query",
        (Parameter("q", "the query so far"), _LIMIT),
    ),
    Endpoint(
        "GET",
        "/v1/photos/{photo_id}",
        _photo_by_id,
        protocol.PhotoAnswer,
        "Everything known of a photo, by id",
    ),
    Endpoint(
        "GET",
        "/v1/photos/{photo_id}/preview",
        _preview,
        bytes,
        "The cached preview of a photo: a JPEG of 512 px at most",
    ),
    Endpoint(
        "GET",
        "/v1/photos",
        _photo_by_path,
        protocol.PhotoAnswer,
        "Everything known of a photo, by path",
        (Parameter("path", "absolute, percent-encoded", required=True),),
    ),
    Endpoint(
        "GET",
        "/v1/duplicates",
        _duplicates,
        protocol.DuplicatesAnswer,
        "Groups of files that are identical or look the same, bursts, or RAW+JPEG pairs",
        (
            Parameter("kind", "`identical` (also where it is left out), `near`, `bursts` or `pairs`"),
            Parameter("after", "`after` of the page before"),
            _LIMIT,
        ),
    ),
    Endpoint(
        "GET",
        "/v1/failed",
        _failed,
        protocol.FailedAnswer,
        "Jobs that failed, with their reasons",
        (Parameter("after", "`after` of the page before"), _LIMIT),
    ),
    Endpoint(
        "GET", "/v1/analyzers", _analyzers, protocol.AnalyzersAnswer, "Analyzers and plugins, with their state"
    ),
    Endpoint(
        "POST",
        "/v1/retry",
        _retry,
        protocol.CountAnswer,
        "Owe failed jobs again",
        request=protocol.RetryRequest,
    ),
    Endpoint(
        "POST",
        "/v1/analyze",
        _analyze,
        plans.AnalyzeAnswer,
        "Have photos analyzed that an analyzer has no finding of",
        request=plans.AnalyzeRequest,
    ),
    Endpoint(
        "POST",
        "/v1/reanalyze",
        _reanalyze,
        plans.ReanalysisAnswer,
        "Plan what is analyzed again, or put it into the queue",
        request=plans.ReanalyzeRequest,
    ),
    Endpoint(
        "POST",
        "/v1/rescan",
        _rescan,
        protocol.CountAnswer,
        "Walk roots again",
        request=protocol.RescanRequest,
    ),
    Endpoint(
        "POST",
        "/v1/confirm",
        _confirm,
        protocol.CountAnswer,
        "Let what is missing from a root be forgotten",
        request=protocol.ConfirmRequest,
    ),
    Endpoint(
        "POST",
        "/v1/wait",
        _wait,
        protocol.WaitAnswer,
        "Answer when all work is done, or the time is up",
        request=protocol.WaitRequest,
    ),
    Endpoint("POST", "/v1/pause", _pause, protocol.StateAnswer, "Start no further analysis"),
    Endpoint("POST", "/v1/resume", _resume, protocol.StateAnswer, "Go on after a pause"),
    Endpoint("POST", "/v1/models/refresh", _refresh_models, protocol.CountAnswer, "Look at the model store again"),
)


def _photo_id(request: Request) -> int:
    text: str = request.path_params["photo_id"]
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_ID):
        raise PhotoUnknownError(f"no photo has the id {text[:40]}")
    return int(text)


def _search_options(request: Request) -> SearchOptions:
    given = request.query_params
    sort = given.get("sort") or SORTS[0]
    if sort not in SORTS:
        raise RequestError(f"`sort={sort}` is no order", hint=f"There are {', '.join(SORTS)}.")
    cwd = _raw_parameter(request, b"cwd")
    if cwd and not cwd.startswith(b"/"):
        raise RequestError("`cwd` is not an absolute path")
    return SearchOptions(
        limit=_limit(request),
        sort=sort,
        min_score=_score(given.get("min_score")),
        after=given.get("after", ""),
        cwd=cwd or None,
        explain=given.get("explain", "") not in ("", "0", "false"),
    )


def _score(text: str | None) -> float:
    try:
        score = float(text or 0)
    except ValueError:
        score = -1.0
    if not 0 <= score <= 1:
        raise RequestError(f"`min_score={text}` is no number from 0 to 1")
    return score


def _limit(request: Request) -> int | None:
    text = request.query_params.get("limit")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _LIMIT_MAX):
        raise RequestError(f"`limit={text}` is no number from 1 to {_LIMIT_MAX}")
    return int(text)


def _raw_parameter(request: Request, name: bytes) -> bytes:
    """A query parameter as the bytes that were percent-encoded: a file name need not be UTF-8."""
    query: bytes = request.scope["query_string"]
    for pair in query.split(b"&"):
        key, _, value = pair.partition(b"=")
        if key == name:
            return unquote_to_bytes(value.replace(b"+", b" "))
    return b""


async def _body(request: Request, kind: type[Any]) -> Any:
    """The request's JSON as `kind`; an empty body means all defaults."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > _BODY_LIMIT_BYTES:
            raise RequestError(f"the body is longer than {_BODY_LIMIT_BYTES} bytes")
    try:
        return msgspec.json.decode(bytes(data) or b"{}", type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RequestError(f"the body is not the JSON of a {kind.__name__}: {error}") from error
