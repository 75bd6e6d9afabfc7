"""The commands that apply to a node: key, the equal shell command, what it means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuiha.model.facts import DatabaseFacts, MailFacts, ServerFacts, Snapshot
from tuiha.model.operations import OPERATIONS, Group, key_of
from tuiha.tui.draw.lists import rule
from tuiha.tui.draw.rows import rows_of
from tuiha.tui.draw.spans import Line, fit, left, width_of
from tuiha.tui.operations.lines.choices import Choice, choices
from tuiha.tui.shell import plan_command
from tuiha.tui.views.detail.portraits import Facts

_SERVER = (  # what a server's detail offers, and what it leads to there
    ("drain", "its users go to the others, and it takes no new ones"), ("enable", "it takes users again"),
    ("rebalance", "spread users over all servers by capacity"),
)


@dataclass(frozen=True, slots=True)
class Command:
    """Something that can be done about a node. Whether it may be done now, its plan says."""

    key: str
    text: str  # the shell command
    means: str


def commands(node: Facts, snapshot: Snapshot) -> tuple[Command, ...]:
    """What applies to that node. Each is planned first, whatever it is."""
    if isinstance(node, ServerFacts):
        return _of_server(node)
    if isinstance(node, DatabaseFacts):
        return _of(choices(snapshot, None), Group.DATABASE)
    if isinstance(node, MailFacts):
        row = next((row for row in rows_of(snapshot, snapshot.at) if row.name == node.name), None)
        return _of(choices(snapshot, row), Group.MAIL)
    return ()


def _of_server(server: ServerFacts) -> tuple[Command, ...]:
    return (
        *(_planning(kind, (server.name,) if OPERATIONS[kind].takes.parameters else (), means)
          for kind, means in _SERVER),
        Command("5", "tuiha users", "find a user, see why it is where it is, move it"),
    )


def _of(offered: Sequence[Choice], group: Group) -> tuple[Command, ...]:
    return tuple(_planning(choice.kind, choice.target, choice.means)
                 for choice in offered if not choice.missing and OPERATIONS[choice.kind].group is group)


def _planning(kind: str, target: Sequence[str], means: str) -> Command:
    key = key_of(kind)
    return Command("" if key is None else key.key, plan_command(kind, target, {}), means)


def command_lines(offered: Sequence[Command], width: int) -> list[Line]:
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
