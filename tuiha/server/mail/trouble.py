"""What the monitor writes for people: users without mail (`mail_trouble`), and what cuts connections (`event`)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from tuiha.drivers.reach import short
from tuiha.model.problems.mail_trouble import AFTER, MOST_EXAMPLES, ClusterReport, Trouble, TroubleReport, ranked
from tuiha.model.words import count, span
from tuiha.pooldb.connection import Connection
from tuiha.pooldb.errors import UNREAD
from tuiha.pooldb.statements.events import ADD_EVENT
from tuiha.pooldb.statements.mail import FORGET_TROUBLES, REMOVE_TROUBLES, WRITE_TROUBLES
from tuiha.server.database.access import Access, OutcomeUnknown, Unavailable
from tuiha.server.mail.cluster import Bound
from tuiha.server.mail.endings import QuietLimit
from tuiha.server.mail.follow import Follower, Without
from tuiha.server.mail.servers import MailStanding

_TEXT = 120  # characters of a mail server's own words


@dataclass(frozen=True, slots=True)
class Failing:
    """A user that counts as without mail."""

    bound: Bound
    reason: Trouble
    text: str
    since: float  # unix seconds, whole
    mail_server: str | None  # that it tried last


def failing(followers: Iterable[Follower], refusing: Mapping[int, tuple[float, str]], now: float, unix: float,
            ) -> Iterator[Failing]:
    """The users without a connection for some seconds, or whose changes the database refuses, with the reason.

    `unix`: what makes `now` unix seconds.
    """
    for one in followers:
        without, connected = one.without, one.connected
        if one.bound.user_id in refusing:
            since, why = refusing[one.bound.user_id]
            without, connected = Without(Trouble.DATABASE, why, since), False
        if without is None or connected or now - without.since < AFTER:
            continue
        yield Failing(one.bound, without.reason, short(without.text, _TEXT), float(int(unix + without.since)),
                      None if one.standing is None else one.standing.name)


def cluster_reports(bounds: Iterable[Bound], connected: Iterable[Bound], found: Iterable[Failing],
                    ahead: Iterable[Bound] = ()) -> tuple[ClusterReport, ...]:
    """The figures of each cluster that has users here. `ahead`: whose mailboxes were ahead of their cursors."""
    users, served, late = _counted(bounds), _counted(connected), _counted(ahead)
    failed: dict[str, list[Failing]] = {}
    for one in found:
        failed.setdefault(one.bound.cluster, []).append(one)
    return tuple(replace(_cluster(name, users[name], served.get(name, 0), failed.get(name, [])),
                         ahead=late.get(name, 0)) for name in sorted(users))


def _counted(bounds: Iterable[Bound]) -> dict[str, int]:
    found: dict[str, int] = {}
    for bound in bounds:
        found[bound.cluster] = found.get(bound.cluster, 0) + 1
    return found


def _cluster(name: str, users: int, connected: int, failed: list[Failing]) -> ClusterReport:
    reasons: dict[Trouble, list[Failing]] = {}
    for one in failed:
        reasons.setdefault(one.reason, []).append(one)
    troubles = ranked(TroubleReport(
        reason, len(found), min(one.since for one in found),
        tuple(short(one.bound.name, 64) for one in found[:MOST_EXAMPLES]), next((o.text for o in found if o.text), ""),
    ) for reason, found in reasons.items())
    return ClusterReport(name, users, connected, max(0, users - connected - len(failed)), len(failed), troubles)


_log = logging.getLogger("tuiha.monitor")
EVERY = 2.0  # seconds between two writes, at least
MOST = 500  # rows of one write


_UNSURE = (Unavailable, OutcomeUnknown, *UNREAD)


def sentence(standing: MailStanding, limit: QuietLimit) -> str:
    """What an operator reads of a limit to quiet connections."""
    return (f"mail server {standing.name}: {count(limit.endings, 'quiet connection')} ended after about "
            f"{span(limit.quiet, fine=False)} without traffic; set `idle: {limit.fits}s` for cluster "
            f"{standing.cluster.name}")


class Notes:
    """Writes differences only, now and then, and never more than some rows at once."""

    def __init__(
        self, server: str, access: Access, standings: Iterable[MailStanding], failing: Callable[[], Iterable[Failing]],
        clock: Callable[[], float],
    ) -> None:
        self._server = server
        self._access = access
        self._standings = tuple(standings)
        self._failing = failing
        self._clock = clock
        self._written: dict[int, Failing] = {}
        self._clean = False  # rows of this server's life before are gone
        self._events: list[tuple[str, str]] = []  # subject and text, not written yet

    async def run(self) -> None:
        """Write until cancelled. Nothing here may end the monitoring."""
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.write()
            except _UNSURE as error:
                _log.debug("users without mail are not written yet: %s", error)
                self._clean, self._written = False, {}  # what is there now is not known
            except Exception:  # noqa: BLE001 - a fault in telling must not end what is told of
                _log.exception("users without mail cannot be written")

    async def write(self) -> None:
        """Write what changed since the last time. Raises what the database raises."""
        self._conclude()
        now = {one.bound.user_id: one for one in self._failing()}
        gone = [user for user in self._written if user not in now][:MOST]
        new = [one for user, one in now.items() if self._written.get(user) != one][:MOST]
        if self._clean and not gone and not new and not self._events:
            return
        async with self._access.transaction() as connection:
            await self._change(connection, gone, new)
        self._clean = True
        self._events.clear()
        for user in gone:
            del self._written[user]
        self._written |= {one.bound.user_id: one for one in new}

    def _conclude(self) -> None:
        for standing in self._standings:
            limit = standing.endings.limit(self._clock())
            if limit is not None and standing.good:
                text = sentence(standing, limit)
                _log.warning("%s", text)
                self._events.append((standing.name, text))

    async def _change(self, connection: Connection, gone: list[int], new: list[Failing]) -> None:
        if not self._clean:
            await connection.execute(FORGET_TROUBLES, self._server)
        elif gone:
            await connection.execute(REMOVE_TROUBLES, self._server, gone)
        if new:
            await connection.execute(
                WRITE_TROUBLES, self._server, [one.bound.user_id for one in new], [one.bound.generation for one in new],
                [one.mail_server for one in new], [str(one.reason) for one in new], [one.text for one in new],
                [one.since for one in new])
        for subject, text in self._events:
            await connection.execute(ADD_EVENT, "warning", subject, text)
