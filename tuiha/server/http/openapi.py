"""The OpenAPI document of a pool server, at /openapi.json."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tuiha import __version__
from tuiha.model.schema import Definitions
from tuiha.server.http.bodies import Body, Registration, schemas
from tuiha.server.http.endpoints import Endpoint

_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_RETRY_AFTER = {"Retry-After": {"schema": {"type": "integer"}, "description": "seconds"}}
_ERRORS: dict[str, dict[str, Any]] = {
    "400": {"description": "The request is malformed; the detail says what to send", "content": _PROBLEM},
    "401": {"description": "No valid credentials", "content": _PROBLEM},
    "403": {"description": "A viewer may not do this; or the user is disabled, or the device revoked: do not ask again",
            "content": _PROBLEM},
    "404": {"description": "There is no such thing", "content": _PROBLEM},
    "409": {"description": "Refused in the pool's present state", "content": _PROBLEM},
    "410": {"description": "The key is unknown; go on from the key in this answer", "content": _PROBLEM},
    "413": {"description": "The body is too large", "content": _PROBLEM},
    "429": {"description": "Too many wrong passwords, or requests of this device: ask again after Retry-After seconds",
            "content": _PROBLEM, "headers": _RETRY_AFTER},
    "503": {
        "description": "Not now, or outcome unknown: repeat the same request after Retry-After seconds",
        "content": _PROBLEM,
        "headers": _RETRY_AFTER,
    },
}
_DEVICE = {
    "name": "device",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"},
}
_SINCE = {"name": "since", "in": "query", "required": True, "schema": {"type": "string"}}
_WAIT = {
    "name": "wait",
    "in": "query",
    "description": "seconds to wait for a change",
    "schema": {"type": "number", "minimum": 0, "maximum": 55, "default": 0},
}
_SERVER = {"name": "server", "in": "path", "required": True, "schema": {"type": "string"}}


def document(control: Sequence[Endpoint[Any]]) -> dict[str, Any]:
    """The document, OpenAPI 3.1; `control`: what operators and watchers are offered."""
    answers = Definitions("#/components/schemas/", closed=False, wire=True)
    paths = {endpoint.path: _control_path(endpoint, answers) for endpoint in control}
    return {
        "openapi": "3.1.0",
        "info": {"title": "tuiha pool server", "version": __version__},
        "paths": {**_device_paths(), **paths, **_paths_between_servers(), **_open_paths()},
        "components": {
            "securitySchemes": {
                "user": {"type": "http", "scheme": "basic"},
                "token": {"type": "http", "scheme": "bearer"},
            },
            "schemas": {"Problem": _problem(), "Changes": _changes(), "Key": _key(), **answers.found, **schemas()},
        },
    }


def _device_paths() -> dict[str, Any]:
    by_user: list[dict[str, list[str]]] = [{"user": []}]
    return {
        "/v1/devices/{device}": {
            "parameters": [_DEVICE],
            "put": {
                "summary": "Register a device for the user",
                "security": by_user,
                "requestBody": _body(Registration),
                "responses": {
                    "201": _answer("A new device", "Key"),
                    "200": _answer("The device was registered before", "Key"),
                    **_errors("400", "401", "403", "413", "429", "503"),
                },
            },
        },
        "/v1/devices/{device}/changes": {
            "parameters": [_DEVICE, _SINCE, _WAIT],
            "get": {
                "summary": "What changed after a key, waited for",
                "security": by_user,
                "responses": {
                    "200": _answer("Changes, and the key that follows them", "Changes"),
                    **_errors("400", "401", "403", "404", "410", "429", "503"),
                },
            },
        },
        "/v1/me": {
            "get": {
                "summary": "The user's devices, monitoring server and mail server",
                "security": by_user,
                "responses": {"200": {"description": "The user"}, **_errors("401", "403", "429", "503")},
            }
        },
    }


def _control_path(endpoint: Endpoint[Any], answers: Definitions) -> dict[str, Any]:
    found = [answers.of(kind) for kind in endpoint.answers]
    operation: dict[str, Any] = {
        "summary": f"{endpoint.summary} ({endpoint.role})",
        "security": [{"token": []}],
        "responses": {
            "200": {"description": " or ".join(_meaning(kind) for kind in endpoint.answers),
                    "content": {"application/json": {"schema": found[0] if len(found) == 1 else {"anyOf": found}}}},
            **_errors(*_refusals(endpoint)),
        },
    }
    if endpoint.body is not None:
        operation["requestBody"] = _body(endpoint.body)
    parameters = [_SERVER] if "{server}" in endpoint.path else []
    parameters += [{"name": one.name, "in": "query", "schema": {"type": one.kind},
                    **({"required": True} if one.required else {})} for one in endpoint.query]
    return {endpoint.method.lower(): operation} | ({"parameters": parameters} if parameters else {})


def _refusals(endpoint: Endpoint[Any]) -> tuple[str, ...]:
    if endpoint.role == "operator":
        return "400", "401", "403", "404", "409", "413", "503"
    return ("400", "401") if endpoint.query else ("401",)


def _meaning(kind: type) -> str:
    """The first sentence of a class's docstring."""
    return (kind.__doc__ or "").split(".")[0].split(" (")[0]


def _paths_between_servers() -> dict[str, Any]:
    return {
        "/control/renewals/{server}": {
            "parameters": [_SERVER, {"name": "at", "in": "query", "required": True, "schema": {"type": "string"}}],
            "get": {
                "summary": "Whether the database of this server's lease shows another server's renewal. For the pool's "
                           "own servers, which sign the question",
                "responses": {"200": {"description": "leased and has"}, **_errors("403", "503")},
            },
        },
    }


def _open_paths() -> dict[str, Any]:
    text = {"description": "Prometheus' text format", "content": {"text/plain": {}}}
    return {
        "/health": {
            "get": {
                "summary": "May a sprayer send devices here?",
                "responses": {"200": {"description": "Yes"}, **_errors("503")},
            }
        },
        "/metrics": {"get": {"summary": "Figures", "responses": {"200": text}}},
        "/openapi.json": {"get": {"summary": "This document", "responses": {"200": {"description": "It"}}}},
    }


def _body(body: type[Body]) -> dict[str, Any]:
    return {"required": True, "content": _json(body.__name__)}


def _answer(description: str, schema: str) -> dict[str, Any]:
    return {"description": description, "content": _json(schema)}


def _json(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _errors(*statuses: str) -> dict[str, Any]:
    return {status: _ERRORS[status] for status in statuses}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _problem() -> dict[str, Any]:
    text = {"type": "string"}
    return _object(type=text, status={"type": "integer"}, title=text, detail=text)


def _key() -> dict[str, Any]:
    return _object(device={"type": "string"}, key={"type": "string"})


def _changes() -> dict[str, Any]:
    text = {"type": "string"}
    change = _object(
        seq={"type": "integer"}, kind=text, mailbox=text, uid={"type": "integer"}, message_id=text, subject=text,
        at={"type": "string", "format": "date-time"},
    )
    change["properties"] |= {  # left out where they are not known, and of a message that was read
        "size": {"type": "integer", "minimum": 1}, "unreadable": text,
    }
    return _object(key=text, changes={"type": "array", "items": change}, more={"type": "boolean"})
