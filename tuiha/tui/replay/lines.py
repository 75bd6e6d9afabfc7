"""What is drawn of a recording: where one is in it, what changed since the snapshot before, what happened in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from tuiha.model.facts import Snapshot, Verdict
from tuiha.tui.draw import figures
from tuiha.tui.draw.head import SEVERITY_STYLES, VERDICT_STYLES
from tuiha.tui.draw.lists import event_line, rule
from tuiha.tui.draw.spans import BLANK, Line, Span, cut, fit, left, right, spread, width_of
from tuiha.words.events import text

if TYPE_CHECKING:
    from tuiha.watch.recording.replay import Where
    from tuiha.watch.recording.store import Block

KEYS = ((",.", "step"), ("<>", "change"), ("=", "compare"), ("@", "go to"), ("t", "live"))
RESTLESS = frozenset({"seen_at", "at", "number"})  # figures that are another one in every snapshot
GAP = 120.0  # seconds without a snapshot
_MARKS = {"well": "─", "warning": "▄", "bad": "█"}


def date(at: float) -> str:
    """Unix seconds as `21 Nov`, in UTC."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).strftime("%d %b").lstrip("0")


def past_line(where: Where, snapshot: Snapshot, live: Snapshot | None, width: int) -> Line:
    """The last line in REPLAY: when, what changed just then, how the pool is now if it is not well, the keys."""
    keys: list[Span] = []
    for key, meaning in KEYS:
        keys += [(key, "flow bold"), (f" {meaning}  ", "quiet")]
    now: list[Span] = []
    if live is not None and live.verdict is not Verdict.HEALTHY:
        style = VERDICT_STYLES[live.verdict]
        now = [("  now ", "quiet"), (live.verdict.value, f"{style} bold"), ("  ", "text")]
    start: list[Span] = [(f" {date(snapshot.at)} {figures.clock(snapshot.at)}Z", "strong bold")]
    if where.remark:
        start.append((f"  {where.remark}", "warning"))
    elif where.before is not None:
        step = snapshot.at - where.before.at
        start.append((f"  +{step:.1f}s" if step < 100 else f"  after {figures.duration(step)}",
                      "quiet" if step <= 3 * snapshot.interval else "warning"))
        if where.here:
            more = f" (+{len(where.here) - 1})" if len(where.here) > 1 else ""
            start.append((f"  {where.here[0].subject} {text(where.here[0])}{more}",
                          SEVERITY_STYLES[where.here[0].severity]))
    if width_of((*start, *now, *keys)) > width - 2:  # what happened counts for more than what keys do
        keys = [(f"{text} ", style) for text, style in keys if style != "quiet"]
    return Line(spread(start, (*(now or [("  ", "text")]), *keys), width))


# The whole of a recording in one line


def verdict_style(verdict: str) -> str:
    """The style of a verdict's word; one that is not known is shown as bad."""
    return VERDICT_STYLES[Verdict(verdict)] if verdict in Verdict.__members__ else "bad"


def strip(blocks: Sequence[Block], at: float, width: int) -> tuple[Line, Line, Line]:
    """Where `at` is; the recording from left to right, each cell the worst of its time; its ends."""
    first, last = blocks[0].first_at, blocks[-1].last_at
    scale = max(1.0, last - first) / max(1, width - 2)
    worst: list[str | None] = [None] * (width - 2)
    rank = {"well": 0, "warning": 1, "bad": 2}
    for block in blocks:
        style = verdict_style(block.verdict)
        begin, end = int((block.first_at - first) / scale), int((block.last_at - first) / scale)
        for cell in range(max(0, begin), min(len(worst), end + 1)):
            known = worst[cell]
            if known is None or rank[style] > rank[known]:
                worst[cell] = style
    spans: list[Span] = [(" ", "text")]
    for found in worst:
        spans.append((" " if found is None else _MARKS[found], found or "text"))
    place = max(0, min(len(worst) - 1, int((at - first) / scale)))
    ends = (f"{date(first)} {figures.clock(first)}Z", f"{date(last)} {figures.clock(last)}Z")
    return (Line(fit(((" " * (place + 1), "text"), ("▼", "strong bold")), width)), Line(fit(spans, width)),
            Line(spread(((f" {ends[0]}", "quiet"),), ((f"{ends[1]} ", "quiet"),), width)))


