"""What is asked of etcd, and what it answers, as its JSON gateway has them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuiha.drivers.protocols import DriverError


@dataclass(frozen=True, slots=True)
class Value:
    """One key's value."""

    raw: bytes
    revision: int


@dataclass(frozen=True, slots=True)
class Stored:
    """The three keys at one revision."""

    record: Value | None
    write: Value | None
    holder: Value | None


def in_base64(value: str | bytes) -> str:
    """Bytes, or a text, as JSON carries them."""
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()


def unchanged(key: str, revision: int) -> dict[str, str]:
    """The key was changed last at this revision; 0: it does not exist."""
    return {"key": key, "target": "MOD", "result": "EQUAL", "mod_revision": str(revision)}


def put(key: str, raw: bytes, lease: str | None = None) -> dict[str, Any]:
    """Set a key, on a lease or for good."""
    request = {"key": key, "value": in_base64(raw)}
    return {"request_put": request if lease is None else {**request, "lease": lease}}


def revision_of(body: Mapping[str, Any]) -> int:
    """The revision that an answer is from. Raises DriverError."""
    try:
        return int(body["header"]["revision"])
    except (KeyError, TypeError, ValueError):
        raise DriverError("etcd's answer has no revision") from None


def ranged(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The range that a failed transaction answers with. Raises DriverError when it has none."""
    try:
        found = body["responses"][0]["response_range"]
    except (KeyError, IndexError, TypeError):
        found = None
    if not isinstance(found, dict):
        raise DriverError("etcd's answer to a transaction is not understood")
    return found


def stored_in(folder: str, body: Mapping[str, Any]) -> Stored:
    """The keys of a range. Raises DriverError for an answer that is none of etcd's."""
    found: dict[str, Value] = {}
    try:
        for pair in body.get("kvs", ()):
            name = base64.b64decode(pair["key"], validate=True).decode().removeprefix(folder)
            found[name] = Value(base64.b64decode(pair.get("value", ""), validate=True), int(pair["mod_revision"]))
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error):
        raise DriverError("etcd's answer is not understood") from None
    return Stored(found.get("record"), found.get("write"), found.get("holder"))
