"""The alerts of a pool: which problems an alert receiver is told of, and when. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from tuiha.model.codes import ProblemCode
from tuiha.model.facts import NodeKind, Problem, Severity, Snapshot
from tuiha.model.problems.operation import Running, running
from tuiha.model.problems.symptoms import SYMPTOMS
from tuiha.model.problems.symptoms import folded as folded_problems

MOST = 100  # alerts of one pool at a time; of more the gravest are kept
_GRAVITY: Mapping[Severity, int] = {Severity.BAD: 2, Severity.WARNING: 1, Severity.NOTE: 0}


@dataclass(frozen=True, slots=True)
class AlertKey:
    """The identity of an alert: a problem of one kind, at one node. It stays the same while the facts change."""

    pool: str
    kind: NodeKind
    subject: str
    code: ProblemCode

    @property
    def text(self) -> str:
        """As one word, by which a receiver recognizes the alert."""
        return f"tuiha/{self.pool}/{self.code}/{self.subject}"


@dataclass(frozen=True, slots=True)
class Alert:
    """A problem that a receiver is told of."""

    key: AlertKey
    problem: Problem
    since: float  # unix seconds
    operation: Running | None = None  # the operation that has the pool meanwhile


def alerts(snapshot: Snapshot) -> dict[AlertKey, Alert]:
    """The alerts of a snapshot, the gravest first. Notes are none, and what another problem does is none.

    Of equal keys the graver problem counts.
    """
    found, now = running(snapshot), snapshot.at
    kept: dict[AlertKey, Alert] = {}
    causes = (folded.cause for folded in folded_problems(snapshot.problems))
    for one in sorted(causes, key=lambda p: -_GRAVITY[p.severity]):
        key = AlertKey(snapshot.pool, one.kind, one.subject, one.code)
        if one.severity is not Severity.NOTE and key not in kept and len(kept) < MOST:
            kept[key] = Alert(key, one, now if one.since is None else one.since, found)
    return kept


def grave(every: Mapping[AlertKey, Alert], least: Severity) -> dict[AlertKey, Alert]:
    """Those that are at least so grave."""
    return {key: one for key, one in every.items() if _GRAVITY[one.problem.severity] >= _GRAVITY[least]}


@dataclass(slots=True)
class _Seen:
    """An alert with the moments at which it was first and last in a snapshot."""

    alert: Alert
    first: float
    last: float
    raised: bool = False


class RaisedAlerts:
    """Decides which alerts are raised: those that have lasted, until they have been over for as long.

    So a problem that comes and goes raises one alert, and one that is over in a moment raises none.
    """

    def __init__(self, after: float) -> None:
        """`after`: seconds that a problem has to last, and to be over."""
        self._after = after
        self._seen: dict[AlertKey, _Seen] = {}

    def look(self, snapshot: Snapshot) -> dict[AlertKey, Alert]:
        """What is raised now."""
        now = snapshot.at
        for key, one in alerts(snapshot).items():
            known = self._seen.get(key)
            if known is None:
                self._seen[key] = known = _Seen(one, now, now)
            known.alert, known.last = replace(one, since=min(one.since, known.first)), now
            known.raised = known.raised or now - known.first >= self._wait(key)
        over = [key for key, one in self._seen.items()
                if one.last < now and (not one.raised or now - one.last >= self._after)]
        for key in over:
            del self._seen[key]
        return {key: one.alert for key, one in self._seen.items() if one.raised}


    def _wait(self, key: AlertKey) -> float:
        """Seconds that it has to last: longer for a problem that may be what another one does, whose cause comes later.
        """
        return self._after * (2 if key.code in SYMPTOMS else 1)


@dataclass(frozen=True, slots=True)
class Due:
    """The news for a receiver that keeps what it was told until it hears otherwise."""

    raised: tuple[Alert, ...] = ()
    over: tuple[str, ...] = ()  # texts of keys


def due(wanted: Iterable[Alert], told: Mapping[str, Severity]) -> Due:
    """What a receiver has still to hear: new alerts, those that have become graver, and those that are over.

    `told`: the severity that the receiver was told last, by the text of the alert's key.
    """
    now = {one.key.text: one for one in wanted}
    raised = (one for text, one in now.items()
              if text not in told or _GRAVITY[told[text]] < _GRAVITY[one.problem.severity])
    return Due(tuple(raised), tuple(text for text in told if text not in now))
