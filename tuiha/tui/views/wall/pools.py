"""Several pools in words: the line of all of them on the wall, and the list from which one is opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuiha.tui.draw import figures
from tuiha.tui.draw.head import VERDICT_STYLES
from tuiha.tui.draw.lists import rule
from tuiha.tui.draw.marks import DOWN, IDLE, OK, WARN
from tuiha.tui.draw.spans import BLANK, Line, Span, fit, left, right, spread
from tuiha.tui.draw.trends import Trends
from tuiha.tui.draw.view import View
from tuiha.watch.child.messages import KnownVerdict
from tuiha.words.problems import what
from tuiha.words.states import serving

MARKS = {"well": OK, "warning": WARN, "bad": DOWN}


@dataclass(frozen=True)
class OnWall:
    """A pool on the wall; `failed` says why it cannot be watched at all."""

    view: View
    trends: Trends
    failed: str = ""
    watched_since: float = 0.0  # unix seconds
    day: Sequence[KnownVerdict] = ()  # what was recorded before, oldest first

    @property
    def stale(self) -> bool:
        """Whether what is known is older than three polls."""
        return self.view.old


def word_of(pool: OnWall) -> Span:
    """A pool's verdict with its mark; a pool that nobody hears of is worth no better word than that."""
    snapshot = pool.view.snapshot
    if pool.failed:
        return (f"{DOWN} NOT WATCHED", "bad")
    if snapshot is None:
        return (f"{IDLE} -", "quiet")
    if pool.stale:
        return (f"{WARN} OLD", "bad")
    style = VERDICT_STYLES[snapshot.verdict]
    return (f"{MARKS[style]} {snapshot.verdict.value}", style)


def all_pools(pools: Sequence[OnWall], shown: int, width: int) -> Line:
    """All pools in one line; the one that is shown is set off."""
    spans: list[Span] = [(" ", "text")]
    for place, pool in enumerate(pools):
        word, style = word_of(pool)
        name = "strong bold" if place == shown else "quiet"
        spans += [(pool.view.pool, name), (" ", "text"), (word, style + (" bold" if style == "bad" else "")),
                  ("   ", "text")]
    return Line(fit(spans, width), "cursor")


def list_lines(pools: Sequence[OnWall], cursor: int, now: float, width: int, height: int) -> list[Line]:
    """One line for each pool: verdict, servers, users, age, its worst problem; the footer last."""
    clock = ((f"{figures.clock(now)}Z ", "quiet"),)
    title = Line(spread(((" ", "text"), (f"{len(pools)} pools", "strong bold")),
                        (("LOCKED  ", "heading bold"), *clock), width))
    name = max(8, min(24, max((len(pool.view.pool) for pool in pools), default=8)))
    heading = f"   {left('POOL', name)} {left('VERDICT', 13)} SERVERS   USERS  AGE  WORST PROBLEM"
    room = max(1, height - 4)
    top = max(0, min(cursor - room // 2, len(pools) - room))
    rows = [_row(pool, top + place == cursor, name, width) for place, pool in enumerate(pools[top : top + room])]
    footer: list[Span] = []
    for key, meaning in (("j k", "move"), ("enter", "open"), ("q", "leave")):
        footer += [(f" {key}", "flow bold"), (f" {meaning} ", "quiet")]
    return [title, rule(width), Line(fit(((heading, "heading"),), width)), *rows,
            *[BLANK] * (room - len(rows)), Line(fit(footer, width))]


def _row(pool: OnWall, here: bool, name: int, width: int) -> Line:
    snapshot = pool.view.snapshot
    word, style = word_of(pool)
    interval = snapshot.interval if snapshot is not None else 1.0
    there, total = serving(snapshot) if snapshot is not None else (0, 0)
    problem = f"{snapshot.problems[0].subject} {what(snapshot.problems[0])}" if snapshot and snapshot.problems else ""
    age = "-" if snapshot is None else figures.age_text(pool.view.age, interval)
    return Line(fit((
        (" ▸ " if here else "   ", "flow bold"), (left(pool.view.pool, name), "strong bold"), (" ", "text"),
        (left(word, 13), f"{style} bold"), (" ", "text"),
        (right("-" if snapshot is None else f"{there}/{total}", 7), "text" if there == total else "bad bold"),
        (right(figures.count(snapshot.users) if snapshot is not None else "-", 8), "text"),
        (right(age, 5), "bad bold" if pool.stale else "quiet"), ("  ", "text"), (pool.failed or problem, style),
    ), width), "cursor" if here else "ground")
