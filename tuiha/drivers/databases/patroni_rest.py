"""Patroni's REST interface of one node: asked without a log-in, told what to do with one.

What it answers is read with suspicion: a field that is missing or of another type is unknown, and a text is short and
printable. Another cluster's or another node's Patroni behind the address is an error, not an answer.
"""

from __future__ import annotations

import asyncio
import json
import ssl as tls
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuiha.config import tls as certificates
from tuiha.drivers.http import Asker
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.reach import short
from tuiha.model.reports import PROMOTABLE

if TYPE_CHECKING:
    from tuiha.config.parts import DatabaseNode
    from tuiha.drivers.site import Site

_LIMIT = 1024 * 1024  # bytes of one answer
_NAME = 100  # characters of a name or a state
_LEADERS = frozenset({"leader", "standby_leader"})
_REFUSALS = {  # what Patroni says to who may not change anything, and what to do
    "no auth header received": "it wants a log-in: add database.patroni.user and password",
    "not authenticated": "it does not accept the log-in: correct database.patroni.user and password "
                         "(restapi.authentication in Patroni's configuration)",
    "client certificate required": "it wants a client certificate: name one at database.patroni.tls "
                                   "(restapi.verify_client in Patroni's configuration)",
}
_PRIMARIES = frozenset({"primary", "master"})  # master: before Patroni 4

Login = Callable[[], tuple[str, str] | None]  # user and password; may block


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the cluster, as Patroni's store has it."""

    name: str
    leads: bool
    role: str | None
    state: str | None
    timeline: int | None
    lag_bytes: int | None

    @property
    def in_step(self) -> bool:
        """Whether Patroni may promote it without losing an acknowledged write."""
        return self.role in PROMOTABLE


@dataclass(frozen=True, slots=True)
class PatroniCluster:
    """`GET /cluster`."""

    members: Mapping[str, Member]
    paused: bool
    scheduled: str | None  # a switchover to come, in words

    @property
    def leader(self) -> str | None:
        """Who has the leader's lock."""
        return next((member.name for member in self.members.values() if member.leads), None)


@dataclass(frozen=True, slots=True)
class PatroniMember:
    """`GET /patroni` and `GET /leader`: the node about itself."""

    holds_lock: bool  # by its own knowledge; only told by /leader
    primary: bool  # out of recovery
    state: str | None
    timeline: int | None
    system_identifier: str | None
    pending_restart: bool
    paused: bool
    version: str | None


@dataclass(frozen=True, slots=True)
class Config:
    """`GET /config`, as far as it matters here. None: not told."""

    synchronous: bool | None
    strict: bool | None


class PatroniRest:
    """One node's Patroni. Each question has a deadline of its own, so that one that hangs delays nobody for long."""

    def __init__(self, name: str, address: str, scope: str | None, timeout: float,
                 ssl: tls.SSLContext | None = None, login: Login | None = None) -> None:
        """`timeout`: seconds for one question. `login` is asked for when something is to be changed."""
        self.name = name
        self._scope = scope
        self._timeout = timeout
        self._login = login
        self._asker = Asker(address, None, ssl, secret=False)

    async def cluster(self) -> PatroniCluster:
        """The cluster, as its store has it now. Raises DriverError."""
        found = await self._asked("/cluster")
        self._refuse_other(found.get("scope"))
        return parse_cluster(found)

    async def node(self, path: str = "/patroni") -> PatroniMember:
        """The node about itself; with `/leader` also whether it holds the lock. Raises DriverError."""
        status, found = await self._document(path)
        told = found.get("patroni")
        about: Mapping[str, Any] = told if isinstance(told, dict) else {}
        self._refuse_other(about.get("scope"))
        name = _text(about.get("name"))
        if name is not None and name != self.name:
            raise DriverError(f"the Patroni there is of {name}: give the node that name, or correct its rest")
        return parse_node(found, status == 200)

    async def config(self) -> Config:
        """What the cluster is set to. Raises DriverError."""
        return parse_config(await self._asked("/config"))

    async def tell(self, path: str, body: Mapping[str, Any], seconds: float) -> tuple[int, str]:
        """POST; the status and what Patroni says, for people. Raises DriverError: then nobody knows what came of it.

        The log-in is sent only here.
        """
        login = None if self._login is None else await asyncio.to_thread(self._login)
        try:
            async with asyncio.timeout(seconds):
                status, raw = await self._asker.post(path, body, _LIMIT, login, seconds)
        except TimeoutError:
            raise DriverError(f"Patroni on {self.name} gave no answer in {seconds:g} s") from None
        said = short(raw.decode("utf-8", errors="replace")) or f"status {status}"
        return status, _REFUSALS.get(said, said) if status in (401, 403) else said

    async def close(self) -> None:
        """Drop the connection."""
        await self._asker.close()

    async def _asked(self, path: str) -> Mapping[str, Any]:
        status, found = await self._document(path)
        if status != 200:
            raise DriverError(f"{path} answers {status}; does Patroni reach its store?")
        return found

    async def _document(self, path: str) -> tuple[int, Mapping[str, Any]]:
        try:
            async with asyncio.timeout(self._timeout):
                status, raw = await self._asker.get(path, _LIMIT)
        except TimeoutError:
            raise DriverError(f"no answer in {self._timeout:g} s") from None
        return status, document(raw, path)

    def _refuse_other(self, scope: object) -> None:
        said = _text(scope)
        if self._scope is not None and said is not None and said != self._scope:
            raise DriverError(f"it is the Patroni cluster '{said}', not '{self._scope}' (database.patroni.scope)")


