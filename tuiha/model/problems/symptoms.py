"""Causes and their symptoms: of five problems four may be what the first one does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from tuiha.model.codes import LostMail, Oddity, ProblemCode
from tuiha.model.facts import NodeKind, Problem, Severity


@dataclass(frozen=True, slots=True)
class Folded:
    """A cause, and the problems that end with it."""

    cause: Problem
    symptoms: tuple[Problem, ...] = ()


def folded(problems: Iterable[Problem]) -> tuple[Folded, ...]:
    """The problems in their order, each symptom under its cause."""
    found: list[tuple[Problem, list[Problem]]] = []
    for problem in problems:
        under = next((symptoms for cause, symptoms in found if is_symptom(problem, cause)), None)
        if under is None:
            found.append((problem, []))
        else:
            under.append(problem)
    return tuple(Folded(cause, tuple(symptoms)) for cause, symptoms in found)


@dataclass(frozen=True, slots=True)
class NodeTrouble:
    """A node's worst problem, and the cause that it is a symptom of."""

    problem: Problem
    cause: Problem | None = None


def troubles(problems: Iterable[Problem]) -> Mapping[str, NodeTrouble]:
    """The worst that is wrong with each node, by its name."""
    found: dict[str, NodeTrouble] = {}
    for one in folded(problems):
        for trouble in (NodeTrouble(one.cause), *(NodeTrouble(symptom, one.cause) for symptom in one.symptoms)):
            known = found.get(trouble.problem.subject)
            if known is None or _WEIGHT[trouble.problem.severity] < _WEIGHT[known.problem.severity]:
                found[trouble.problem.subject] = trouble
    return found


_WEIGHT = {Severity.BAD: 0, Severity.WARNING: 1, Severity.NOTE: 2}


def is_symptom(problem: Problem, cause: Problem) -> bool:
    """Whether a problem is what another one does."""
    judge = _JUDGES.get(problem.code)
    return judge is not None and cause.severity is not Severity.NOTE and judge(problem, cause)


def _of_the_pair(_: Problem, cause: Problem) -> bool:
    return cause.kind is NodeKind.DATABASE or cause.code in (ProblemCode.NO_LEADER, ProblemCode.OPERATION_HALF_WAY,
                                                            ProblemCode.OPERATION_INTERRUPTED)


def _of_the_primary(_: Problem, cause: Problem) -> bool:
    return cause.code is ProblemCode.DATABASE_DOWN


def _of_servers(problem: Problem, cause: Problem) -> bool:
    facts = problem.facts
    return isinstance(facts, Oddity) and cause.kind is NodeKind.SERVER \
        and {away.server for away in facts.away} == {cause.subject}


def _of_mail(problem: Problem, cause: Problem) -> bool:
    return isinstance(cause.facts, LostMail) and cause.facts.cluster == problem.subject


_JUDGES: Mapping[ProblemCode, Callable[[Problem, Problem], bool]] = {
    ProblemCode.SERVER_WAITING: _of_the_pair,
    ProblemCode.SERVER_CUT_OFF: _of_the_pair,
    ProblemCode.NOT_STREAMING: _of_the_primary,
    ProblemCode.CUT_OFF: _of_servers,
    ProblemCode.WITHOUT_MAIL: _of_mail,
}
SYMPTOMS = frozenset(_JUDGES)  # problems that may be what another one does
