"""The topology picture: sprayers, servers, and each server's line to the physical database it is attached to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from tuiha.model.facts import ServerFacts, Snapshot, SprayerFacts
from tuiha.model.reports import BackendState, ServerState, SprayerState
from tuiha.model.scene import SERVING
from tuiha.tui.draw import figures
from tuiha.tui.draw.columns import full_span, short_resource
from tuiha.tui.draw.head import attachment_spans
from tuiha.tui.draw.marks import DOWN, OK, gauge, nice_limit, sparkline, state_mark, state_style
from tuiha.tui.draw.rows import by_fullness, is_astray
from tuiha.tui.draw.spans import Line, Span, clean, fit, left, on_ground, right
from tuiha.tui.draw.trends import Trends
from tuiha.tui.views.home.picture_database import database_block, database_rows

LIGHT = 1
HEAVY = 2
_UP, _RIGHT, _DOWN, _LEFT = range(4)
# The box character for the weights (0 none, 1 light, 2 heavy) of the arms up, right, down, left:
# the index is their number in base three.
_BOXES = " ╴╸╷┐┑╻┒┓╶─╾┌┬┭┎┰┱╺╼━┍┮┯┏┲┳╵┘┙│┤┥╽┧┪└┴┵├┼┽┟╁╅┕┶┷┝┾┿┢╆╈╹┚┛╿┦┩┃┨┫┖┸┹┞╀╃┠╂╉┗┺┻┡╄╇┣╊╋"


class Strokes:
    """Strokes on a grid. Where strokes of several styles meet, the one of the highest rank colours the cell."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._arms: dict[tuple[int, int], list[int]] = {}
        self._styles: dict[tuple[int, int], tuple[int, str]] = {}
        self._marks: dict[tuple[int, int], str] = {}

    def across(self, y: int, x1: int, x2: int, style: str, weight: int = LIGHT, rank: int = 0) -> None:
        """A level stroke from the middle of cell x1 to the middle of cell x2."""
        for x in range(min(x1, x2), max(x1, x2)):
            self._arm(x, y, _RIGHT, style, weight, rank)
            self._arm(x + 1, y, _LEFT, style, weight, rank)

    def along(self, x: int, y1: int, y2: int, style: str, weight: int = LIGHT, rank: int = 0) -> None:
        """An upright stroke from the middle of cell y1 to the middle of cell y2."""
        for y in range(min(y1, y2), max(y1, y2)):
            self._arm(x, y, _DOWN, style, weight, rank)
            self._arm(x, y + 1, _UP, style, weight, rank)

    def mark(self, x: int, y: int, text: str, style: str, rank: int = 9) -> None:
        """Characters over whatever strokes there are."""
        for offset, character in enumerate(text):
            self._marks[(x + offset, y)] = character
            self._style(x + offset, y, style, rank)

    def row(self, y: int) -> tuple[Span, ...]:
        """The spans of one row, exactly `width` cells."""
        spans: list[Span] = []
        for x in range(self.width):
            character = self._marks.get((x, y)) or self._box(x, y)
            style = self._styles.get((x, y), (0, "lines"))[1]
            if spans and (spans[-1][1] == style or character == " "):
                spans[-1] = (spans[-1][0] + character, spans[-1][1])
            else:
                spans.append((character, style))
        return tuple(spans)

    def _box(self, x: int, y: int) -> str:
        up, right, down, left = self._arms.get((x, y), (0, 0, 0, 0))
        return _BOXES[27 * up + 9 * right + 3 * down + left]

    def _arm(self, x: int, y: int, arm: int, style: str, weight: int, rank: int) -> None:
        arms = self._arms.setdefault((x, y), [0, 0, 0, 0])
        arms[arm] = max(arms[arm], weight)
        self._style(x, y, style, rank)

    def _style(self, x: int, y: int, style: str, rank: int) -> None:
        if rank >= self._styles.get((x, y), (-1, ""))[0]:
            self._styles[(x, y)] = (rank, style)


