"""The outage around a change of the database, from moments that steps read back. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tuiha.model.operations.evidence import StepId
from tuiha.model.operations.plans import Moment
from tuiha.model.operations.statements import Statement

_ENDS = frozenset({StepId.ATTACH})
_HOLDS = frozenset({StepId.HOLD})


@dataclass(frozen=True, slots=True)
class Interruption:
    """What an operation means for requests; moments are unix seconds, None where they are not known (yet)."""

    lost_at: float | None = None  # the last lease before the outage was renewed: nobody was served from then on
    held_at: float | None = None  # the operation began to keep requests from the database
    served_at: float | None = None  # the last server got its lease on the new primary

    @property
    def unserved(self) -> float | None:
        """Seconds for which nobody was served, decided upon or not."""
        return _between(self.lost_at, self.served_at)

    @property
    def held(self) -> float | None:
        """Seconds for which the operation held requests."""
        return _between(self.held_at, self.served_at)


def interruption(steps: Iterable[str], moments: Mapping[Moment, float]) -> Interruption | None:
    """The outage of an operation with these steps (their ids); None when its steps keep no request from the database.

    A planned change holds requests itself. In a failover nobody is served when its first step begins.
    """
    known = frozenset(steps)
    if not known & _ENDS:
        return None
    begins = Moment.HELD if known & _HOLDS else Moment.BEGUN
    served, lost = moments.get(Moment.SERVED), moments.get(Moment.RENEWED)
    if lost is not None and served is not None and served < lost:
        lost = None
    return Interruption(lost, moments.get(begins), served)


def moments_of(evidence: Iterable[Statement | None]) -> dict[Moment, float]:
    """Every moment in the evidence of steps, the first of each name."""
    found: dict[Moment, float] = {}
    for said in evidence:
        for name in Moment if said is not None else ():
            at = said.number(name) if said is not None else None
            if at is not None:
                found.setdefault(name, at)
    return found


def _between(begin: float | None, end: float | None) -> float | None:
    return None if begin is None or end is None else max(0.0, end - begin)
