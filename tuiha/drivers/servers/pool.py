"""A pool server, asked through its control interface."""

from __future__ import annotations

import asyncio
import json
import ssl as tls
import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from tuiha.config import tls as certificates
from tuiha.config.errors import ConfigError
from tuiha.drivers.http import Asker
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.reach import short
from tuiha.model.problems.causes import Cause
from tuiha.model.problems.mail_trouble import MOST_EXAMPLES, MOST_REASONS, ClusterReport, MailSight, TroubleReport
from tuiha.model.reports import SERVER_FIGURES, PastFigures, ServerReport, ServerState, ServerTarget

if TYPE_CHECKING:
    from tuiha.config.parts import Server
    from tuiha.drivers.site import Site

_SIZE_LIMIT = 256 * 1024  # bytes; a status is about 600
MOST_ROWS = 1000  # mail clusters, or mail servers, of one status
MOST_VALUES = 1000  # of one figure
_RENEW = 10.0  # seconds between two looks at a token that is refused

_REFUSALS = {
    401: "the server does not accept the token",
    403: "the server does not accept the token",
    404: "no pool server answers at this address (404)",
}


class PoolServerDriver:
    """Polls one pool server; keeps its connection open.

    `pool` is the name of our pool: a server of another one is refused. None accepts any. `renew` reads the token again
    (it may block): when the server refuses the one it has, somebody may have changed it.
    """

    capabilities: frozenset[str] = frozenset({"poll"})

    def __init__(
        self, name: str, address: str, token: str, ssl: tls.SSLContext | None = None, pool: str | None = None,
        renew: Callable[[], str] | None = None,
    ) -> None:
        self.name = name
        self.address = address.rstrip("/")
        self._token = token
        self._ssl = ssl
        self._pool = pool
        self._renew = renew
        self._renewed_at = float("-inf")
        self._asker = self._asking()

    async def poll(self) -> ServerReport:
        """Ask the server for its own view. Raises DriverError."""
        status, body = await self._asker.get("/control/status", _SIZE_LIMIT)
        if status in (401, 403):
            await self._renew_token()
        if status != 200:
            raise DriverError(_REFUSALS.get(status) or f"answered {status}{_detail(body)}",
                              Cause.TOKEN if status in (401, 403) else Cause.OTHER)
        report = parse_status(body)
        self._verify(report)
        return report

    async def past(self) -> PastFigures:
        """Ask what its figures were, on a connection of its own: a poll may be under way. Raises DriverError."""
        asker = self._asking()
        try:
            status, body = await asker.get("/control/past", _SIZE_LIMIT)
        finally:
            await asker.close()
        if status != 200:
            raise DriverError(f"answered {status}{_detail(body)}")
        return parse_past(self.name, body)

    async def _renew_token(self) -> None:
        """Take the token from its source again, now and then; the next poll uses it."""
        now = time.monotonic()
        if self._renew is None or now - self._renewed_at < _RENEW:
            return
        self._renewed_at = now
        try:
            token = await asyncio.to_thread(self._renew)
        except ConfigError as error:
            raise DriverError(f"the server does not accept the token, and it cannot be read again: {error}",
                              Cause.TOKEN) from None
        if token != self._token:
            self._token = token
            await self.close()  # the connection sends the one it began with
            self._asker = self._asking()

    async def close(self) -> None:
        """Drop the connection."""
        await self._asker.close()

    def _asking(self) -> Asker:
        return Asker(self.address, {"Authorization": f"Bearer {self._token}"}, self._ssl)

    def _verify(self, report: ServerReport) -> None:
        if self._pool is not None and report.pool != self._pool:
            raise DriverError(f"another pool answers at this address: {report.pool}", Cause.OTHER_NODE)
        if report.name != self.name:
            raise DriverError(f"another server answers at this address: {report.name}", Cause.OTHER_NODE)


def _detail(body: bytes) -> str:
    """The title of a problem document, if it is one."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    title = (found.get("detail") or found.get("title")) if isinstance(found, dict) else None
    return f": {short(title)}" if isinstance(title, str) else ""


def parse_past(server: str, body: bytes) -> PastFigures:
    """What a server's figures were. Figures that we do not know are left alone; raises DriverError for a wrong one."""
    found = _document(body, "a document of past figures")
    kept = found.get("figures")
    if not isinstance(kept, dict) or found.get("server") != server:
        raise DriverError(f"these are no figures of {server}")
    step, age = _real(found, "step"), _real(found, "age")
    if not step or age is None:
        raise _wrong("age" if step else "step", found)
    figures = {name: _values(kept, name) for name in SERVER_FIGURES if name in kept}
    return PastFigures(server, step, age, figures)


def _values(found: Mapping[str, object], field: str) -> tuple[float | None, ...]:
    """The values of a figure, which are not negative where they are known."""
    values = found[field]
    if not isinstance(values, list) or len(values) > MOST_VALUES:
        raise _wrong(field, found)
    return tuple(_real({field: value}, field) for value in values)


