"""The OpenAPI description of the control socket, made from the table of endpoints and the types."""

from __future__ import annotations

from typing import Any

import msgspec

from imgd.control.protocol import Problem, Progress
from imgd.control.routes import ENDPOINTS, JPEG, Endpoint

_KINDS = {float: "number", str: "string", int: "integer"}


def describe(version: str) -> dict[str, Any]:
    """An OpenAPI 3.1 document of everything under `/v1`."""
    types = (
        {endpoint.answer for endpoint in ENDPOINTS if endpoint.answer is not bytes}
        | {e.request for e in ENDPOINTS if e.request}
        | {Problem, Progress}
    )
    ordered = sorted(types, key=lambda kind: kind.__name__)
    references, components = msgspec.json.schema_components(ordered, ref_template="#/components/schemas/{name}")
    schemas = dict(zip(ordered, references, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    paths["/v1/events"] = {
        "get": {
            "summary": "Progress as server-sent events, whenever it changes",
            "operationId": "events",
            "responses": {
                "200": {"description": "OK", "content": {"text/event-stream": {"schema": schemas[Progress]}}}
            },
        }
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "imgd", "version": version, "description": "The control socket of imgd."},
        "paths": paths,
        "components": {"schemas": components},
    }


def _operation(endpoint: Endpoint, schemas: dict[type, Any]) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {
            "name": parameter.name,
            "in": "query",
            "required": parameter.required,
            "description": parameter.meaning,
            "schema": {"type": _KINDS[parameter.kind]},
        }
        for parameter in endpoint.parameters
    ]
    if "{photo_id" in endpoint.path:
        parameters.append({"name": "photo_id", "in": "path", "required": True, "schema": {"type": "integer"}})
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": endpoint.handler.__name__.strip("_"),
        "parameters": parameters,
        "responses": {
            "200": {
                "description": "OK",
                "content": _jpeg() if endpoint.answer is bytes else _json(schemas[endpoint.answer]),
            },
            "default": {"description": "What went wrong", "content": _json(schemas[Problem])},
        },
    }
    if endpoint.request is not None:
        operation["requestBody"] = {"content": _json(schemas[endpoint.request])}
    return operation


def _jpeg() -> dict[str, Any]:
    return {JPEG: {"schema": {"type": "string", "format": "binary"}}}


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