SPRAYERS = 19  # cells of the sprayers' block
DATABASES = 33
ENTRY = 7  # cells of the strokes between sprayers and servers
EXIT = 8  # cells of the strokes between servers and databases
BAR_MOST = 24
RESOURCE = 8  # cells of the name of the resource that limits a server
MANY = 64  # servers: the scale of the sparklines is taken from so many
RATE = "requests_per_second"
LEAST_ROWS = 5  # the databases need that many
_ATTACHED = frozenset({*SERVING, ServerState.CUT_OFF})


@dataclass(frozen=True, slots=True)
class ShownServer:
    """A server of the picture with its row, or (server None) the row that stands for the rest."""

    row: int
    server: ServerFacts | None


@dataclass(frozen=True, slots=True)
class _Plan:
    """The widths of what stands beside a server's name; 0: left out."""

    name: int
    bar: int
    resource: int
    spark: int

    @property
    def width(self) -> int:
        return 2 + self.name + 1 + self.bar + 5 + (self.resource and self.resource + 1) + 7 + self.spark_cells

    @property
    def spark_cells(self) -> int:
        return self.spark and self.spark + 2


def picture_rows(snapshot: Snapshot | None, most: int) -> int:
    """Rows of the picture without its titles, at most `most`."""
    if snapshot is None:
        return LEAST_ROWS
    return max(LEAST_ROWS, min(most, max(len(snapshot.servers), 2 * len(snapshot.sprayers))))


def picture(snapshot: Snapshot, trends: Trends, width: int, rows: int) -> tuple[Line, ...]:
    """The picture in exactly `rows` rows under one row of titles."""
    shown, rest = _choose(snapshot, rows)
    plan = _plan(snapshot, width - SPRAYERS - ENTRY - EXIT - DATABASES - 1)
    rate = _rate_limit(snapshot, plan, trends)
    sprayers = _sprayer_block(snapshot.sprayers, rows)
    entry = _entry(snapshot, shown, rest, rows)
    leave = _leave(snapshot, shown, rest, rows)
    databases = database_block(snapshot, rows)
    by_row = {place.row: place.server for place in shown}
    lines = [_titles(plan, snapshot, width)]
    for row in range(rows):
        server = by_row.get(row)
        if server is not None:
            middle = _server_spans(server, snapshot, plan, rate, trends)
        else:
            middle = _rest_spans(rest) if rest and row == rows - 1 else ()
        attached = (*fit(middle, plan.width), *leave.row(row))
        if server is not None and is_astray(server, snapshot):
            attached = on_ground(attached, "alarm")
        end = fit(databases[row], width - SPRAYERS - ENTRY - plan.width - EXIT)
        lines.append(Line((*fit(sprayers[row], SPRAYERS), *entry.row(row), *attached, *end)))
    return tuple(lines)


def _rate_limit(snapshot: Snapshot, plan: _Plan, trends: Trends) -> float:
    """One scale for all servers, so that their sparklines compare."""
    known = [
        value for server in snapshot.servers[:MANY]
        for value in trends.means(server.name, RATE, plan.spark, snapshot.at) if value is not None
    ]
    return nice_limit(max(known, default=1.0))


def _choose(snapshot: Snapshot, rows: int) -> tuple[list[ShownServer], list[ServerFacts]]:
    """The servers that get a row, and the others: what is wrong gets one first, then the fullest."""
    ordered = sorted(snapshot.servers, key=lambda server: by_fullness(server.full, server.name))
    if len(ordered) <= rows:
        return [ShownServer(row, server) for row, server in enumerate(ordered)], []
    worst = {"bad": 0, "warning": 1, "quiet": 2, "well": 3}
    first = sorted(ordered, key=lambda server: (not is_astray(server, snapshot), worst[state_style(server.state)]))
    kept = {server.name for server in first[: rows - 1]}
    shown = [server for server in ordered if server.name in kept]
    return [ShownServer(row, server) for row, server in enumerate(shown)], first[rows - 1 :]


