"""Which nodes a problem is about beside the one that has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tuiha.model.codes import (
    Commits,
    Dispute,
    Lost,
    Named,
    Oddity,
    OperationFacts,
    ProblemCode,
    Recorded,
    Split,
    TwoRecords,
)
from tuiha.model.facts import Problem


def concerned(problem: Problem) -> tuple[str, ...]:
    """The names of other nodes in a problem's facts."""
    if problem.code in _NO_NODES:
        return ()
    told = _NODES.get(type(problem.facts))
    return () if told is None else told(problem.facts)


def _split(facts: Split) -> tuple[str, ...]:
    return (*facts.writable, *(place.database for place in facts.places),
            *(name for place in facts.places for name in place.servers))


# Their names are those of pools and of places in the configuration, or the database that is down has no part in it.
_NO_NODES = frozenset({ProblemCode.UNVERIFIED, ProblemCode.SERVER_OF_OTHER_POOL, ProblemCode.DATABASE_OF_OTHER_POOL,
                       ProblemCode.DATABASE_DOWN})
_NODES: Mapping[type, Callable[[Any], tuple[str, ...]]] = {
    Split: _split,
    Dispute: lambda facts: (facts.database, *facts.servers),
    Lost: lambda facts: () if facts.active is None else (facts.active,),
    Commits: lambda facts: (facts.partner,),
    Named: lambda facts: facts.names,
    Recorded: lambda facts: facts.names,
    OperationFacts: lambda facts: facts.targets,
    Oddity: lambda facts: (*facts.servers, *(away.server for away in facts.away)),
    TwoRecords: lambda facts: (facts.active, facts.row_active),
}