def _document(body: bytes, kind: str) -> dict[str, object]:
    """The answer as an object, which is of that kind. Raises DriverError."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise DriverError("the answer is not JSON; is this the address of a pool server?") from None
    if not isinstance(found, dict):
        raise DriverError(f"the answer is not {kind}")
    return found


def parse_status(body: bytes) -> ServerReport:
    """A status document as a report. Unknown fields are left alone; raises DriverError naming a wrong one."""
    found = _document(body, "a status document")
    values: dict[str, Any] = {field: read(found, field) for field, read in _FIELDS.items()}
    return ServerReport(**values)


def _wrong(field: str, found: Mapping[str, object]) -> DriverError:
    return DriverError(f"field '{field}' of the status is {'wrong' if field in found else 'missing'}")


def _text(found: Mapping[str, object], field: str) -> str:
    value = found.get(field)
    if not isinstance(value, str) or not value or len(value) > 255 or not value.isprintable():
        raise _wrong(field, found)
    return value


def _maybe_text(found: Mapping[str, object], field: str) -> str | None:
    value = found.get(field)
    if value is None:
        return None
    if not isinstance(value, str):
        raise _wrong(field, found)
    return short(value) or None


def _whole(low: int) -> Callable[[Mapping[str, object], str], int | None]:
    def read(found: Mapping[str, object], field: str) -> int | None:
        value = found.get(field)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value < 2**63:
            raise _wrong(field, found)
        return value

    return read


def _real(found: Mapping[str, object], field: str) -> float | None:
    value = found.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**63:
        raise _wrong(field, found)
    return float(value)


def _one_of(kind: type[StrEnum]) -> Callable[[Mapping[str, object], str], StrEnum]:
    def read(found: Mapping[str, object], field: str) -> StrEnum:
        try:
            return kind(str(found.get(field)))
        except ValueError:
            raise _wrong(field, found) from None

    return read


Row = TypeVar("Row")


def _rows(one: Callable[[Mapping[str, object]], Row], most: int) -> Callable[[Mapping[str, object], str],
                                                                            tuple[Row, ...] | None]:
    """A list of objects; None when the server, of an earlier version, does not send it."""
    def read(found: Mapping[str, object], field: str) -> tuple[Row, ...] | None:
        value = found.get(field)
        if value is None:
            return None
        if not isinstance(value, list) or len(value) > most or not all(isinstance(item, dict) for item in value):
            raise _wrong(field, found)
        return tuple(one(item) for item in value)

    return read


def _count(found: Mapping[str, object], field: str) -> int:
    return _whole(0)(found, field) or 0


def _cluster(found: Mapping[str, object]) -> ClusterReport:
    return ClusterReport(
        _text(found, "cluster"), _count(found, "users"), _count(found, "connected"), _count(found, "waiting"),
        _count(found, "failing"), _rows(_trouble, MOST_REASONS)(found, "troubles") or (), _count(found, "ahead"))


def _trouble(found: Mapping[str, object]) -> TroubleReport:
    examples = found.get("examples")
    names = [short(name, 64) for name in examples if isinstance(name, str)] if isinstance(examples, list) else []
    return TroubleReport(_text(found, "reason"), _count(found, "users"), _real(found, "since"),
                         tuple(names[:MOST_EXAMPLES]), _maybe_text(found, "text") or "")


def _sight(found: Mapping[str, object]) -> MailSight:
    return MailSight(_text(found, "name"), _real(found, "seconds"), _real(found, "latency_ms"),
                     _maybe_text(found, "greeting") or "", _maybe_text(found, "gone"), _maybe_text(found, "closed"))


_FIELDS: Mapping[str, Callable[[Mapping[str, object], str], object]] = {
    "name": _text,
    "pool": _text,
    "version": _text,
    "state": _one_of(ServerState),
    "target": _one_of(ServerTarget),
    "users": _whole(0),
    "devices": _whole(0),
    "availability_index": _whole(-200),
    "database": _maybe_text,
    "epoch": _whole(0),
    "system_identifier": _maybe_text,
    "lease_seconds": _real,
    "requests_per_second": _real,
    "latency_ms": _real,
    "cpu_percent": _real,
    "memory_bytes": _whole(0),
    "queue": _whole(0),
    "started_at": _real,
    "reason": _maybe_text,
    "unleased_seconds": _real,
    "full": _real,
    "limited_by": _maybe_text,
    "host_cpu_percent": _real,
    "host_memory_percent": _real,
    "host_disk_percent": _real,
    "host_load": _real,
    "host_processors": _whole(1),
    "clock": _real,
    "mail": _rows(_cluster, MOST_ROWS),
    "mail_servers": _rows(_sight, MOST_ROWS),
    "spelling": _maybe_text,
    "copy": _maybe_text,
}


def open_pool_server(server: Server, site: Site) -> PoolServerDriver:
    """The driver of one of tuiha's own servers, which is shown the token of the control interface."""
    return PoolServerDriver(server.name, server.address, site.token, certificates.for_server(server, site.base),
                            site.pool.pool, site.renew)
