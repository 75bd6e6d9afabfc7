"""The detail of one node, of whatever kind: identity, figures, 15 minutes of history, problems, events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuiha.model.facts import DatabaseFacts, MailFacts, ServerFacts, Snapshot
from tuiha.model.operations.catalogue import OPERATIONS, Group, key_of
from tuiha.model.problems.concerned import concerned
from tuiha.tui.draw import figures
from tuiha.tui.draw.lists import event_line, problem_lines, rule
from tuiha.tui.draw.marks import state_mark, state_style
from tuiha.tui.draw.plots import Plotted, plot_lines
from tuiha.tui.draw.rows import rows_of
from tuiha.tui.draw.spans import BLANK, Line, Span, fit, folded, left, spread, width_of
from tuiha.tui.draw.trends import Trends
from tuiha.tui.draw.view import View
from tuiha.tui.operations.lines.choices import Choice, choices
from tuiha.tui.shell import plan_command
from tuiha.tui.views.detail.portraits import Facts, Portrait, portrait_of
from tuiha.words.states import note

_SERVER = (  # what a server's detail offers, and what it leads to there
    ("drain", "its users go to the others, and it takes no new ones"), ("enable", "it takes users again"),
    ("rebalance", "spread users over all servers by capacity"),
)


@dataclass(frozen=True, slots=True)
class NodeCommand:
    """Something that can be done about a node. Whether it may be done now, its plan says."""

    key: str
    text: str  # the shell command
    means: str


def commands(node: Facts, snapshot: Snapshot) -> tuple[NodeCommand, ...]:
    """What applies to that node. Each is planned first, whatever it is."""
    if isinstance(node, ServerFacts):
        return _of_server(node)
    if isinstance(node, DatabaseFacts):
        return _of(choices(snapshot, None), Group.DATABASE)
    if isinstance(node, MailFacts):
        row = next((row for row in rows_of(snapshot, snapshot.at) if row.name == node.name), None)
        return _of(choices(snapshot, row), Group.MAIL)
    return ()


def _of_server(server: ServerFacts) -> tuple[NodeCommand, ...]:
    return (
        *(_planning(kind, (server.name,) if OPERATIONS[kind].takes.parameters else (), means)
          for kind, means in _SERVER),
        NodeCommand("5", "tuiha users", "find a user, see why it is where it is, move it"),
    )


def _of(offered: Sequence[Choice], group: Group) -> tuple[NodeCommand, ...]:
    return tuple(_planning(choice.kind, choice.target, choice.means)
                 for choice in offered if not choice.missing and OPERATIONS[choice.kind].group is group)


def _planning(kind: str, target: Sequence[str], means: str) -> NodeCommand:
    key = key_of(kind)
    return NodeCommand("" if key is None else key.key, plan_command(kind, target, {}), means)


def command_lines(offered: Sequence[NodeCommand], width: int) -> list[Line]:
    """The commands in a line each; none without any."""
    if not offered:
        return []
    column = min(max(width_of([(one.text, "")]) for one in offered), max(16, width // 2))
    lines = [rule(width, "commands: each is planned first")]
    for one in offered:
        lines.append(Line(fit((
            (f" {left(one.key, 3)}", "flow bold"), (left(one.text, column), "strong"), ("  ", "text"),
            (one.means, "text")), width)))
    return lines


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
    return problem_lines(mine, view.known_at, width)


def _events(view: View, name: str, width: int) -> list[Line]:
    mine = [event for event in view.events if event.subject == name][:EVENTS]
    shown = [event_line(event, width) for event in mine]
    return [rule(width, "last events"), *(shown or [Line(fit(((" none so far", "quiet"),), width))])]