# What changed since the snapshot before


@dataclass(frozen=True, slots=True)
class SnapshotChange:
    """A figure of a node, before and after."""

    node: str
    figure: str
    before: str
    after: str
    weighty: bool  # a word or a yes or no, and not just a number


def changes(old: Snapshot, new: Snapshot) -> Iterator[SnapshotChange]:
    """What differs between two snapshots, node by node; what is another one every second by its nature is left out."""
    yield from _changes(new.pool, old, new)
    for name in ("databases", "servers", "sprayers", "mail"):
        before = {node.name: node for node in getattr(old, name)}
        for node in getattr(new, name):
            was = before.pop(node.name, None)
            if was is None:
                yield SnapshotChange(node.name, "", "", "new", True)
            else:
                yield from _changes(node.name, was, node)
        for gone in before:
            yield SnapshotChange(gone, "", "", "gone", True)


def _changes(name: str, old: Any, new: Any) -> Iterator[SnapshotChange]:
    for field in fields(new):
        before, after = getattr(old, field.name, None), getattr(new, field.name)
        if before == after or field.name in RESTLESS or isinstance(after, tuple) or isinstance(before, tuple):
            continue
        number = isinstance(after, (int, float)) and not isinstance(after, bool)
        if _shown(before) != _shown(after):
            yield SnapshotChange(name, field.name.replace("_", " "), _shown(before), _shown(after), not number)


def _shown(value: object) -> str:
    if value is None:
        return figures.UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 1 else f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def past_lines(where: Where, snapshot: Snapshot, width: int) -> list[Line]:
    """The recording in one line, the events of this step, and every figure that is another one than before."""
    lines = [*strip(where.blocks, snapshot.at, width), BLANK]
    if where.before is None:
        return [*lines, Line(fit(((" the recording begins here: there is nothing to compare with", "quiet"),), width))]
    since = figures.clock(where.before.at)
    lines.append(rule(width, f"changed since {since}Z, {snapshot.at - where.before.at:.1f} s before"))
    lines += [event_line(event, width) for event in where.here]
    if not where.here:
        lines.append(Line(fit(((" nothing happened but figures", "quiet"),), width)))
    lines.append(rule(width, "figures"))
    found = sorted(changes(where.before, snapshot), key=lambda change: not change.weighty)
    if not found:
        lines.append(Line(fit(((" all figures are as before", "quiet"),), width)))
    room = max(6, (width - 40) // 2)
    for change in found:
        lines.append(Line(fit((
            (" ", "text"), (left(change.node, 12), "heading"), (" ", "text"), (left(change.figure, 20), "text"),
            (" ", "text"), (right(cut(change.before, room), min(room, 14)), "quiet"), ("  →  ", "quiet"),
            (cut(change.after, room + 6), "warning" if change.weighty else "strong")), width)))
    return lines


# What happened in it


@dataclass(frozen=True, slots=True)
class Incident:
    """A time in which the pool was not well, as far as blocks tell it (to the minute)."""

    begin: float
    end: float
    verdict: str
    changes: int


def incidents(blocks: Sequence[Block]) -> tuple[Incident, ...]:
    """Runs of blocks that are not healthy, newest first; a time in which nothing was recorded ends one."""
    found: list[Incident] = []
    open_one: Incident | None = None
    for block in blocks:
        if block.verdict == Verdict.HEALTHY.value:
            open_one = None
            continue
        if open_one is None or block.first_at - open_one.end > GAP:
            open_one = Incident(block.first_at, block.last_at, block.verdict, block.changes)
            found.append(open_one)
        else:
            worse = max(open_one.verdict, block.verdict, key=_rank)
            open_one = Incident(open_one.begin, block.last_at, worse, open_one.changes + block.changes)
            found[-1] = open_one
    return tuple(reversed(found))


def _rank(verdict: str) -> int:
    return {"well": 0, "warning": 1, "bad": 2}[verdict_style(verdict)]
