"""The web application behind the control socket: the endpoints, and every error as a problem in plain words."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from imgd.control.events import stream_progress
from imgd.control.metrics import render_metrics
from imgd.control.openapi import describe
from imgd.control.protocol import Problem
from imgd.control.routes import ENDPOINTS, JPEG, Endpoint
from imgd.control.services import Services
from imgd.errors import (
    DiskFullError,
    ImgdError,
    IndexBuildingError,
    IndexDamagedError,
    ModelError,
    PhotoUnknownError,
    PreviewMissingError,
    QueryError,
    RequestError,
)

_log = logging.getLogger(__name__)

_STATUS_CODES: tuple[tuple[type[ImgdError], int], ...] = (
    (PhotoUnknownError, 404),
    (PreviewMissingError, 404),
    (QueryError, 400),
    (RequestError, 400),
    (ModelError, 503),
    (IndexBuildingError, 503),
    (IndexDamagedError, 503),
    (DiskFullError, 507),
)


class StoppingError(ImgdError):
    """imgd is stopping."""

    hint = "Ask again when it has started."


def build_app(services: Services, version: str, closing: asyncio.Event) -> Starlette:
    """The application. Once `closing` is set, requests that still wait are answered and event streams end."""
    routes = [Route(each.path, _answering(each, services, closing), methods=[each.method]) for each in ENDPOINTS]

    async def openapi(_request: Request) -> Response:
        return _json(describe(version))

    async def events(_request: Request) -> Response:
        return StreamingResponse(stream_progress(services, closing), media_type="text/event-stream")

    async def metrics(_request: Request) -> Response:
        text = render_metrics(await services.status())
        return Response(text, media_type="text/plain; version=0.0.4")

    routes += [Route("/v1/openapi.json", openapi), Route("/v1/events", events), Route("/metrics", metrics)]
    return Starlette(routes=routes, exception_handlers={HTTPException: _refuse})


def _answering(
    endpoint: Endpoint, services: Services, closing: asyncio.Event
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            answered = await _unless_closing(endpoint.handler(services, request), closing)
            return Response(answered, media_type=JPEG) if isinstance(answered, bytes) else _json(answered)
        except ImgdError as error:
            return _problem(error)
        except Exception:  # noqa: BLE001 - a request must not take the daemon down; the log has it all
            _log.exception("%s %s failed", request.method, request.url.path)
            problem = Problem(
                "ImgdError",
                "imgd failed to answer",
                "an error of its own",
                "Its log says more: journalctl --user -u imgd",
            )
            return _json(problem, 500)

    return answer


async def _unless_closing(answer: Awaitable[object], closing: asyncio.Event) -> object:
    """`answer`, or StoppingError as soon as `closing` is set: a stop never waits for a waiting client."""
    answering = asyncio.ensure_future(answer)
    stopping = asyncio.ensure_future(closing.wait())
    try:
        await asyncio.wait({answering, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            raise StoppingError
        return answering.result()
    finally:
        stopping.cancel()
        answering.cancel()


def _problem(error: ImgdError) -> Response:
    code = next((code for kind, code in _STATUS_CODES if isinstance(error, kind)), 500)
    if isinstance(error, StoppingError):
        code = 503
    return _json(Problem(type(error).__name__, error.message, error.detail, error.advice), code)


async def _refuse(request: Request, error: Exception) -> Response:
    code = error.status_code if isinstance(error, HTTPException) else 500
    detail = f"{request.method} {request.url.path}"
    message = "this is not asked that way" if code == 405 else "there is nothing at this address"
    return _json(Problem("RequestError", message, detail, "/v1/openapi.json lists what there is."), code)


def _json(value: object, code: int = 200) -> Response:
    return Response(msgspec.json.encode(value), code, media_type="application/json")
