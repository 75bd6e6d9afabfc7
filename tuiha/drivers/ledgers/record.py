"""A ledger's record as JSON: what files and etcd hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict

from tuiha.drivers.protocols import DriverError
from tuiha.model.reports import LedgerRecord, Standby

SCHEMA = 1
SIZE_LIMIT = 256 * 1024  # bytes; a record is about 300
_TEXTS = ("pool", "active", "standby", "system_identifier", "phase")
_NUMBERS = ("epoch", "timeline", "revision")
_OTHERS = ("intent", "schema")


def written(record: LedgerRecord) -> bytes:
    """A record as it is stored. Raises DriverError for one that could not be read again."""
    raw = (json.dumps({"schema": SCHEMA, **asdict(record)}, indent=2, ensure_ascii=False) + "\n").encode("utf-8")
    if parse(raw) != record:
        raise DriverError("the record does not survive being written; nothing was changed")
    return raw


def parse(raw: bytes) -> LedgerRecord:
    """A record from what is stored. Raises ValueError, with what is wrong, for anything else."""
    try:
        found = json.loads(raw.decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError:
        raise ValueError("it is not JSON") from None
    if not isinstance(found, dict):
        raise ValueError("it is not a JSON object")
    if found.get("schema") != SCHEMA or isinstance(found["schema"], bool):
        raise ValueError(f"its schema is not {SCHEMA}")
    for known, fits in ((_TEXTS, _is_text), (_NUMBERS, _is_number)):
        for field in known:
            if not fits(found.get(field)):
                raise ValueError(f"field '{field}' is missing or wrong")
    intent = found.get("intent")
    if intent is not None and not isinstance(intent, str):
        raise ValueError("field 'intent' is wrong")
    for field in found.keys() - {*_TEXTS, *_NUMBERS, *_OTHERS}:
        raise ValueError(f"field '{field[:40]}' is unknown")
    if found["standby"] not in Standby.__members__:
        raise ValueError("field 'standby' is neither SYNC nor STALE")
    texts: Callable[[str], str] = found.__getitem__
    numbers: Callable[[str], int] = found.__getitem__
    return LedgerRecord(
        pool=texts("pool"),
        epoch=numbers("epoch"),
        active=texts("active"),
        standby=Standby(texts("standby")),
        system_identifier=texts("system_identifier"),
        timeline=numbers("timeline"),
        phase=texts("phase"),
        intent=intent,
        revision=numbers("revision"),
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63
