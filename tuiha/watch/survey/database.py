"""The two databases of a pair: asked as a role that was given, or only tried at their ports."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from tuiha.config.tls import is_loopback
from tuiha.drivers import certificates
from tuiha.drivers.databases.survey import survey
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.reach import cause_of, why
from tuiha.model.problems.causes import Cause
from tuiha.model.survey.facts import AskedDatabase, DatabaseSurvey, FoundPair
from tuiha.model.survey.pair import paired

SECONDS = 5.0  # for one database
USUAL_PORT = 5432

Place = tuple[str, int]
_HOST = re.compile(r"[0-9A-Za-z._-]{1,253}|[0-9a-fA-F:.]{2,45}")  # what a database says is written down as it is


@dataclass(frozen=True, slots=True)
class DatabaseLogin:
    """The role that asks. Without a password nobody logs in."""

    user: str
    password: str | None
    database: str  # the pool's


async def survey_pair(places: Sequence[Place], login: DatabaseLogin, context: ssl.SSLContext) -> FoundPair:
    """The pair at one or two places. `context` is for hosts that are not this one. What fails is a remark."""
    asked = list(await asyncio.gather(*(_asked(place, login, context) for place in places)))
    if len(asked) == 1 and asked[0].seen is not None:
        partner = await _partner(asked[0], asked[0].seen, login, context)
        asked += [] if partner is None else [partner]
    return paired(asked, login.database, login.password is not None)


async def _asked(place: Place, login: DatabaseLogin, context: ssl.SSLContext) -> AskedDatabase:
    host, port = place
    secure = None if is_loopback(host) else context
    try:
        if login.password is None:
            await _tried(host, port, secure)
            return AskedDatabase(host, port)
        seen = await survey(host, port, login.user, login.password, login.database, secure, SECONDS)
    except DriverError as error:
        return AskedDatabase(host, port, error=str(error), cause=error.cause)
    return AskedDatabase(host, port, seen)


async def _tried(host: str, port: int, context: ssl.SSLContext | None) -> None:
    """Whether something listens, and over TLS shows a certificate that is accepted. Raises DriverError."""
    try:
        async with asyncio.timeout(SECONDS):
            if context is not None:
                await certificates.days_left(host, port, context, certificates.postgres)
                return
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
    except TimeoutError:
        raise DriverError(f"no answer in {SECONDS:g} s", Cause.SILENT) from None
    except OSError as error:
        raise DriverError(why(error), cause_of(error)) from None


async def _partner(first: AskedDatabase, seen: DatabaseSurvey, login: DatabaseLogin,
                   context: ssl.SSLContext) -> AskedDatabase | None:
    """The other database of the pair, as this one knows it; None when it cannot be asked."""
    for place in _candidates(first, seen):
        with suppress(ValueError):  # a host name that no host can have
            other = await _asked(place, login, context)
            if other.seen is not None and other.seen.system_identifier == seen.system_identifier \
                    and other.seen.primary is not seen.primary:
                return other
    return None


def _candidates(first: AskedDatabase, seen: DatabaseSurvey) -> Iterator[Place]:
    found = [] if seen.sender is None else [seen.sender]
    hosts = dict.fromkeys(follower.host for follower in seen.followers[:2] if follower.host)
    found += [(host, port) for host in hosts for port in dict.fromkeys((first.port, USUAL_PORT))]
    return (place for place in found if place != (first.host, first.port) and _HOST.fullmatch(place[0]))
