"""What is odd in how the sprayers see the pool servers: one judgement for `tuiha check` and the screen. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tuiha.model.reports import BackendReport, BackendState, SprayerReport
from tuiha.model.words import names, natural

_OUT = frozenset({BackendState.MAINT, BackendState.DRAIN})


@dataclass(frozen=True, slots=True)
class Oddity:
    """One of them, at one sprayer."""

    sprayer: str
    word: str  # of its problem on the screen
    what: str
    means: str
    remedy: str
    serious: bool = True
    lasts: int | None = None  # seconds, as far as the sprayer tells


def oddities(sprayers: dict[str, SprayerReport], serving: frozenset[str]) -> Iterator[Oddity]:
    """Compare what sprayers that answer say with the servers that are `serving`, and with each other."""
    for name, report in sprayers.items():
        backends = {one.server: one for one in report.backends}
        yield from _cut_off(name, [one for one in backends.values()
                                   if one.state is BackendState.DOWN and one.server in serving])
        taken = sorted((one.server for one in backends.values() if one.state in _OUT and _takes_elsewhere(
            one.server, name, sprayers)), key=natural)
        if taken:
            yield Oddity(name, "DIFFERS", f"{names(taken)} gets no new users here, and does elsewhere",
                         "somebody took it out at this sprayer alone: its share of the devices differs",
                         "; ".join(f"`set server BACKEND/{one} state ready` at its runtime socket" for one in taken)
                         + ", or take it out everywhere: " + "; ".join(f"tuiha plan drain {one}" for one in taken),
                         serious=False)
        unchecked = sorted((one.server for one in backends.values() if not one.checked), key=natural)
        if unchecked:
            yield Oddity(name, "UNCHECKED", f"it does not check the health of {names(unchecked)}",
                         "devices are sent there also when it is gone, cut off, or leaving",
                         "write `check` on its line `server` (config/haproxy.cfg), and then: systemctl reload haproxy",
                         serious=False)
        if report.lacking:
            yield Oddity(name, "NO MAP", f"it has no map {names(report.lacking)}",
                         "devices are forwarded by any server each time, and who holds an address is not known",
                         "write the path that its configuration has at sprayers.map (or held): "
                         f"{names(report.maps) or 'it has none; config/haproxy.cfg shows it'}", serious=False)


def _cut_off(name: str, away: list[BackendReport]) -> Iterator[Oddity]:
    if not away:
        return
    told = names((f"{one.server} ({one.check})" if one.check else one.server
                  for one in sorted(away, key=lambda one: natural(one.server))), 4)
    yield Oddity(name, "CUT OFF", f"does not reach {told}",
                 "devices are forwarded by other servers: slower, and with more load",
                 "compare the address on its line `server` with the server's, and open the way from the sprayer's host "
                 "to it", lasts=max((one.since_seconds for one in away if one.since_seconds is not None), default=None))


def _takes_elsewhere(server: str, here: str, sprayers: dict[str, SprayerReport]) -> bool:
    return any(one.server == server and one.state is BackendState.UP
               for name, report in sprayers.items() if name != here for one in report.backends)
