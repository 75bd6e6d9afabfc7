"""Logging in to a database by SCRAM, or not at all. The only module that imports asyncpg's protocol.

asyncpg answers whatever it is asked: a clear-text password too. A program that listens on the port of a stopped
database would get the role's password, or would be taken for the database without any proof. SCRAM proves both sides:
the database never sees the password, and shows that it knows the role's verifier. libpq has `require_auth` for this.
"""

from __future__ import annotations

import functools
import re
import struct
from contextvars import ContextVar
from enum import Enum
from typing import Any

import asyncpg
from asyncpg import protocol

from tuiha.pooldb.connection import OwnConnection

MOST_ROUNDS = 200_000  # of hashing, some 0.1 s in which nothing else happens; PostgreSQL's default is 4,096
_LONGEST = 65_536  # bytes of one message before the log-in is over
_HEAD = struct.Struct("!cI")  # kind and length of a message; the length counts itself
_OK, _SASL, _CONTINUE, _FINAL = 0, 10, 11, 12  # requests of authentication
_WANTS = {2: "Kerberos", 3: "a clear-text password", 5: "an MD5 password", 7: "GSSAPI", 9: "SSPI"}
_BESIDE = frozenset({b"E", b"N", b"v"})  # an error, a notice, a version: they may come at any time
_ROUNDS = re.compile(rb"(?:^|,)i=(\d{1,12})(?:,|$)")


class NotProven(ConnectionError):
    """What answered did not prove that it knows the role's password, and was told nothing. The text is for people."""


class _Stage(Enum):
    """What must come next."""

    REQUEST = _SASL
    CHALLENGE = _CONTINUE
    PROOF = _FINAL
    WELCOME = _OK
    OVER = -1


_NEXT = {
    _Stage.REQUEST: _Stage.CHALLENGE, _Stage.CHALLENGE: _Stage.PROOF, _Stage.PROOF: _Stage.WELCOME,
    _Stage.WELCOME: _Stage.OVER,
}


class Handshake:
    """Reads along what a database sends, until it has let us in by SCRAM. Pure."""

    def __init__(self) -> None:
        self._stage = _Stage.REQUEST
        self._held = b""

    @property
    def over(self) -> bool:
        """Whether it has let us in."""
        return self._stage is _Stage.OVER

    def passed(self, data: bytes) -> bytes:
        """As much of what came as may be believed by now. Raises NotProven."""
        if self.over:
            return data
        data, at = self._held + data, 0
        while not self.over and len(data) - at >= _HEAD.size:
            kind, length = _HEAD.unpack_from(data, at)
            if not _HEAD.size - 1 <= length <= _LONGEST:
                raise NotProven("it does not speak PostgreSQL's protocol")
            end = at + 1 + length
            if len(data) < end:
                break
            self._message(kind, data[at + _HEAD.size:end])
            at = end
        if self.over:
            at = len(data)
        self._held = data[at:]
        return data[:at]

    def _message(self, kind: bytes, body: bytes) -> None:
        if kind in _BESIDE:
            return
        if kind != b"R" or len(body) < 4:
            raise NotProven("it does not ask for a proof (SCRAM)")
        [asked] = struct.unpack_from("!I", body)
        if asked != self._stage.value:
            raise NotProven(f"it asks for {_WANTS[asked]}, not for a proof (SCRAM)" if asked in _WANTS else
                            "it lets everybody in without a proof (SCRAM)" if asked == _OK else
                            "it does not keep to SCRAM")
        if asked == _CONTINUE:
            found = _ROUNDS.search(body[4:])
            if found is None or int(found[1]) > MOST_ROUNDS:
                raise NotProven(f"it asks for more than {MOST_ROUNDS:,} rounds of hashing (scram_iterations)")
        self._stage = _NEXT[self._stage]


class _Asked:
    """One log-in under way, and why it was broken off."""

    refusal: NotProven | None = None


_asked: ContextVar[_Asked | None] = ContextVar("asked", default=None)


class _Scram(protocol.Protocol):  # type: ignore[misc]  # asyncpg has no types here
    """asyncpg's protocol, which hears nothing of an answer that proves nothing."""

    def __init__(self, asked: _Asked, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._asked = asked
        self._handshake = Handshake()
        self._way: Any = None

    def connection_made(self, transport: Any) -> None:
        self._way = transport
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._asked.refusal is not None:
            return
        try:
            data = self._handshake.passed(data)
        except NotProven as refusal:
            self._asked.refusal = refusal
            self._way.abort()
            return
        if data:
            super().data_received(data)


@functools.cache
def _install() -> None:
    """asyncpg has no setting for this; it makes its protocol by this name."""
    plain = protocol.Protocol

    def made(*arguments: Any) -> Any:
        asked = _asked.get()
        return plain(*arguments) if asked is None else _Scram(asked, *arguments)

    protocol.Protocol = made


async def connect(**where: Any) -> OwnConnection:
    """`asyncpg.connect`, by SCRAM only. Raises NotProven before a password is sent, and what that one raises."""
    _install()
    asked = _Asked()
    _asked.set(asked)
    try:
        connection: OwnConnection = await asyncpg.connect(**where)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        if asked.refusal is None:
            raise
        raise NotProven(
            f"{asked.refusal}; {where.get('host')}:{where.get('port')} was not sent the password of "
            f"{where.get('user')}. Another program may listen there. If it is the database, write scram-sha-256 for "
            "this role in pg_hba.conf, and set its password again") from None
    else:
        return connection
    finally:
        _asked.set(None)  # not `reset`: a coroutine may be closed in another context than the one it ran in
