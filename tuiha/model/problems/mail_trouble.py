"""Users without mail: why, and how many."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

AFTER = 5.0  # seconds without a connection, after which a user counts as failing
MOST_REASONS = 8  # of one cluster in a report
MOST_EXAMPLES = 5  # users that are named for a reason
_BY_CHANCE, _FEW = 2, 0.01  # mailboxes that are ahead, and their share of all: fewer are no trouble


class Trouble(StrEnum):
    """Why a user's mail is not monitored."""

    LOGIN = "login-refused"
    NO_SUCH_USER = "no-such-user"
    MAILBOX = "mailbox"
    NO_ANSWER = "no-answer"
    ENDS = "connection-ends"
    READING = "reading"
    DATABASE = "database"
    NO_SERVER = "no-server"
    NOT_CONFIGURED = "not-configured"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class TroubleReport:
    """Users of one cluster that fail for one reason."""

    reason: str  # a Trouble; a newer server may name others
    users: int
    since: float | None  # unix seconds: the first of them
    examples: tuple[str, ...] = ()  # names of users, a few
    text: str = ""  # what the mail server said to one of them


@dataclass(frozen=True, slots=True)
class ClusterReport:
    """A mail cluster as one pool server monitors it."""

    cluster: str
    users: int  # bound to this server
    connected: int
    waiting: int  # for their turn to log in, or a moment without a connection
    failing: int  # without a connection for some seconds, with a reason
    troubles: tuple[TroubleReport, ...] = ()  # most users first
    ahead: int = 0  # mailboxes in which a look found mail, lately, of which the mail server had not told


@dataclass(frozen=True, slots=True)
class MailSight:
    """A mail server as one pool server's probe sees it."""

    name: str
    seconds: float | None  # since it answered last; None: never
    latency_ms: float | None = None  # of that answer
    greeting: str = ""
    gone: str | None = None  # why this pool server does not use it
    closed: str | None = None  # why it lets nobody in


@dataclass(frozen=True, slots=True)
class WithoutMail:
    """A mail cluster as the whole pool monitors it; the sum over the servers that report."""

    cluster: str
    users: int
    connected: int
    waiting: int
    failing: int
    troubles: tuple[TroubleReport, ...] = ()
    servers: tuple[str, ...] = ()  # pool servers with failing users
    ahead: int = 0

    @property
    def late(self) -> bool:
        """Whether its servers do not tell of new mail: one mailbox alone may be ahead by chance."""
        return self.ahead >= max(_BY_CHANCE, self.users * _FEW)


def summed(reports: Iterable[tuple[str, ClusterReport]]) -> tuple[WithoutMail, ...]:
    """What the servers (name, report) say, by cluster."""
    clusters: dict[str, list[tuple[str, ClusterReport]]] = {}
    for server, report in reports:
        clusters.setdefault(report.cluster, []).append((server, report))
    return tuple(_sum(name, clusters[name]) for name in sorted(clusters))


def _sum(cluster: str, reports: list[tuple[str, ClusterReport]]) -> WithoutMail:
    by_reason: dict[str, list[TroubleReport]] = {}
    for _, report in reports:
        for trouble in report.troubles:
            by_reason.setdefault(trouble.reason, []).append(trouble)
    every = [one for _, one in reports]
    return WithoutMail(
        cluster, sum(r.users for r in every), sum(r.connected for r in every), sum(r.waiting for r in every),
        sum(r.failing for r in every), ranked(_joined(reason, found) for reason, found in by_reason.items()),
        tuple(sorted(name for name, report in reports if report.failing)), sum(r.ahead for r in every),
    )


def _joined(reason: str, found: list[TroubleReport]) -> TroubleReport:
    begun = [one.since for one in found if one.since is not None]
    names = [name for one in found for name in one.examples]
    return TroubleReport(reason, sum(one.users for one in found), min(begun, default=None),
                         tuple(names[:MOST_EXAMPLES]), next((one.text for one in found if one.text), ""))


def ranked(troubles: Iterable[TroubleReport]) -> tuple[TroubleReport, ...]:
    """Most users first, and no more than a report has."""
    return tuple(sorted(troubles, key=lambda one: (-one.users, one.reason))[:MOST_REASONS])
