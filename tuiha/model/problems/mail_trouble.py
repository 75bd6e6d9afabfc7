"""Users without mail: why, how many, and what that means. Codes for decisions, sentences for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
class Explained:
    """A reason in words."""

    what: str  # a few words, behind "without mail: "
    then: str  # what to do now, one sentence


_SAID: Mapping[str, Explained] = {
    Trouble.LOGIN: Explained("log-in refused", "Check at the mail server that these users exist, are enabled, and that "
                             "the pool's monitor may act for them."),
    Trouble.NO_SUCH_USER: Explained("no such user", "If the mail server removed them, disable or forget them here: "
                                    "tuiha users disable NAME."),
    Trouble.MAILBOX: Explained("mailbox cannot be opened", "Look for a lock, wrong rights or a damaged index of these "
                               "mailboxes at the mail server."),
    Trouble.NO_ANSWER: Explained("mail server does not answer", "Check the mail server's listener, its limits of "
                                 "connections, and the part of it that serves these users."),
    Trouble.ENDS: Explained("connection ends again and again", "Look into the mail server's log, and at what is "
                            "between; quiet connections may need a shorter idle:."),
    Trouble.READING: Explained("messages cannot be read", "Look into the mail server's log for these mailboxes."),
    Trouble.DATABASE: Explained("the database refuses the changes", "Look into the pool server's log; tuiha check "
                                "says what the database lacks."),
    Trouble.NO_SERVER: Explained("no mail server in service", "Put a mail server of the cluster in service again: "
                                 "tuiha plan return-mail NAME."),
    Trouble.NOT_CONFIGURED: Explained("cluster not configured", "Name the cluster at mail: in the configuration of "
                                      "every pool server, or move the users to another cluster."),
    Trouble.FAULT: Explained("a fault in tuiha", "The pool server's log has the details; please report it."),
}


UNTOLD = Explained("the mail servers do not tell of new mail (IDLE)", "Look at what tells the mail servers' sessions "
                   "of it: limits of inotify, a store that they share.")


def explained(reason: str) -> Explained:
    """A reason in words; one that a newer server names stays as it is."""
    return _SAID.get(reason) or Explained(reason, "Look into the pool server's log.")


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
class Sight:
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
