"""What is odd in how the sprayers see the pool servers: one judgement for `tuiha check` and the screen. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from tuiha.model.codes import Away, Oddity, ProblemCode
from tuiha.model.reports import BackendReport, BackendState, SprayerReport
from tuiha.model.words import natural

_OUT = frozenset({BackendState.MAINT, BackendState.DRAIN})


def oddities(sprayers: dict[str, SprayerReport], serving: frozenset[str]) -> Iterator[Oddity]:
    """Compare what sprayers that answer say with the servers that are `serving`, and with each other."""
    for name, report in sprayers.items():
        backends = {one.server: one for one in report.backends}
        yield from _cut_off(name, [one for one in backends.values()
                                   if one.state is BackendState.DOWN and one.server in serving])
        taken = sorted((one.server for one in backends.values() if one.state in _OUT and _takes_elsewhere(
            one.server, name, sprayers)), key=natural)
        if taken:
            yield Oddity(ProblemCode.DIFFERS, name, tuple(taken), serious=False)
        unchecked = sorted((one.server for one in backends.values() if not one.checked), key=natural)
        if unchecked:
            yield Oddity(ProblemCode.UNCHECKED, name, tuple(unchecked), serious=False)
        if report.lacking:
            yield Oddity(ProblemCode.NO_MAP, name, lacking=report.lacking, maps=report.maps, serious=False)


def _cut_off(name: str, away: list[BackendReport]) -> Iterator[Oddity]:
    if not away:
        return
    yield Oddity(ProblemCode.CUT_OFF, name,
                 away=tuple(Away(one.server, one.check) for one in sorted(away, key=lambda one: natural(one.server))),
                 lasts=max((one.since_seconds for one in away if one.since_seconds is not None), default=None))


def _takes_elsewhere(server: str, here: str, sprayers: dict[str, SprayerReport]) -> bool:
    return any(one.server == server and one.state is BackendState.UP
               for name, report in sprayers.items() if name != here for one in report.backends)
