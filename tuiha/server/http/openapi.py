"""The OpenAPI document of a pool server, at /openapi.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from tuiha import __version__
from tuiha.model.reports import ServerReport
from tuiha.server.http.bodies import (
    AttachOrder,
    BindOrder,
    Body,
    DeviceOrder,
    DisableOrder,
    HoldOrder,
    ProbeOrder,
    ReadyOrder,
    Registration,
    RevokeOrder,
    ServiceOrder,
    TakeOrder,
    UserOrder,
    schemas,
)

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


def document() -> dict[str, Any]:
    """The document, OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "tuiha pool server", "version": __version__},
        "paths": {**_device_paths(), **_control_paths(), **_open_paths()},
        "components": {
            "securitySchemes": {
                "user": {"type": "http", "scheme": "basic"},
                "token": {"type": "http", "scheme": "bearer"},
            },
            "schemas": {"Problem": _problem(), "Changes": _changes(), "Key": _key(), "ServerReport": _report(),
                        **schemas()},
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


def _look(summary: str, answer: Mapping[str, Any], errors: Sequence[str] = ("401",), **more: Any) -> dict[str, Any]:
    """A path that a viewer may ask."""
    return {"get": {"summary": f"{summary} (viewer)", "security": [{"token": []}], **more,
                    "responses": {"200": answer, **_errors(*errors)}}}


def _in_query(name: str, schema: str, required: bool = False) -> list[dict[str, Any]]:
    return [{"name": name, "in": "query", **({"required": True} if required else {}), "schema": {"type": schema}}]


def _control_paths() -> dict[str, Any]:
    return {**_looks(), **_orders(), **_access()}


def _looks() -> dict[str, Any]:
    """What the control interface tells."""
    return {
        "/control/status": _look("This server's own view", _answer("The report", "ServerReport")),
        "/control/counts": _look("Device requests since its start: answered, failed, delayed",
                                 {"description": "The counts"}),
        "/control/users": _look("The users monitored here, with generations", {"description": "The users"}),
        "/control/monitored": _look("Whose monitors run here", {"description": "monitored and released"},
                                    ("400", "401"), parameters=_in_query("ids", "string", required=True)),
        "/control/access": _look("The last change of access that this server has seen, and a user's waiting polls",
                                 {"description": "number and waiting"}, ("400", "401"),
                                 parameters=_in_query("user_id", "integer")),
        "/control/renewals/{server}": {
            "parameters": [_SERVER],
            "get": {
                "summary": "Whether the database of this server's lease shows another server's renewal. For the pool's "
                           "own servers, which sign the question",
                "parameters": _in_query("at", "string", required=True),
                "responses": {"200": {"description": "leased and has"}, **_errors("403", "503")},
            },
        },
    }


def _orders() -> dict[str, Any]:
    """What operations tell a server to do."""
    return {
        "/control/hold": _act("Let requests wait; answers when nothing is in flight", HoldOrder),
        "/control/release": _act("End a hold"),
        "/control/attach": _act(
            "The pool is on this database in this epoch; refused unless the ledger or that database says so",
            AttachOrder),
        "/control/withdraw": _act("Take no users any more"),
        "/control/accept": _act("Take users again"),
        "/control/servers/{server}/withdraw": _to_another("Have another server take no users, when it cannot be told "
                                                          "itself"),
        "/control/servers/{server}/accept": _to_another("Have another server take users again, when it cannot be told "
                                                        "itself"),
        "/control/servers/{server}/forget": _to_another("Remove a server that is gone for good from the pool"),
        "/control/bind": _act("Bind a user to a server", BindOrder),
        "/control/take": _act("Bind users, seen under these generations, to this server", TakeOrder),
        "/control/probe": _act("Reach a database of the pair and say who it is", ProbeOrder),
        "/control/ready": _act("Log in to a database that the pool is about to change to", ReadyOrder),
        "/control/mail/{server}/out": _to_another("Take a mail server out of service", ServiceOrder),
        "/control/mail/{server}/in": _to_another("Put a mail server back in service"),
    }


def _to_another(summary: str, body: type[Body] | None = None) -> dict[str, Any]:
    """An order about the server that the path names."""
    return {**_act(summary, body), "parameters": [_SERVER]}


def _access() -> dict[str, Any]:
    """Orders about users and devices."""
    return {
        "/control/users/disable": _act("Serve and monitor a user no more", DisableOrder),
        "/control/users/enable": _act("Let a disabled user come in again", UserOrder),
        "/control/users/forget": _act("Delete a part of a disabled user's history, the user with the last", UserOrder),
        "/control/devices/revoke": _act("Refuse a device and its keys", RevokeOrder),
        "/control/devices/allow": _act("Let a revoked device come in again, without its old keys", DeviceOrder),
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


def _act(summary: str, body: type[Body] | None = None) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": f"{summary} (operator)",
        "security": [{"token": []}],
        "responses": {"200": {"description": "Done"}, **_errors("400", "401", "403", "404", "409", "413", "503")},
    }
    if body is not None:
        operation["requestBody"] = _body(body)
    return {"post": operation}


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


def _report() -> dict[str, Any]:
    return {"type": "object", "required": [field.name for field in fields(ServerReport)]}
