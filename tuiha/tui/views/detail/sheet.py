"""The detail of one node, of whatever kind: identity, figures, 15 minutes of history, problems, events."""

from __future__ import annotations

from tuiha.model.facts import Snapshot
from tuiha.model.problems.concerned import concerned
from tuiha.tui.draw import figures
from tuiha.tui.draw.lists import event_line, problem_lines, rule
from tuiha.tui.draw.marks import state_mark, state_style
from tuiha.tui.draw.plots import Plotted, plot_lines
from tuiha.tui.draw.spans import BLANK, Line, Span, fit, folded, left, spread
from tuiha.tui.draw.trends import Trends
from tuiha.tui.draw.view import View
from tuiha.tui.views.detail.commands import command_lines, commands
from tuiha.tui.views.detail.portraits import Facts, Portrait, portrait_of
from tuiha.words.states import note

LABEL = 17  # cells of a label
EXTRA = 7  # cells before what goes on from the line above
PLOT_ROWS, PLOT_HIGH = 4, 8  # rows of a plot, and where the terminal is high
HIGH_FROM = 50  # rows
EVENTS = 8


def find_node(snapshot: Snapshot, name: str) -> Facts | None:
    """The node of that name."""
    nodes: tuple[Facts, ...] = (
        *snapshot.servers, *snapshot.databases, *snapshot.sprayers, *snapshot.mail,
    )
    return next((node for node in nodes if node.name == name), None)


def detail_lines(view: View, name: str, trends: Trends, width: int, height: int = 0) -> tuple[Line, ...]:
    """Everything that is known of a node, for a terminal of that height."""
    snapshot = view.snapshot
    node = None if snapshot is None else find_node(snapshot, name)
    if snapshot is None or node is None:
        return (BLANK, Line(fit(((f" {name} is not in the newest snapshot", "warning"),), width)))
    portrait = portrait_of(node, snapshot, view.now)
    lines = [_title(node, portrait, view, width), *_problems(view, snapshot, node.name, width), BLANK]
    lines += [*_two_columns(portrait, width), *(part for line in portrait.extra for part in folded(line, width, EXTRA))]
    plotted = [Plotted(node.name, metric) for metric in portrait.metrics]
    lines += [BLANK, *plot_lines(plotted, trends, snapshot.at, width, PLOT_HIGH if height >= HIGH_FROM else PLOT_ROWS)]
    lines += command_lines(commands(node, snapshot), width)
    return (*lines, *_events(view, node.name, width))


def _title(node: Facts, portrait: Portrait, view: View, width: int) -> Line:
    style = state_style(node.state)
    interval = view.snapshot.interval if view.snapshot else 1.0
    age = None if node.seen_at is None else max(0.0, view.now - node.seen_at)
    stale = figures.is_stale(age, interval)
    start: list[Span] = [
        (" ", "text"), state_mark(node.state), (f" {node.name}", "strong bold"), (f"  {portrait.kind}  ", "heading"),
        (node.state, f"{style} bold"), (f"  {node.error or note(node)}", style if node.error else "quiet"),
    ]
    end: list[Span] = [("  seen ", "quiet"), (figures.age_text(age, interval), "bad bold" if stale else "text"),
                       (" ago ", "quiet")]
    return Line(spread(start, end, width))


def _two_columns(portrait: Portrait, width: int) -> list[Line]:
    pairs = (portrait.identity, portrait.figures)
    if width < 70:
        return [Line(fit(_pair(label, value, width), width)) for column in pairs for label, value in column]
    half = width // 2
    lines = []
    for row in range(max(len(column) for column in pairs)):
        spans: list[Span] = []
        for column in pairs:
            spans += fit(_pair(*column[row], half) if row < len(column) else (), half)
        lines.append(Line(fit(spans, width)))
    return lines


def _pair(label: str, value: Span, width: int) -> tuple[Span, ...]:
    return fit(((" " + left(label, LABEL), "quiet"), value), width)


def _problems(view: View, snapshot: Snapshot, name: str, width: int) -> list[Line]:
    mine = [problem for problem in snapshot.problems if name in (problem.subject, *concerned(problem))]
    if not mine:
        return []
    return problem_lines(mine, view.now, width)


def _events(view: View, name: str, width: int) -> list[Line]:
    mine = [event for event in view.events if event.subject == name][:EVENTS]
    shown = [event_line(event, width) for event in mine]
    return [rule(width, "last events"), *(shown or [Line(fit(((" none so far", "quiet"),), width))])]
