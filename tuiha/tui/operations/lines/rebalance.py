"""The sheet of a rebalance: its limits, and the users of every server before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuiha.model.operations.catalogue import BAND, IN_FLIGHT, RATE, TRIGGER, Option
from tuiha.model.words import names
from tuiha.tui.draw import figures
from tuiha.tui.draw.marks import CURSOR, bar
from tuiha.tui.draw.spans import BLANK, Line, Span, fit, left, right, spread
from tuiha.tui.operations.lines.plan import labelled, told


@dataclass(frozen=True, slots=True)
class RebalanceLimit:
    """An option of a rebalance with the values that the keys offer; the usual one is what the shell has too."""

    option: Option
    values: tuple[float, ...]
    share: bool = False  # shown in percent

    def shown(self, value: float) -> str:
        """The value as people read it."""
        return f"{value * 100:g} %" if self.share else f"{value:g}"


LIMITS: tuple[RebalanceLimit, ...] = (
    RebalanceLimit(RATE, (5, 10, 20, 50, 100, 200, 0)),
    RebalanceLimit(IN_FLIGHT, (1, 2, 5, 10, 20, 50, 100, 200)),
    RebalanceLimit(TRIGGER, (0.02, 0.05, 0.1, 0.15, 0.25, 0.5), True),
    RebalanceLimit(BAND, (0.0, 0.02, 0.05, 0.1, 0.2), True),
)


def options_of(values: Sequence[float]) -> dict[str, str]:
    """What differs from the usual, as options of the plan. Without a rate more is usual in flight than is shown."""
    chosen = {limit.option: value for limit, value in zip(LIMITS, values, strict=True)}
    return {option.name: f"{value:g}" for option, value in chosen.items()
            if value != option.usual or (option is IN_FLIGHT and not chosen[RATE])}


def stepped(limit: RebalanceLimit, value: float, by: int) -> float:
    """The next value on either side; the last one stays."""
    place = limit.values.index(value) + by
    return limit.values[max(0, min(place, len(limit.values) - 1))]


def limit_lines(values: Sequence[float], cursor: int, width: int) -> list[Line]:
    """The limits; the one under the cursor can be changed."""
    lines = []
    for place, (limit, value) in enumerate(zip(LIMITS, values, strict=True)):
        here = place == cursor
        mark: Span = (f"{CURSOR} " if here else "  ", "flow bold")
        told = limit.shown(value)
        spans: tuple[Span, ...] = (
            mark, (left(limit.option.name.replace("-", " "), 10), "strong bold" if here else "text"),
            (right(told, 6), "armed bold" if value != limit.option.usual else "text"),
            (f"  {limit.option.help}", "quiet"),
        )
        line = labelled("" if place else "Limits", spans, width)
        lines.append(Line(line.spans, "cursor" if here else "ground"))
    return lines


def sheet_lines(details: Mapping[str, Any], width: int) -> list[Line]:
    """What the rebalance would do, from a plan's details."""
    servers: Sequence[Mapping[str, Any]] = details.get("servers", ())
    moves, minimum = details.get("moves_planned", 0), details.get("minimum", 0)
    least = "the fewest that do it" if moves == minimum else f"at least {minimum:,} are needed"
    forced = f", {details['forced']:,} of them from servers that go" if details.get("forced") else ""
    logins = ", ".join(f"{name} {number:,}" for name, number in sorted(details.get("logins", {}).items()))
    pace = details.get("pace", {})
    rate = pace.get("rate")
    timed = f", in about {figures.duration(moves / rate)} at {rate:g} a second" if rate else ""
    moved = f"{moves:,} users: {least}{forced}{timed}" if moves else _unmoved(servers)
    lines = told("Moves", moved, width)
    lines += told("Log-ins", logins, width) if logins else []
    return [*lines, BLANK, *_server_lines(servers, width)]


def _unmoved(servers: Sequence[Mapping[str, Any]]) -> str:
    """Why no user moves."""
    over = [str(one["server"]) for one in servers
            if one.get("weight_before", one["users_before"]) > one["target"] * (1 + TRIGGER.usual)]
    if not over:
        return "none: every server is near its share"
    return f"none now: {names(over)} {'has' if len(over) == 1 else 'have'} more than a fair share, but the limits or " \
           "locks keep the users there"


def _server_lines(servers: Sequence[Mapping[str, Any]], width: int) -> list[Line]:
    most = max((max(one["users_before"], one["users_after"]) for one in servers), default=0)
    name = max([6, *(len(str(one["server"])) for one in servers)])
    name = min(name, 14)
    cells = max(4, (width - name - 50) // 2)
    head: tuple[Span, ...] = (
        (f"   {left('SERVER', name)}  {left('', 6)}{right('SHARE', 7)}  {left('BEFORE', cells + 8)}"
         f"  {left('AFTER', cells + 8)}{right('MOVE', 8)}", "heading"),
    )
    lines = [Line(fit(head, width))]
    for one in servers:
        before, after = one["users_before"], one["users_after"]
        change = after - before
        moved: Span = (right(f"{change:+,}" if change else "", 8), "well" if change > 0 else "warning")
        devices = f"  {one['devices_before']:,} ▸ {one['devices_after']:,} devices"
        start: tuple[Span, ...] = (
            (f"   {left(str(one['server']), name)}  ", "strong bold"), (left(str(one["part"]), 6), "quiet"),
            (right(f"{one['target']:,.0f}", 7) + "  ", "quiet"),
            *bar(before, most, cells, "heading"), (right(figures.count(before), 8), "text"), ("  ", "text"),
            *bar(after, most, cells, "armed"), (right(figures.count(after), 8), "strong bold"), moved,
        )
        room = width - 3 - name - 2 - 6 - 9 - 2 * (cells + 8) - 2 - 8
        lines.append(Line(spread(start, ((devices, "quiet"),) if len(devices) < room else (), width)))
    return lines
