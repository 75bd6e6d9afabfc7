"""Home: the answer on top, the picture where there is room, the nodes, what happened last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from tuiha.model.event_groups import grouped
from tuiha.tui.draw.causes import cause_lines
from tuiha.tui.draw.columns import NODES, ColumnSight, title_line
from tuiha.tui.draw.filter import EVERYTHING, NODE_FIELDS
from tuiha.tui.draw.head import aged, pair_line
from tuiha.tui.draw.lists import event_lines, problem_lines, rule
from tuiha.tui.draw.plots import fitting_plots
from tuiha.tui.draw.rows import ORDERS, Row, rows_of
from tuiha.tui.draw.spans import BLANK, Line, Span, fit, plain, width_of
from tuiha.tui.draw.view import View
from tuiha.tui.keys import EVERYWHERE, Key, bindings
from tuiha.tui.kit.filtered import Content, FilteredScreen
from tuiha.tui.kit.paper import Paper
from tuiha.tui.kit.screen import MOVES
from tuiha.tui.operations.node_keys import ACTING_KEYS, ActingScreen
from tuiha.tui.views.detail.sheet import detail_lines
from tuiha.tui.views.home.heat import FROM as HEAT_FROM
from tuiha.tui.views.home.heat import heat_lines
from tuiha.tui.views.home.picture import picture, picture_rows
from tuiha.tui.views.home.picture_database import mail_lines
from tuiha.tui.views.pool.plots import pool_plots
from tuiha.words.next import command

HOME_KEYS: tuple[Key, ...] = (
    *MOVES,
    *ACTING_KEYS,
    Key("home.detail", "enter", "detail", "the detail of the node under the cursor", "detail", first=True),
    Key("home.filter", "slash", "filter", "filter the nodes as you type", "filter"),
    Key("home.clear", "escape", "clear", "back: drop the filter"),
    Key("home.sort", "o", "sort", "sort by the next column", "sort"),
    Key("home.pane", "tab", "pane", "move between the nodes and the events", "pane"),
    *EVERYWHERE,
)
CONTENT = Content(NODES, ORDERS, NODE_FIELDS, "word !word role:mail state:down users>500")
PICTURE_FROM = 100  # columns
PICTURE_HEIGHT = 28  # rows: with fewer the table needs them all
PANE_FROM = 160
CAUSES_MOST = 10  # rows of what is wrong in the place of the plots
HEAT_SHORT = 4  # rows of the map of many servers where there is no picture
EVENTS = 6  # rows of events that plots leave
TABLE_LEAST = 8  # rows that the table keeps beside a list of what is wrong
PLOTS_LEAST = 4  # rows of plots, with the empty one before them
PANE = 60  # columns of the second pane
TABLE_FROM = 12  # rows; under them there are lines 1 to 3 and the problems


@dataclass(frozen=True, slots=True)
class Shape:
    """How many rows each part of Home has at a size; 0: left out."""

    head: int
    top: int  # the picture with its titles and the mail clusters
    table: int
    plots: int
    events: int


@dataclass(frozen=True, slots=True)
class RowsWanted:
    """How many rows each part of Home would fill."""

    nodes: int
    top: int  # what is above the table
    pictured: bool  # whether line 3 is in it
    causes: int = 0  # what is wrong, in the place of the plots
    events: int = EVENTS


def shape(height: int, wanted: RowsWanted) -> Shape:
    """Divide the terminal's rows. Parts that cannot be shown usefully give way to the table."""
    top = wanted.top
    if height < TABLE_FROM:
        return Shape(min(3, height), 0, 0, 0, 0)
    head_rows = 2 if wanted.pictured else 3
    room = height - head_rows - top - 4  # two rules, the titles, the footer
    least_events = 3 if room >= 10 else 2 if room >= 7 else 0
    if not least_events:
        return Shape(head_rows, top, max(1, room + 1), 0, 0)  # the rule above the events goes too
    causes = min(wanted.causes, max(0, room - least_events - TABLE_LEAST))
    table = max(1, min(wanted.nodes, room - least_events - causes))
    spare = room - table - max(least_events, min(EVENTS, wanted.events))
    plots = spare if spare >= (causes or PLOTS_LEAST) else causes
    return Shape(head_rows, top, table, plots, room - table - plots)


