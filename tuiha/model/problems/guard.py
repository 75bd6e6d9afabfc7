"""What an operator should know of guards: none is active, one is paused, or one waits for an acknowledgement."""

from __future__ import annotations

from collections.abc import Iterator

from tuiha.model.codes import Action, Next, PausedGuard, ProblemCode, plan
from tuiha.model.facts import Look, NodeKind, Problem, Severity


def guard_problems(look: Look) -> Iterator[Problem]:
    """None where guards have no orders, or nothing could be read yet."""
    record = look.guard.report if look.guard is not None else None
    if record is None:
        return
    pause = record.notes.paused(look.at)
    if record.report is None:
        yield Problem(Severity.WARNING, NodeKind.POOL, look.pool, ProblemCode.GUARD_OFF, next=Next(Action.GUARD))
    if pause is not None:
        yield Problem(Severity.NOTE, NodeKind.POOL, look.pool, ProblemCode.GUARD_PAUSED,
                      PausedGuard(pause.until, pause.by, pause.reason), pause.at, next=plan("resume-guard"))
    if record.to_acknowledge:
        yield Problem(Severity.NOTE, NodeKind.POOL, look.pool, ProblemCode.GUARD_HELD,
                      next=plan("acknowledge-guard"))
