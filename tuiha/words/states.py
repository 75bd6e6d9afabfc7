"""States in words: whether users are served, and why a node is as it is, as its note."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tuiha.model.codes import ProblemCode
from tuiha.model.facts import DatabaseFacts, MailFacts, Problem, ServerFacts, Snapshot, SprayerFacts
from tuiha.model.problems.symptoms import Folded, NodeTrouble
from tuiha.model.reports import Managed, ServerState, ServerTarget
from tuiha.model.scene import DRAINS, serves
from tuiha.model.words import count, span
from tuiha.words import problems

OUT_OF_SERVICE = "out of service"
NOT_OURS = "accepts writes, not ours"  # of a second database that follows nobody
NOT_REPLICATING = "not replicating"
TWO_PRIMARIES = "TWO PRIMARIES"
UNKNOWN = "unknown"
NOT_KNOWN = "not known"
SPELLED: Mapping[str, str] = {"sync": "synchronous"}  # where there is room for it
_END = re.compile(r"[:;] | \(|  ")  # not a comma: after it comes what the clause needs
# What a server says of itself is older than these: its row says the same as line 2.
_TOLD_BY_THE_PROBLEM = frozenset({ProblemCode.SERVER_SILENT, ProblemCode.SERVER_UNREACHABLE})


def serving(snapshot: Snapshot) -> tuple[int, int]:
    """How many servers serve users, and how many there are."""
    return sum(map(serves, snapshot.servers)), len(snapshot.servers)


def served(snapshot: Snapshot, now: float) -> str:
    """`all 4 serve`, `3 of 4 serve`; or that nobody is served, and for how long."""
    if snapshot.unserved_since is not None:
        lasts = span(now - snapshot.unserved_since, fine=False)
        if snapshot.held_by is not None:
            return f"{snapshot.held_by} holds requests for {lasts}"
        return f"nobody is served for {lasts}"
    there, total = serving(snapshot)
    return f"all {total:,} serve" if there == total else f"{there:,} of {total:,} serve"


def note(facts: ServerFacts | DatabaseFacts | SprayerFacts | MailFacts) -> str:
    """A few words for the last column of a table; may be empty."""
    told = _NOTES.get(type(facts))
    return _said(facts) if told is None else told(facts)


def in_words(said: Managed) -> str:
    """A node as the manager of the pair reports it, in a few words."""
    if said.error is not None:
        return said.error
    more = [word for word, is_so in (("paused", said.paused), ("pending restart", said.pending_restart)) if is_so]
    return ", ".join([said.role or "role unknown", said.state or "state unknown", *more])


def of_manager(said: Managed | None) -> str:
    """The note of a node that a manager has; empty without one."""
    return "" if said is None else f"Patroni: {in_words(said)}"


def _said(facts: ServerFacts | DatabaseFacts | SprayerFacts | MailFacts) -> str:
    return facts.note or facts.error or ""


def _mail(facts: MailFacts) -> str:
    return facts.error or (OUT_OF_SERVICE if facts.in_service is False else facts.note)


_NOTES: Mapping[type, Callable[[Any], str]] = {
    DatabaseFacts: lambda facts: _said(facts) or of_manager(facts.managed),
    MailFacts: _mail,
}


def shown(server: ServerFacts, problem: Problem | None) -> str:
    """A server's state, and what it was told to be where that differs: `UP -> DRAIN`."""
    if problem is not None and problem.code in _TOLD_BY_THE_PROBLEM:
        return problems.state(problem)
    drains = server.state in DRAINS
    if server.target is ServerTarget.DRAIN and server.state in (ServerState.UP, ServerState.OVERLOADED):
        return f"{server.state} -> DRAIN"
    return f"{server.state} -> UP" if server.target is ServerTarget.UP and drains else server.state


def why(trouble: NodeTrouble, state: str) -> str:
    """Why a node is marked; never empty. A symptom names its cause; a state that the row shows is not said again."""
    problem, cause = trouble.problem, trouble.cause
    waits = None if cause is None else _WAITS.get(problem.code)
    if waits is not None and cause is not None:
        return f"{waits} {cause.subject}"
    told = problems.detail(problem) or problems.means(problem)
    label = problems.state(problem)
    return told if label == state else f"{label}: {told}"


_WAITS = {ProblemCode.SERVER_WAITING: "waits for", ProblemCode.SERVER_CUT_OFF: "no lease on"}


def seen_ago(age: float | None) -> str:
    """How long ago a node was seen."""
    return "not seen yet" if age is None else f"seen {span(age, fine=False)} ago"


def symptoms(found: Folded, users: int | None, total: int) -> list[tuple[str, str, str]]:
    """What a cause does, a line for each kind of symptom: the nodes, their state, and how many they are."""
    kinds: dict[ProblemCode, list[Problem]] = {}
    for one in found.symptoms:
        kinds.setdefault(one.code, []).append(one)
    return [(" ".join(one.subject for one in alike), problems.state(alike[0]), _alike(code, alike, users, total))
            for code, alike in kinds.items()]


def _alike(code: ProblemCode, alike: list[Problem], users: int | None, total: int) -> str:
    effect = _EFFECTS.get(code)
    if effect is None:
        return problems.detail(alike[0]) or problems.means(alike[0])
    told = "" if users is None else f": {count(users, 'user')} {effect}"
    return f"{len(alike)} of {total} without a lease{told}"


_EFFECTS = {ProblemCode.SERVER_WAITING: "wait", ProblemCode.SERVER_CUT_OFF: "get 503"}


def within(text: str, width: int) -> str:
    """As much of a text as fits, ended between two clauses, else between two words: a cut must mean the same."""
    if len(text) <= width:
        return text
    ends = [found.start() for found in _END.finditer(text) if found.start() < width]
    if not ends:
        ends = [place for place, letter in enumerate(text[:width]) if letter == " "]
    return f"{text[: ends[-1]]}…" if ends and ends[-1] > 0 else text
