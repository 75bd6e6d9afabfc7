"""The operation that has the pool now, as screens tell of it."""

from __future__ import annotations

from tuiha.model.facts import Severity
from tuiha.model.operations.catalogue import Group, of_group
from tuiha.model.operations.intent import Condition
from tuiha.model.problems.operation import Running, running
from tuiha.tui.draw.marks import CURSOR
from tuiha.tui.draw.spans import Line, Span, fit, spread
from tuiha.tui.draw.view import View

OF_THE_PAIR = tuple(one.name for one in of_group(Group.DATABASE))


def goes_on(found: Running | None) -> str:
    """What somebody who leaves is told while an operation runs; empty when none does."""
    if found is None:
        return ""
    return (f"{found.kind} by {found.owner} continues without this terminal. "
            f"`tuiha` opens it again; `tuiha operations {found.id}` shows it.")


def running_line(view: View, width: int, ground: str, key: str = "a") -> Line | None:
    """Line 2 while an operation's runner lives; None when none does, or when something worse is to be said.

    A change of the database pair explains itself what is wrong meanwhile; a bad problem beside any other stays.
    """
    found = running(view.snapshot)
    if found is None or view.snapshot is None or found.condition is not Condition.RUNNING:
        return None  # one that has stopped is a problem, which says the way out
    bad = any(problem.severity is Severity.BAD for problem in view.snapshot.problems)
    if bad and found.kind not in OF_THE_PAIR:
        return None
    where = f"step {found.step}: {found.action}" if found.step else "before its first step"
    start: tuple[Span, ...] = (
        (f" {CURSOR} {found.kind} ", "armed bold"), (f"runs, {where} ", "armed"), (f" by {found.owner}", "quiet"),
    )
    end: tuple[Span, ...] = (("  ", "text"), (key, "flow bold"), (" attaches ", "quiet"))
    return Line(spread(start, end, width), ground)


def running_elsewhere(found: Running, width: int) -> tuple[Line, ...]:
    """What is known of an operation whose journal is on another host: what the ledger says."""
    where = f"step {found.step}: {found.action}" if found.step else "before its first step"
    told: tuple[tuple[Span, ...], ...] = (
        ((" RUN  ", "armed bold"), (found.kind, "strong bold"), (f"   operation {found.id}", "quiet")),
        ((f" by {found.owner}, from {found.host}", "armed"),),
        (),
        ((f" {CURSOR} ", "flow bold"), (where, "strong bold")),
        (),
        ((f" Its journal is on {found.host}: there each step shows its evidence, and it can be stopped.", "quiet"),),
        ((" Here is what the ledger says; the result comes through the database.", "quiet"),),
    )
    return tuple(Line(fit(spans, width)) for spans in told)
