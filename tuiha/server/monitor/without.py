"""Users without mail, as this pool server counts them. Pure; the clock is an argument."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from tuiha.drivers.reach import short
from tuiha.model.mail_trouble import AFTER, MOST_EXAMPLES, ClusterReport, Trouble, TroubleReport, ranked
from tuiha.server.monitor.bound import Bound
from tuiha.server.monitor.follow import Follower, Without

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