def document(raw: bytes, path: str) -> Mapping[str, Any]:
    """A JSON object. Raises DriverError for anything else."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise DriverError(f"what answers {path} there is not Patroni")
    return found


def parse_cluster(found: Mapping[str, Any]) -> PatroniCluster:
    """The cluster from an answer. Raises DriverError when it names no members, or two leaders."""
    listed = found.get("members")
    if not isinstance(listed, list):
        raise DriverError("what answers /cluster there is not Patroni")
    members: dict[str, Member] = {}
    for one in listed:
        name = _text(one.get("name")) if isinstance(one, dict) else None
        if name is not None:
            members[name] = _member(name, one)
    if sum(member.leads for member in members.values()) > 1:
        raise DriverError("Patroni names two leaders")
    return PatroniCluster(members, found.get("pause") is True, _scheduled(found.get("scheduled_switchover")))


def _member(name: str, one: Mapping[str, Any]) -> Member:
    role = _text(one.get("role"))
    lag = one.get("lag", one.get("replay_lag"))
    return Member(name, role in _LEADERS, role, _text(one.get("state")), _number(one.get("timeline")), _number(lag))


def _scheduled(found: object) -> str | None:
    if not isinstance(found, dict):
        return None
    return f"from {_text(found.get('from')) or '?'} to {_text(found.get('to')) or 'any'} at {_text(found.get('at'))}"


def parse_node(found: Mapping[str, Any], holds_lock: bool) -> PatroniMember:
    """A node from an answer."""
    told = found.get("patroni")
    version = _text(told.get("version")) if isinstance(told, dict) else None
    identifier = found.get("database_system_identifier")
    text = str(identifier) if isinstance(identifier, int) and not isinstance(identifier, bool) else _text(identifier)
    return PatroniMember(
        holds_lock, _text(found.get("role")) in _PRIMARIES, _text(found.get("state")), _number(found.get("timeline")),
        text if text is not None and text.isdecimal() else None,
        found.get("pending_restart") is True, found.get("pause") is True, version,
    )


def parse_config(found: Mapping[str, Any]) -> Config:
    """The settings from an answer."""
    mode = found.get("synchronous_mode", False)
    return Config(_switch(mode) if mode != "quorum" else True, _switch(found.get("synchronous_mode_strict", False)))


def _switch(value: object) -> bool | None:
    """A setting as people write it in YAML."""
    if isinstance(value, str):
        return {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}.get(value.lower())
    return value if isinstance(value, bool) else None


def _text(value: object) -> str | None:
    return (short(value, _NAME) or None) if isinstance(value, str) else None


def _number(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        return None
    return value


def open_rest(node: DatabaseNode, site: Site) -> PatroniRest:
    """Patroni's interface of one node. Raises ConfigError."""
    from tuiha.config.parts import PatroniSettings

    database = site.pool.database
    settings = database.patroni or PatroniSettings()

    def login() -> tuple[str, str] | None:
        """Read when something is to be changed: a host that only watches need not have it."""
        if settings.user is None or settings.password is None:
            return None
        return settings.user, site.secret(settings.password)

    return PatroniRest(node.name, node.rest or "", settings.scope, settings.timeout,
                       certificates.for_patroni(database, site.base), login)
