"""The wall: one pool in figures that are read from across a room, and a word on each of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tuiha.model.facts import Snapshot
from tuiha.tui.draw import figures
from tuiha.tui.draw.head import VERDICT_STYLES, attendance, ground_of, pair_line
from tuiha.tui.draw.lists import event_lines, problem_lines, rule
from tuiha.tui.draw.marks import DOWN, IDLE, OK, WARN, nice_limit, sparkline
from tuiha.tui.draw.plots import fitting_plots
from tuiha.tui.draw.spans import BLANK, Line, Span, cut, fit, joined, left, right, spread
from tuiha.tui.draw.trends import Trends
from tuiha.tui.draw.view import View
from tuiha.tui.views.home.picture import picture, picture_rows
from tuiha.tui.views.pool.plots import pool_plots
from tuiha.words.problems import what

# Each is five rows of dots; a missing one is drawn as a gap.
_ROWS: Mapping[str, tuple[str, str, str, str, str]] = {
    "0": ("###", "# #", "# #", "# #", "###"),
    "1": (" # ", "## ", " # ", " # ", "###"),
    "2": ("###", "  #", "###", "#  ", "###"),
    "3": ("###", "  #", " ##", "  #", "###"),
    "4": ("# #", "# #", "###", "  #", "  #"),
    "5": ("###", "#  ", "###", "  #", "###"),
    "6": ("###", "#  ", "###", "# #", "###"),
    "7": ("###", "  #", " # ", " # ", " # "),
    "8": ("###", "# #", "###", "# #", "###"),
    "9": ("###", "# #", "###", "  #", "###"),
    "A": ("###", "# #", "###", "# #", "# #"),
    "D": ("## ", "# #", "# #", "# #", "## "),
    "E": ("###", "#  ", "## ", "#  ", "###"),
    "G": ("###", "#  ", "# #", "# #", "###"),
    "H": ("# #", "# #", "###", "# #", "# #"),
    "I": ("###", " # ", " # ", " # ", "###"),
    "L": ("#  ", "#  ", "#  ", "#  ", "###"),
    "N": ("#  #", "## #", "# ##", "#  #", "#  #"),
    "O": ("###", "# #", "# #", "# #", "###"),
    "P": ("###", "# #", "###", "#  ", "#  "),
    "R": ("## ", "# #", "## ", "# #", "# #"),
    "S": ("###", "#  ", "###", "  #", "###"),
    "T": ("###", " # ", " # ", " # ", " # "),
    "U": ("# #", "# #", "# #", "# #", "###"),
    "W": ("#   #", "#   #", "# # #", "## ##", "#   #"),
    "Y": ("# #", "# #", "###", " # ", " # "),
    "K": ("# #", "# #", "## ", "# #", "# #"),
    "k": ("#  ", "# #", "## ", "# #", "# #"),
    "M": ("#   #", "## ##", "# # #", "#   #", "#   #"),
    "m": ("     ", "     ", "#### ", "# # #", "# # #"),
    "s": ("   ", " ##", "#  ", " ##", "## "),
    ",": ("  ", "  ", "  ", " #", "# "),
    ".": (" ", " ", " ", " ", "#"),
    "/": ("  #", "  #", " # ", "#  ", "#  "),
    "-": ("   ", "   ", "###", "   ", "   "),
    "<": ("  #", " # ", "#  ", " # ", "  #"),
    "%": ("# #", "  #", " # ", "#  ", "# #"),
    " ": ("  ", "  ", "  ", "  ", "  "),
}
HIGH = 5  # rows when a dot is two cells
_HALVES = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def _dots(text: str) -> list[str]:
    """The text as five rows of dots, a gap between letters."""
    letters = [_ROWS.get(letter) or _ROWS.get(letter.upper()) or _ROWS[" "] for letter in text]
    widths = [max(map(len, letter)) for letter in letters]
    return [" ".join(letter[row].ljust(width) for letter, width in zip(letters, widths, strict=True))
            for row in range(5)]


def width_of_large(text: str, high: bool) -> int:
    """Cells that the text takes."""
    return len(_dots(text)[0]) * (2 if high else 1)


def large(text: str, high: bool) -> list[str]:
    """The text in five rows (a dot is two cells) or, not high, in three (a dot is half a cell)."""
    rows = _dots(text)
    if high:
        return ["".join("██" if dot == "#" else "  " for dot in row) for row in rows]
    rows = [*rows, " " * len(rows[0])]
    return ["".join(_HALVES[upper == "#", lower == "#"] for upper, lower in zip(rows[top], rows[top + 1], strict=True))
            for top in (0, 2, 4)]


WALL = "WALL"
_MARKS = {"well": OK, "warning": WARN, "bad": DOWN}
GAP = 2  # cells between figures
EVENTS = 6  # rows of events that plots leave
PICTURE_FROM = (100, 18)  # columns, and rows that nothing else needs, from which the pool is drawn as well
BIG_FROM = (150, 36)  # columns and rows from which the figures are as large as the verdict


@dataclass(frozen=True)
class OnWall:
    """A pool on the wall; `failed` says why it cannot be watched at all."""

    view: View
    trends: Trends
    failed: str = ""

    @property
    def stale(self) -> bool:
        """Whether what is known is older than three polls."""
        snapshot = self.view.snapshot
        return snapshot is not None and figures.is_stale(self.view.age, snapshot.interval)


def wall_lines(pools: Sequence[OnWall], shown: int, width: int, height: int) -> list[Line]:
    """The whole wall: the pool that is shown now, and the line of all pools when there are several."""
    if not pools:
        return [Line(fit(((" no pool to watch", "warning"),), width))]
    pool = pools[shown]
    bottom = [_all_pools(pools, shown, width)] if len(pools) > 1 else []
    room = max(1, height - len(bottom))
    lines = [_top(pool.view, shown, len(pools), width), *_banner(pool, width)]
    snapshot = pool.view.snapshot
    if snapshot is None:
        text = pool.failed or "looking at the pool"
        lines += [BLANK, Line(fit(((f" {text}", "bad bold" if pool.failed else "quiet"),), width))]
    else:
        lines += _body(pool, snapshot, width, room - len(lines))
    lines = lines[:room]
    return [*lines, *[BLANK] * (room - len(lines)), *bottom]


def _top(view: View, shown: int, pools: int, width: int) -> Line:
    interval = view.snapshot.interval if view.snapshot is not None else 1.0
    stale = figures.is_stale(view.age, interval)
    which: list[Span] = [(f"{shown + 1} of {pools}", "quiet")] if pools > 1 else []
    age: list[Span] = [("age ", "quiet"), (figures.age_text(view.age, interval) if view.snapshot else "-",
                                           "bad bold" if stale else "quiet")]
    clock: list[Span] = [(figures.clock(view.now) + "Z", "quiet")] if view.clock else []
    end = (*joined([which, [(WALL, "heading bold")], age, clock]), (" ", "text"))
    return Line(spread(((" ", "text"), (cut(view.pool, max(8, width // 2)), "strong bold")), end, width),
                ground_of(view.snapshot))


def _banner(pool: OnWall, width: int) -> list[Line]:
    """Old data are never shown as if they were new."""
    if not pool.stale:
        return []
    age = figures.duration(pool.view.age)
    text = f" THIS IS {age} OLD: nobody knows how the pool is now"
    return [Line(fit(((text.center(width), "bad bold"),), width), "alarm")]


def _body(pool: OnWall, snapshot: Snapshot, width: int, room: int) -> list[Line]:
    style = VERDICT_STYLES[snapshot.verdict]
    high = width_of_large(snapshot.verdict.value, high=True) <= width - 2 and room >= 20
    word = large(snapshot.verdict.value, high)
    if room < 10 or width_of_large(snapshot.verdict.value, high=False) > width - 2:
        word = [snapshot.verdict.value]
    lines = [BLANK] if room >= 12 else []
    lines += [Line(fit(((f" {row}", f"{style} bold"),), width)) for row in word]
    below = [BLANK, *_figures(pool, snapshot, width, big=width >= BIG_FROM[0] and room >= BIG_FROM[1]), BLANK,
             pair_line(pool.view, width)]
    spare = room - len(lines) - len(below)
    problems = problem_lines(snapshot.problems, pool.view.now, width)[: max(1, spare - 1)]
    if problems:
        lines += [BLANK, *problems] if spare > len(problems) else problems
    lines += below
    spare = room - len(lines)
    if spare >= PICTURE_FROM[1] and width >= PICTURE_FROM[0]:
        rows = picture_rows(snapshot, spare - 9)
        lines += [BLANK, rule(width), *picture(snapshot, pool.trends, width, rows)]
        spare = room - len(lines)
    plots = fitting_plots(pool_plots(snapshot), pool.trends, snapshot.at, width, spare - EVENTS - 3)
    if plots and width >= PICTURE_FROM[0]:
        lines += [BLANK, *plots]
        spare = room - len(lines)
    if spare >= 4:
        lines += [BLANK, rule(width), *event_lines(pool.view.events, width, spare - 2)]
    return lines


def _figures(pool: OnWall, snapshot: Snapshot, width: int, big: bool) -> list[Line]:
    """Four figures side by side: title, the figure, its last 15 minutes."""
    there, total = attendance(snapshot)
    rates = [server.requests_per_second for server in snapshot.servers if server.requests_per_second is not None]
    slowest = max((s.latency_ms for s in snapshot.servers if s.latency_ms is not None), default=None)
    rate = sum(rates) if rates else None
    shown = (
        ("USERS", figures.count(snapshot.users), "strong", "users"),
        ("REQUESTS/S", figures.count(rate), "strong", "requests_per_second"),
        ("SLOWEST ms", figures.UNKNOWN if slowest is None else f"{slowest:.0f}", "strong", ""),
        ("SERVERS", f"{there}/{total}", "well" if there == total else "bad", ""),
    )
    cell = max(6, (width - 1) // len(shown))
    rows: list[list[Span]] = [[(" ", "text")] for _ in range(2 + (5 if big else 3))]
    for title, text, style, metric in shown:
        drawn = _largest(text, big, cell - GAP)
        drawn += [""] * (len(rows) - 2 - len(drawn))
        trend = pool.trends.means(snapshot.pool, metric, cell - 2 * GAP, snapshot.at) if metric else ()
        limit = nice_limit(max((value for value in trend if value is not None), default=1.0))
        column = [(title, "heading"), *((row, f"{style} bold") for row in drawn), (sparkline(trend, limit), "flow")]
        for row, (part, look) in zip(rows, column, strict=True):
            row.append((left(part, cell), look))
    return [Line(fit(row, width)) for row in rows]


def _largest(text: str, big: bool, width: int) -> list[str]:
    """The text as large as it fits."""
    for shorter in (text, text.replace(",", "")):
        for high in (True, False) if big else (False,):
            if width_of_large(shorter, high) <= width:
                return large(shorter, high)
    return [text]


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
    return (f"{_MARKS[style]} {snapshot.verdict.value}", style)


def _all_pools(pools: Sequence[OnWall], shown: int, width: int) -> Line:
    """All pools in one line; the one that is shown is set off."""
    spans: list[Span] = [(" ", "text")]
    for place, pool in enumerate(pools):
        word, style = word_of(pool)
        name = "strong bold" if place == shown else "quiet"
        spans += [(pool.view.pool, name), (" ", "text"), (word, style + (" bold" if style == "bad" else "")),
                  ("   ", "text")]
    return Line(fit(spans, width), "cursor")


# The list from which a pool is opened


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
    there, total = attendance(snapshot) if snapshot is not None else (0, 0)
    problem = f"{snapshot.problems[0].subject} {what(snapshot.problems[0])}" if snapshot and snapshot.problems else ""
    age = "-" if snapshot is None else figures.age_text(pool.view.age, interval)
    return Line(fit((
        (" ▸ " if here else "   ", "flow bold"), (left(pool.view.pool, name), "strong bold"), (" ", "text"),
        (left(word, 13), f"{style} bold"), (" ", "text"),
        (right("-" if snapshot is None else f"{there}/{total}", 7), "text" if there == total else "bad bold"),
        (right(figures.count(snapshot.users) if snapshot is not None else "-", 8), "text"),
        (right(age, 5), "bad bold" if pool.stale else "quiet"), ("  ", "text"), (pool.failed or problem, style),
    ), width), "cursor" if here else "ground")