def _plan(snapshot: Snapshot, room: int) -> _Plan:
    longest = max((cell_len(clean(server.name)) for server in snapshot.servers), default=2)
    name = max(3, min(10, longest))
    fixed = 2 + name + 1 + 5 + 7  # mark, name, the two numbers
    spare = room - fixed
    resource = RESOURCE if spare >= 16 else 0
    spare -= resource and resource + 1
    spark = max(12, spare - 2 - BAR_MOST) if spare >= 22 else 0
    spare -= spark and spark + 2
    return _Plan(name, max(4, spare), resource, spark)


def _titles(plan: _Plan, snapshot: Snapshot, width: int) -> Line:
    """Each title over what it names."""
    places = [(1, "SPRAYERS"), (SPRAYERS + ENTRY, "SERVERS")]
    x = SPRAYERS + ENTRY + 2 + plan.name + 1 + plan.bar
    places.append((x + 1, "FULL"))
    x += 5
    if plan.resource:
        places.append((x + 1, "LIMIT"))
        x += plan.resource + 1
    places.append((x + 2, "USERS"))
    if plan.spark:
        places.append((x + 7 + 2, "REQ/S 15 min"))
    end = SPRAYERS + ENTRY + plan.width + EXIT
    text = ""
    for place, title in (*places, (end, "DATABASE")):
        text = left(text, place) + title
    spread_over = attachment_spans(snapshot) if any(is_astray(s, snapshot) for s in snapshot.servers) else ()
    return Line(fit(((text, "heading"), ("  ", "text"), *spread_over), width))


def _sprayer_block(sprayers: Sequence[SprayerFacts], rows: int) -> list[tuple[Span, ...]]:
    block: list[tuple[Span, ...]] = [()] * rows
    fitting = rows // 2
    for place, sprayer in enumerate(sprayers[:fitting]):
        style = "strong bold" if sprayer.active else "text bold"
        sessions = "" if sprayer.sessions is None else figures.count(sprayer.sessions)
        if sprayer.state is not SprayerState.UP:
            sessions = sprayer.state
        block[2 * place] = (
            (" ", "text"), state_mark(sprayer.state), (" ", "text"), (left(sprayer.name, 8), style),
            (right(sessions, 7), "text" if sprayer.state is SprayerState.UP else f"{state_style(sprayer.state)} bold"),
        )
        block[2 * place + 1] = (("   " + _sprayer_note(sprayer), "quiet"),)
    if len(sprayers) > fitting and rows:
        block[rows - 1] = ((f"   +{len(sprayers) - fitting} more sprayers", "quiet"),)
    return block


def _sprayer_note(sprayer: SprayerFacts) -> str:
    if sprayer.state is not SprayerState.UP:
        return sprayer.error or sprayer.note or "no device comes in"
    if sprayer.requests_per_second is not None and sprayer.active:
        return f"{figures.count(sprayer.requests_per_second)} requests/s"
    return sprayer.note or ("carries devices" if sprayer.active else "standby")