class HomeScreen(FilteredScreen[Row], ActingScreen, inherit_bindings=False):
    """The first screen."""

    KEYS = HOME_KEYS
    BINDINGS = bindings(HOME_KEYS)  # type: ignore[assignment]
    TITLE_TEXT = "Home"
    DEFAULT_CSS = """
    HomeScreen #middle { height: 1fr; }
    HomeScreen #left { width: 1fr; height: 1fr; }
    HomeScreen #side { width: 60; height: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__(CONTENT)
        self._picture = Paper(id="picture")
        self._side = Paper(id="side")
        self._middle = Horizontal(id="middle")
        self._plots = Paper(id="plots")
        self._events = Paper(id="events")
        self._in_events = False
        self._event_top = 0
        self._body: View | None = None
        self._wide = False

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield self._head
        yield self._picture
        yield self._titles
        with self._middle:
            with Vertical(id="left"):
                yield self._table
                yield self._plots
            yield self._side
        yield self._events
        yield self._footer
        self._entry.display = False
        yield self._entry

    # Painting

    def paint(self, live: View, body: View) -> None:
        """Draw this moment."""
        width, height = self.size
        if not width or not height:
            return
        snapshot = body.snapshot
        rows = () if snapshot is None else rows_of(snapshot, body.now)
        wide = width >= PICTURE_FROM and height >= PICTURE_HEIGHT
        self._wide = wide
        top = self._top_lines(body, width, height) if wide else self._short_top(body, width, height)
        causes = len(self._causes(body, width, CAUSES_MOST)) if wide else 0
        parts = shape(height, RowsWanted(len(rows), len(top), wide, causes, len(body.events)))
        self._head.show(self.head(live, width)[: parts.head], parts.head)  # where there is a picture, line 3 is in it
        self._picture.show(aged(body, top), len(top))
        self._paint_table(body, parts, width, rows)
        self._paint_bottom(body, parts, width, height)

    def _top_lines(self, view: View, width: int, height: int) -> list[Line]:
        """The picture and the mail clusters."""
        snapshot = view.snapshot
        if snapshot is None:
            return [rule(width), pair_line(view, width)]
        most = max(5, (height - 22) // 2)
        if len(snapshot.servers) >= HEAT_FROM:
            pair = pair_line(view, width)
            return [pair, rule(width), *heat_lines(snapshot, width, most + 8)]
        rows = picture_rows(snapshot, most)
        lines = [rule(width), *picture(snapshot, self.dashboard.trends, width, rows)]
        mail = mail_lines(snapshot, width, 2 if height < 36 else 4)
        if mail and plain(lines[-1]).strip():
            lines.append(BLANK)
        return [*lines, *mail]

    def _short_top(self, view: View, width: int, height: int) -> list[Line]:
        """Above the table where there is no picture: what is wrong, and a map of many servers."""
        snapshot = view.snapshot
        if snapshot is None or height < TABLE_FROM:
            return []
        heat = heat_lines(snapshot, width, HEAT_SHORT) if len(snapshot.servers) >= HEAT_FROM else []
        return [*self._causes(view, width, height // 4), *heat]

    def _causes(self, view: View, width: int, room: int) -> list[Line]:
        """What is wrong, cause first; nothing while nothing is."""
        return [] if view.snapshot is None else cause_lines(view.snapshot, view.known_at, width, room)

    def _paint_table(self, view: View, parts: Shape, width: int, rows: Sequence[Row]) -> None:
        kept = self.sifted(rows)
        self._middle.display = bool(parts.table)
        if not parts.table:
            self._titles.show((), 0)
            return
        pane = PANE if width >= PANE_FROM else 0
        at = view.now if view.snapshot is None else view.snapshot.at
        self._table.show(kept, ColumnSight(at, self.dashboard.trends, view.old), width - pane, parts.table)
        self._paint_plots(view, parts.plots, width - pane)
        titles = title_line(self._table.columns, width - pane, self.order.column)
        marked: Span = (f" marked: {' '.join(self.marked)} ", "armed")
        remark = [*((marked,) if self.marked else ()), *self.remarks(len(kept), len(rows), parts.table)]
        drawn = (("─" * max(0, width - width_of(remark) - 3), "lines"), *remark, ("───", "lines"))
        self._titles.show((Line(fit(drawn, width)), titles), 2)
        self._side.display = bool(pane)
        self._body = view
        self._paint_side()

    def _paint_side(self) -> None:
        """The second pane: the node under the cursor."""
        current = self._table.current
        if self._side.display and self._body is not None:
            lines = () if current is None else detail_lines(self._body, current.name, self.dashboard.trends, PANE - 2)
            drawn = [Line((("│ ", "lines"), *line.spans)) for line in lines]
            self._side.show(aged(self._body, drawn))

    def _paint_plots(self, view: View, room: int, width: int) -> None:
        """The pool's figures, where the nodes leave room for them; while something is wrong, what that is."""
        drawn: list[Line] = []
        if room and view.snapshot is not None:
            drawn = self._causes(view, width, min(room, CAUSES_MOST)) if self._wide else []
            plots, trends = pool_plots(view.snapshot), self.dashboard.trends
            if room - len(drawn) >= PLOTS_LEAST:
                drawn += [BLANK, *fitting_plots(plots, trends, view.snapshot.at, width, room - len(drawn) - 1)]
        self._plots.show(aged(view, drawn), room)

    def _paint_bottom(self, view: View, parts: Shape, width: int, height: int) -> None:
        if not parts.table:  # a very low terminal: the problems instead of the table
            problems = () if view.snapshot is None else view.snapshot.problems
            room = max(0, height - parts.head - 1)
            lines = list(aged(view, problem_lines(problems, view.known_at, width)[:room]))
            self._events.show((*lines, *[BLANK] * (room - len(lines))), room)
        elif parts.events:
            if self._event_top:
                last = max(0, len(tuple(grouped(view.events))) - parts.events)
                self._event_top = min(self._event_top, last)
            lines = list(event_lines(view.events, width, parts.events, self._event_top))
            self._events.show((rule(width, self._events_title()), *lines), parts.events + 1)
        else:
            self._events.show((), 0)
        self._footer.show((self.footer(width),), 0 if self._entry.display or height < 4 else 1)

    def _events_title(self) -> str:
        """Which pane is in use; or the note of the node under the cursor, where its column has cut it."""
        if self._in_events:
            return "events"
        row, place = self._table.current, next((one for one in self._table.columns if one.column.key == "note"), None)
        whole = row is None or not row.note or (place is not None and cell_len(row.note) <= place.width)
        return "" if row is None or whole else f"{row.name}: {row.note}"

    # Moving

    def action_move(self, rows: int) -> None:
        """Move the cursor, or the events when they are the pane in use."""
        if self._in_events:
            self._event_top = max(0, self._event_top + rows)
            self.dashboard.paint()
            return
        top = self._table.first_seen
        self._table.move(rows)
        if top != self._table.first_seen:
            self.dashboard.paint()
            return
        self._paint_side()  # and the note: a key must not draw everything again
        if self._events.lines:
            self._events.show((rule(self.size.width, self._events_title()), *self._events.lines[1:]))

    def action_first(self) -> None:
        """To the first row."""
        self.action_move(-1_000_000)

    def action_last(self) -> None:
        """To the last row."""
        self.action_move(1_000_000)

    def action_pane(self) -> None:
        """To the other pane."""
        self._in_events = not self._in_events
        self._event_top = 0
        self.dashboard.paint()

    def action_detail(self) -> None:
        """Into the node under the cursor."""
        current = self._table.current
        if current is not None:
            self.dashboard.show_detail(current.name)

    @property
    def row_under_cursor(self) -> Row | None:
        """What a key that acts on a node acts on."""
        return self._table.current

    def shell_command(self) -> str:
        """What comes next for the node under the cursor; for one that is as it should be, the state of the pool."""
        snapshot, current = self.dashboard.view.snapshot, self._table.current
        if snapshot is None or current is None:
            return "tuiha status"
        problems = (command(problem.next) for problem in snapshot.problems
                    if problem.subject == current.name and problem.next)
        return next(problems, "tuiha status")

    def action_clear(self) -> None:
        """Drop the filter; in a recording without one, back to the pool as it is."""
        if self._filter is EVERYTHING and not self._in_events and self.dashboard.past.active:
            self.dashboard.past.back()
            return
        self._filter = EVERYTHING
        self._in_events = False
        self.dashboard.paint()
