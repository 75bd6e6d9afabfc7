"""The operation that has the pool now, in a snapshot: how it is, and what an operator can do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from tuiha.model.codes import Action, Next, OperationFacts, ProblemCode
from tuiha.model.facts import NodeKind, Problem, Severity, Snapshot
from tuiha.model.operations.intent import Condition, Intent, IntentWay, at_rest, judged, parse, silence
from tuiha.model.operations.ways import possible


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
    def ways(self) -> tuple[IntentWay, ...]:
        """What may be done with it when it does not run any more."""
        return self.intent.ways

    @property
    def condition(self) -> Condition:
        """How it is now."""
        return self.intent.condition


_CONDITIONS: Mapping[Condition, tuple[Severity, ProblemCode]] = {
    Condition.RUNNING: (Severity.NOTE, ProblemCode.OPERATION_RUNNING),
    Condition.INTERRUPTED: (Severity.WARNING, ProblemCode.OPERATION_INTERRUPTED),
    Condition.HALF_WAY: (Severity.WARNING, ProblemCode.OPERATION_HALF_WAY),
    Condition.UNKNOWN: (Severity.WARNING, ProblemCode.OPERATION_UNKNOWN),
}
_ACTIONS: Mapping[IntentWay, Action] = {
    IntentWay.RESUME: Action.RESUME, IntentWay.UNDO: Action.UNDO, IntentWay.CANCEL: Action.CANCEL,
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
    severity, code = _CONDITIONS[found.condition]
    runs = found.condition is Condition.RUNNING
    facts = OperationFacts(
        found.id, found.kind, found.owner, found.host, found.step, found.action, found.intent.targets,
        silent=found.silent if found.condition is Condition.INTERRUPTED else None,
        ways=() if runs else possible(found.ways, phase))
    yield Problem(severity if runs or at_rest(phase) else Severity.BAD, NodeKind.POOL, pool, code, facts,
                  found.since if runs else found.intent.beat, next=first_of(found, phase))


def first_of(found: Running, phase: str) -> Next:
    """What comes first: to look at one that runs, to end one that has stopped."""
    if found.condition is Condition.RUNNING:
        return Next(Action.SHOW, (found.id,))
    return Next(_ACTIONS[possible(found.ways, phase)[0]], (found.id,))
