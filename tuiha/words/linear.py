"""Changes as whole sentences, one a line: for screen readers and for logs, without signs that nobody can hear."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tuiha.model.codes import EventKind, Move, Restart, StateChange
from tuiha.model.facts import Event, NodeKind, Problem, Protection, Snapshot
from tuiha.model.operations.intent import Condition
from tuiha.model.operations.plans import StepStatus
from tuiha.model.problems.operation import Running
from tuiha.model.words import count, names
from tuiha.words import events, problems
from tuiha.words.next import command
from tuiha.words.states import NOT_KNOWN, OUT_OF_SERVICE, of_manager, served


def event(found: Event) -> str:
    """What changed, as a sentence."""
    said = _EVENTS.get(found.kind)
    return sentence(f"{found.subject}: {events.text(found)}" if said is None else said(found.subject, found.facts))


def began(problem: Problem) -> str:
    """A problem that has just appeared: what is wrong, what it means, what comes next."""
    parts = [f"{problem.subject}: {problems.state(problem)}", problems.detail(problem), problems.means(problem)]
    then = command(problem.next)
    return sentence("; ".join(filter(None, [*parts, f"next: {then}" if then else ""])))


def over(problem: Problem) -> str:
    """A problem that is not there any more."""
    return sentence(f"{problem.subject}: no longer {problems.state(problem)}")


def standing(snapshot: Snapshot) -> str:
    """How a pool is at the first look."""
    users = "" if snapshot.users is None else f", {count(snapshot.users, 'user')}"
    pair = "" if snapshot.active is None else f", the active database is {snapshot.active}"
    guard = "" if snapshot.protection is None else f", {snapshot.protection}"
    return sentence(f"{snapshot.pool} is {snapshot.verdict}: {served(snapshot, snapshot.at)}{users}{pair}{guard}")


def operation(found: Running) -> str:
    """The operation that has the pool, and how far it is."""
    where = f"step {found.step}, {found.action}" if found.step else "before its first step"
    return sentence(f"Operation {found.kind} of {found.owner} {_CONDITIONS[found.condition]}: {where}")


def released(found: Running) -> str:
    """The operation that had the pool has it no more."""
    return sentence(f"Operation {found.kind} of {found.owner} has ended; its result: tuiha operations {found.id}")


def step(number: int, status: StepStatus, does: str, after: str, told: str, *, undoing: bool = False) -> str:
    """A step that has just changed.

    `does` is empty when it was said before. `after` is the time that it took, `told` the evidence, or why it failed.
    """
    state = "is being undone" if undoing else _STEPS[status]
    parts = (f"Step {number} {state}", f" after {after}" if after else "", f" ({does})" if does else "",
             f": {told}" if told else "")
    return sentence("".join(parts))


def protection(protected: object) -> str:
    """Whether the pool is protected after an operation; empty where it was not read."""
    return _AFTER[protected] if isinstance(protected, bool) else ""


def sentence(text: str) -> str:
    """The text with a full stop, in one line."""
    whole = " ".join(text.split())
    return whole if whole.endswith((".", "!", "?")) or not whole else f"{whole}."


def _state(subject: str, facts: StateChange) -> str:
    why = OUT_OF_SERVICE if facts.out_of_service else facts.reason or of_manager(facts.managed)
    return f"{subject} is {facts.after}, it was {facts.before}{f': {why}' if why and not facts.working else ''}"


def _protection(subject: str, facts: Any) -> str:
    return _PROTECTIONS[Protection(facts.after)](subject)


def _restarted(subject: str, facts: Restart) -> str:
    knew = "" if facts.knew is None else f"; it knew {count(facts.knew, 'user')}"
    knows = "" if facts.knows is None else f", and knows {facts.knows:,}"
    return f"{subject} has started again{knew}{knows}"


def _moved(subject: str, facts: Move) -> str:
    return f"{count(facts.users, 'user')} moved from {names(facts.losers)} to {names(facts.winners)}"


def _changed(before: str = "") -> Callable[[str, Any], str]:
    return lambda subject, facts: f"{before}{subject} is {facts.after or NOT_KNOWN}, it was {facts.before or NOT_KNOWN}"


_PROTECTIONS: Mapping[Protection, Callable[[str], str]] = {
    Protection.PROTECTED: lambda pool: f"{pool} is protected: losing one database loses no write",
    Protection.UNPROTECTED: lambda pool: f"{pool} is UNPROTECTED: losing a database stops it, or loses writes",
}
_KINDS: Mapping[str, str] = {NodeKind.MAIL: "mail server", NodeKind.SERVER: "pool server"}
_CONDITIONS: Mapping[Condition, str] = {
    Condition.RUNNING: "is running",
    Condition.INTERRUPTED: "is INTERRUPTED, and keeps the pool",
    Condition.HALF_WAY: "has stopped HALF-WAY, and blocks other operations",
    Condition.UNKNOWN: "has an UNKNOWN outcome, and keeps the pool",
}
_STEPS: Mapping[StepStatus, str] = {
    StepStatus.WAITING: "waits",
    StepStatus.RUNNING: "has begun",
    StepStatus.DONE: "is done",
    StepStatus.FAILED: "FAILED",
    StepStatus.UNKNOWN: "has an UNKNOWN outcome",
    StepStatus.STOPPED: "was stopped",
    StepStatus.UNDONE: "was undone",
}
_AFTER = {True: "The pool is protected.", False: "The pool is UNPROTECTED."}
_EVENTS: Mapping[EventKind, Callable[[str, Any], str]] = {
    EventKind.VERDICT: _changed(),
    EventKind.EPOCH: _changed("The epoch of "),
    EventKind.ACTIVE_DATABASE: _changed("The active database of "),
    EventKind.PROTECTION: _protection,
    EventKind.JOINED: lambda subject, facts: f"The {_KINDS.get(facts.kind, facts.kind)} {subject} joined, and is "
                                             f"{facts.state}",
    EventKind.LEFT: lambda subject, facts: f"The {_KINDS.get(facts.kind, facts.kind)} {subject} left",
    EventKind.STATE: _state,
    EventKind.ROLE: _changed("The role of "),
    EventKind.REPLICATION: lambda subject, facts: f"Replication to {subject} is {facts.after or 'none'}, it was "
                                                  f"{facts.before or 'none'}",
    EventKind.TARGET: lambda subject, facts: f"{subject} is to be {facts.after}, it was to be {facts.before}",
    EventKind.RESTARTED: _restarted,
    EventKind.USERS_MOVED: _moved,
}
