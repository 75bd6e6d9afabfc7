"""The operation that has the pool now, in a snapshot: how it is, and what an operator can do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from tuiha.model.facts import NodeKind, Problem, Severity, Snapshot
from tuiha.model.intent import Condition, Intent, Way, at_rest, judged, parse, silence
from tuiha.model.ways import KEYS, possible
from tuiha.model.words import span

ATTACHES = "a"  # the dashboard's key that opens it


@dataclass(frozen=True, slots=True)
class Running:
    """The operation, judged at the moment of a look."""

    intent: Intent  # with its condition now
    silent: float | None  # seconds without a sign of life of its runner; None: it gives none

    @property
    def id(self) -> str:
        """The operation's id."""
        return self.intent.id

    @property
    def kind(self) -> str:
        """Its kind."""
        return self.intent.kind

    @property
    def owner(self) -> str:
        """Who started it."""
        return self.intent.owner

    @property
    def host(self) -> str:
        """Where its runner is, or was."""
        return self.intent.host

    @property
    def since(self) -> float:
        """Unix seconds at which it was started."""
        return self.intent.since

    @property
    def step(self) -> int:
        """The step that runs, or where it stopped; 0: before the first."""
        return self.intent.step

    @property
    def action(self) -> str:
        """What that step does."""
        return self.intent.action

    @property
    def ways(self) -> tuple[Way, ...]:
        """What may be done with it when it does not run any more."""
        return self.intent.ways

    @property
    def condition(self) -> Condition:
        """How it is now."""
        return self.intent.condition


class _Words(NamedTuple):
    severity: Severity
    state: str
    why: str


_CONDITIONS: Mapping[Condition, _Words] = {
    Condition.RUNNING: _Words(Severity.NOTE, "RUNNING", ""),
    Condition.INTERRUPTED: _Words(Severity.WARNING, "INTERRUPTED", "its runner died"),
    Condition.HALF_WAY: _Words(Severity.WARNING, "HALF-WAY", "a step failed"),
    Condition.UNKNOWN: _Words(Severity.WARNING, "UNKNOWN", "its outcome is not known"),
}
_WAYS: Mapping[Way, str] = {
    Way.RESUME: "finishes it",
    Way.UNDO: "takes it back",
    Way.CANCEL: "leaves it as it is and frees the pool",
}


def running(snapshot: Snapshot | None) -> Running | None:
    """What the ledger's intent says; None when nothing has the pool."""
    if snapshot is None:
        return None
    seen_at = snapshot.at if snapshot.intent_seen_at is None else snapshot.intent_seen_at
    return running_in(snapshot.intent, seen_at, snapshot.intent_since)


def running_in(text: str | None, at: float, since: float | None) -> Running | None:
    """The same of a ledger's text that was read at `at`; `since` as in `silence`."""
    intent = parse(text)
    if intent is None:
        return None
    if not intent.since:  # it cannot be read
        intent = replace(intent, since=at)
    silent = silence(intent, at, since)
    return Running(judged(intent, silent), silent)


def operation_problems(pool: str, found: Running | None, phase: str) -> Iterator[Problem]:
    """What is to be known of the operation that has the pool, with its way out when it does not run any more.

    `phase` is the ledger's: when it is not at rest the database's roles are half changed, and nothing is more urgent.
    """
    if found is None:
        return
    told = _CONDITIONS[found.condition]
    where = f"{found.kind}, step {found.step}: {found.action}" if found.step else f"{found.kind}, before its first step"
    if found.condition is Condition.RUNNING:
        yield Problem(told.severity, NodeKind.POOL, pool, f"{told.state}  {where}; by {found.owner}",
                      "an operation changes the pool; another one has to wait", found.since,
                      first_of(found, phase), ATTACHES)
        return
    severity = told.severity if at_rest(phase) else Severity.BAD
    out = way_out(found.intent, possible(found.ways, phase))
    silent = f", no sign of life for {span(found.silent)}" \
        if found.condition is Condition.INTERRUPTED and found.silent is not None else ""
    yield Problem(severity, NodeKind.POOL, pool, f"{told.state}  {where}: {told.why}{silent}",
                  f"it has stopped and keeps the pool from other operations: {out}",
                  found.intent.beat, first_of(found, phase), ATTACHES)


def first_of(found: Running, phase: str) -> str:
    """The command that comes first: to look at one that runs, to end one that has stopped."""
    if found.condition is Condition.RUNNING:
        return f"tuiha operations {found.id}"
    return f"tuiha {possible(found.ways, phase)[0]} {found.id}"


def way_out(intent: Intent, ways: tuple[Way, ...]) -> str:
    """The ways out in words, each as command and key."""
    told = "; ".join(f"`tuiha {way} {intent.id}` (key {ATTACHES}, then {KEYS[way]} twice) {_WAYS[way]}"
                     for way in ways)
    return f"{told}. Its journal is on {intent.host}"