def _entry(
    snapshot: Snapshot, shown: Sequence[ShownServer], rest: Sequence[ServerFacts], rows: int
) -> Strokes:
    """Strokes from each sprayer to the servers that it sends devices to."""
    strokes = Strokes(ENTRY, rows)
    bus, sources = 3, []
    for number, sprayer in enumerate(snapshot.sprayers[: rows // 2]):
        if sprayer.state is SprayerState.UP:
            rank = 2 if sprayer.active else 1
            strokes.across(2 * number, 1, bus, "flow" if sprayer.active else "quiet", LIGHT, rank)
            sources.append(2 * number)
    if not sources:
        return strokes
    open_to = {
        backend.server for sprayer in snapshot.sprayers if sprayer.state is SprayerState.UP
        for backend in sprayer.backends if backend.state is BackendState.UP
    }
    reached = [place.row for place in shown if place.server is not None and place.server.name in open_to]
    if any(server.name in open_to for server in rest):
        reached.append(rows - 1)
    for row in reached:
        strokes.across(row, bus, ENTRY - 2, "flow", LIGHT, 3)
        strokes.mark(ENTRY - 2, row, "▶", "flow")
    strokes.along(bus, min(*sources, *reached, rows), max(*sources, *reached, 0), "flow", LIGHT, 3)
    return strokes


def _server_spans(
    server: ServerFacts, snapshot: Snapshot, plan: _Plan, rate: float, trends: Trends
) -> tuple[Span, ...]:
    astray = is_astray(server, snapshot)
    spans: list[Span] = [
        (DOWN, "bad bold") if astray else state_mark(server.state), (" ", "text"),
        (left(server.name, plan.name), "strong bold"), (" ", "text"),
    ]
    if server.state is not ServerState.UP:
        spans += _troubled_spans(server, plan)
    else:
        text, style = full_span(server.full)
        tint = "bad" if astray else "flow" if style == "text" else style.split()[0]
        spans += [*gauge(server.full, 100, plan.bar, tint), (right(text, 5), style)]
        if plan.resource:
            spans.append((f" {left(short_resource(server.limited_by), plan.resource)}", "quiet"))
        spans.append((right(figures.count(server.users), 7), "strong"))
    if plan.spark:
        rates = trends.means(server.name, RATE, plan.spark, snapshot.at)
        spans += [("  ", "text"), (sparkline(rates, rate), "bad" if astray else "flow")]
    return tuple(spans)


def _troubled_spans(server: ServerFacts, plan: _Plan) -> list[Span]:
    """The state as a word, with its reason where there is room, beside the users that it still has."""
    room = plan.width - plan.name - plan.spark_cells - 3 - 7
    reason = clean(server.note or server.error or "")
    word = f"{server.state} {reason}" if len(server.state) + cell_len(reason) < room else server.state
    users = "" if server.users is None else figures.count(server.users)
    return [(left(word, room), f"{state_style(server.state)} bold"), (right(users, 7), "text")]


def _rest_spans(rest: Sequence[ServerFacts]) -> tuple[Span, ...]:
    users = sum(server.users or 0 for server in rest)
    well = all(server.state is ServerState.UP for server in rest)
    return (
        (OK if well else DOWN, "well" if well else "warning"),
        (f" {len(rest)} more servers", "text"),
        (f"  {figures.count(users)} users", "quiet"),
    )


def _leave(
    snapshot: Snapshot, shown: Sequence[ShownServer], rest: Sequence[ServerFacts], rows: int
) -> Strokes:
    """Each server's line to the physical database that it is attached to; a wrong one is heavy and red."""
    strokes = Strokes(EXIT, rows)
    targets = database_rows(snapshot, rows)
    lines: dict[str, list[int]] = {}
    for place in shown:
        server = place.server
        if server is None or server.state in (ServerState.LEFT, ServerState.UNKNOWN):
            continue
        if server.state not in _ATTACHED or server.database not in targets:
            strokes.mark(1, place.row, "╌╌╳", "bad bold")
            continue
        lines.setdefault(server.database, []).append(place.row)
    for database in {server.database for server in rest if server.database in targets}:
        lines.setdefault(str(database), []).append(rows - 1)
    for name, sources in lines.items():
        wrong = snapshot.active is not None and name != snapshot.active
        answers = any(database.name == name and database.reachable for database in snapshot.databases)
        _draw_bus(strokes, sources, targets[name], wrong, answers)
    return strokes


def _draw_bus(strokes: Strokes, sources: Sequence[int], target: int, wrong: bool, answers: bool) -> None:
    style = "well" if answers and not wrong else "bad"
    weight, rank = (HEAVY, 5) if wrong else (LIGHT, 3)
    bus = 4 if wrong else 2
    for row in sources:
        strokes.across(row, 1, bus, style, weight, rank)
    strokes.along(bus, min(*sources, target), max(*sources, target), style, weight, rank)
    strokes.across(target, bus, EXIT - 2, style, weight, rank)
    strokes.mark(EXIT - 2, target, "▶", f"{style} bold" if wrong else style)
