"""The last 24 hours of a pool in one line: the worst verdict of each part, and the last incident."""

from __future__ import annotations

from collections.abc import Sequence

from tuiha.model.codes import Change, EventKind
from tuiha.model.facts import Event, Snapshot, Verdict
from tuiha.tui.draw import figures
from tuiha.tui.draw.head import VERDICT_STYLES
from tuiha.tui.draw.spans import Line, Span, fit
from tuiha.tui.views.wall.pools import MARKS
from tuiha.watch.child.messages import KnownVerdict

DAY = 86_400.0  # seconds
UNKNOWN = "·"
Stretch = tuple[float, float, Verdict]
"""From when to when (unix seconds) the pool had a verdict."""


def stretches(
    events: Sequence[Event], now: float, snapshot: Snapshot, since: float, recorded: Sequence[KnownVerdict] = ()
) -> list[Stretch]:
    """What is known of the last day, the newest first: the verdict of now, its changes since watching began (`since`),
    and what was recorded before.
    """
    seen = _seen(events, now, snapshot.verdict, since)
    if snapshot.verdict is Verdict.DOWN and snapshot.unserved_since is not None:
        seen = _begun(seen, snapshot.unserved_since)
    begin = seen[-1][0]
    before = [(one.begin, min(one.end, begin), Verdict(one.verdict)) for one in reversed(recorded)
              if one.begin < begin and one.verdict in tuple(Verdict)]
    return [*seen, *before]


def _begun(seen: list[Stretch], at: float) -> list[Stretch]:
    """The same when what is now began earlier than it was seen: the pool knows that better than the dashboard."""
    (start, end, verdict), *before = seen
    return [(min(start, at), end, verdict),
            *((begin, min(over, at), other) for begin, over, other in before if begin < at)]


def _seen(events: Sequence[Event], now: float, verdict: Verdict, since: float) -> list[Stretch]:
    """What was seen since watching began, the newest first; never empty."""
    found: list[Stretch] = []
    end, current = now, verdict
    for event in events:
        if event.kind is not EventKind.VERDICT or not isinstance(event.facts, Change):
            continue
        found.append((event.at, end, current))
        if event.facts.before not in tuple(Verdict):
            return found
        end, current = event.at, Verdict(event.facts.before)
    return [*found, (min(since, end), end, current)]


def day_line(known: Sequence[Stretch], now: float, width: int) -> Line:
    """A mark for each part of the day, and when the last incident began."""
    cells = 48 if width >= 100 else 24
    part = DAY / cells
    spans: list[Span] = [(" 24 h  ", "heading")]
    for cell in range(cells):
        begin = now - DAY + cell * part
        seen = [verdict for start, end, verdict in known if start <= begin + part and end > begin]
        worst = max(seen, key=_severity, default=None)
        style = "quiet" if worst is None else VERDICT_STYLES[worst]
        mark: Span = (UNKNOWN if worst is None else MARKS[style], style)
        if spans[-1][1] == style:
            spans[-1] = (spans[-1][0] + mark[0], style)
        else:
            spans.append(mark)
    bad = [one for one in known if one[2] is not Verdict.HEALTHY and one[1] > now - DAY]
    told = "no incident is known"
    if bad:
        start, end, verdict = bad[0]
        lasted = f"now for {figures.duration(now - start)}" if end >= now else figures.duration(end - start)
        told = f"last incident: {verdict.value} from {figures.clock(start)[:5]}Z, {lasted}"
    return Line(fit((*spans, (f"  {told}", "text")), width))


def _severity(verdict: Verdict) -> int:
    return ("well", "warning", "bad").index(VERDICT_STYLES[verdict])
