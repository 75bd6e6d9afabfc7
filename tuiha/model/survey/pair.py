"""What the answers of one or two databases say of the pair. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tuiha.model.problems.causes import Cause
from tuiha.model.survey.facts import (
    AskedDatabase,
    DatabaseSurvey,
    FoundDatabase,
    FoundPair,
    Part,
    Remark,
    RemarkCode,
    joined,
)

LEAST_VERSION = 150000  # PostgreSQL 15
CERTIFICATE = frozenset({Cause.UNTRUSTED, Cause.OTHER_NAME, Cause.EXPIRED, Cause.EARLY})
_OWN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")  # Debian's cluster_name, 15/main, is none
_NOBODYS = frozenset({"walreceiver", "pg_basebackup"})  # the name of a follower that gave itself none


def paired(asked: Sequence[AskedDatabase], database: str, logged_in: bool) -> FoundPair:
    """The pair. `database` is the pool's; `logged_in`: somebody gave a password."""
    seen = [one.seen for one in asked if one.seen is not None]
    nodes = sorted((_node(one) for one in asked), key=lambda node: node.primary is False)
    systems = {one.system_identifier for one in seen}
    return FoundPair(
        nodes=tuple(nodes),
        system_identifier=systems.pop() if len(systems) == 1 else None,
        database=database,
        untrusted=any(one.cause in CERTIFICATE for one in asked),
        remarks=(*_unread(asked, logged_in), *_each(asked, database), *_together(seen)),
    )


def _node(one: AskedDatabase) -> FoundDatabase:
    if one.seen is None:
        return FoundDatabase(one.host, one.port)
    return FoundDatabase(one.host, one.port, _name(one.seen), one.seen.primary, one.seen.system_identifier,
                         one.seen.version)


def _name(seen: DatabaseSurvey) -> str | None:
    name = seen.name or ""
    return name if _OWN_NAME.fullmatch(name) and name not in _NOBODYS else None


_REMARKS = {Cause.NO_TLS: RemarkCode.NO_TLS, **dict.fromkeys(CERTIFICATE, RemarkCode.UNTRUSTED)}


def _unread(asked: Sequence[AskedDatabase], logged_in: bool) -> Iterator[Remark]:
    for one in asked:
        if one.error is not None:
            code = RemarkCode.UNREAD_DATABASE if one.cause is None else _REMARKS.get(one.cause,
                                                                                   RemarkCode.UNREAD_DATABASE)
            yield Remark(Part.DATABASE, code, joined(one.host, one.port), one.error)
    if asked and not logged_in:
        yield Remark(Part.DATABASE, RemarkCode.NOT_LOGGED_IN)


def _each(asked: Sequence[AskedDatabase], database: str) -> Iterator[Remark]:
    for one in asked:
        if one.seen is None:
            continue
        where = joined(one.host, one.port)
        if one.seen.number < LEAST_VERSION:
            yield Remark(Part.DATABASE, RemarkCode.OLD_POSTGRES, where, one.seen.version)
        if one.seen.database != database:
            yield Remark(Part.DATABASE, RemarkCode.NO_DATABASE, where, database)
        if not one.seen.primary and _name(one.seen) is None:
            yield Remark(Part.DATABASE, RemarkCode.UNNAMED_FOLLOWER, where, one.seen.name or "")


def _together(seen: Sequence[DatabaseSurvey]) -> Iterator[Remark]:
    if not seen:
        return
    if len({one.system_identifier for one in seen}) > 1:
        yield Remark(Part.DATABASE, RemarkCode.OTHER_SYSTEM)
        return
    primaries = [one for one in seen if one.primary]
    if len(primaries) > 1:
        yield Remark(Part.DATABASE, RemarkCode.TWO_PRIMARIES)
    elif not primaries and len(seen) > 1:
        yield Remark(Part.DATABASE, RemarkCode.NO_PRIMARY)
    elif primaries and not any(follower.synchronous for follower in primaries[0].followers):
        yield Remark(Part.DATABASE, RemarkCode.NOT_SYNCHRONOUS)
    if primaries and len(seen) == 1 and primaries[0].followers:
        one = primaries[0].followers[0]
        yield Remark(Part.DATABASE, RemarkCode.PARTNER, one.name, one.host or "")
