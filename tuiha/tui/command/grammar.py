"""The commands of the command line: their grammar is the shell command's, and so are their names.

`tuiha plan drain s2` in a shell is `:plan drain s2` here, or `:drain s2`. An operation is planned, never started.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tuiha.model.facts import Snapshot
from tuiha.model.operations.catalogue import NOTHING, OPERATIONS, Operation, Takes, misuse, takes
from tuiha.model.problems.operation import running
from tuiha.tui.keys import HOME, VIEWS
from tuiha.tui.kit.offers import Offer
from tuiha.tui.operations.application import OperatingApplication
from tuiha.tui.replay.travel import unclear
from tuiha.tui.theme import theme_names

Options = Mapping[str, str]
Run = Callable[[OperatingApplication, tuple[str, ...], Options], None]
Check = Callable[[OperatingApplication, tuple[str, ...]], str]
Asked = Callable[[str, Sequence[str], str], Iterable[tuple[str, str]]]


class Unclear(ValueError):
    """What was typed is no command, or not all of one; the text says what to type."""


def _fine(_dashboard: OperatingApplication, _words: tuple[str, ...]) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the command line."""

    help: str
    run: Run
    takes: Takes = NOTHING
    kinds: tuple[str, ...] = ()  # of operations that it plans: one of them
    check: Check = _fine  # why these words cannot be meant; empty: they can

    @property
    def danger(self) -> bool:
        """Whether it is the way to a change of the pool."""
        return bool(self.kinds)

    def misuse(self, name: str, words: Sequence[str], options: Options) -> str:
        """Why the words or the options are not what it takes, under the name that was typed; empty when they are."""
        if self.kinds:
            wrong = [misuse(kind, words, options) for kind in self.kinds]
            return wrong[0] if all(wrong) else ""
        return "" if self.takes.fits(len(words)) else f"{name} takes {self.takes.usage or 'nothing more'}"


def _operation(kind: Operation) -> Command:
    """The command that plans a kind of operation."""
    def run(dashboard: OperatingApplication, words: tuple[str, ...], options: Options) -> None:
        dashboard.action_show_view(HOME)
        dashboard.ways.open_plan(kind.name, words, options)

    return Command(kind.help, run, kind.takes, (kind.name,))


def _asked_of_the_pool(dashboard: OperatingApplication, _words: tuple[str, ...]) -> str:
    return "this dashboard has no database to look devices up in" if dashboard.operations.only_watches else ""


def _failover(dashboard: OperatingApplication, words: tuple[str, ...], options: Options) -> None:
    """`:failover mail2` says which of the two is meant."""
    snapshot = dashboard.view.snapshot
    mail = {facts.name for facts in snapshot.mail} if snapshot is not None else set()
    kind = "failover-mail" if words and set(words) <= mail else "failover"
    _operation(OPERATIONS[kind]).run(dashboard, words, options)


def _view(name: str) -> Run:
    def run(dashboard: OperatingApplication, words: tuple[str, ...], _options: Options) -> None:
        dashboard.action_show_view(name)
        if words:
            dashboard.find(" ".join(words))

    return run


def _known(kind: str) -> Check:
    def check(dashboard: OperatingApplication, words: tuple[str, ...]) -> str:
        if not words:
            return ""
        names = [name for name, _ in _candidates(kind, dashboard.view.snapshot)]
        if words[0] in names:
            return ""
        near = difflib.get_close_matches(words[0], names, 1)
        return f"there is no {kind.lower()} '{words[0]}'" + (f": did you mean {near[0]}?" if near else "")

    return check


def _show_node(dashboard: OperatingApplication, words: tuple[str, ...], _options: Options) -> None:
    dashboard.action_show_view(HOME)
    dashboard.show_detail(words[0])


def _unlock(dashboard: OperatingApplication, reason: str) -> None:
    dashboard.operations.unlock(reason)
    dashboard.paint()


COMMANDS: dict[str, Command] = {
    **{name: _operation(kind) for name, kind in OPERATIONS.items()},
    "failover": Command("the active database, or a mail server, is down: continue without it", _failover,
                        OPERATIONS["failover"].takes, ("failover", "failover-mail")),
    "devices": Command("the devices of a user", lambda dashboard, words, _: dashboard.show_devices(words[0]),
                       takes("USER"), check=_asked_of_the_pool),
    "node": Command("the detail of a node", _show_node, takes("NODE"), check=_known("NODE")),
    "filter": Command("filter what is in front; without words: everything",
                      lambda dashboard, words, _: dashboard.find(" ".join(words)), takes("[TEXT...]")),
    **{view.name: Command(f"{view.title}: {view.shows}", _view(view.name), takes("[TEXT...]")) for view in VIEWS},
    "status": Command("Home", _view(HOME)),
    "theme": Command("other colours, until this dashboard is left",
                     lambda dashboard, words, _: dashboard.use_theme(words[0]), takes("THEME"), check=_known("THEME")),
    "unlock": Command("unlock changes for 15 minutes, with this reason",
                   lambda dashboard, words, _: _unlock(dashboard, " ".join(words)), takes("TEXT..."),
                   check=lambda dashboard, _: dashboard.operations.refusal or ""),
    "lock": Command("lock changes", lambda dashboard, _words, _options: dashboard.operations.lock()),
    "poll": Command("poll the pool again, now", lambda dashboard, _words, _options: dashboard.action_poll_now()),
    "pause": Command("stop painting, or continue", lambda dashboard, _words, _options: dashboard.action_pause()),
    "replay": Command("the pool as it was recorded: 03:00, 2026-11-21 03:00 or 15m before; without a word its end",
                      lambda dashboard, words, _: dashboard.past.go(" ".join(words)), takes("[TEXT...]"),
                      check=lambda _, words: unclear(" ".join(words))),
    "live": Command("back from a recording to the pool as it is",
                    lambda dashboard, _words, _options: dashboard.past.back()),
    "help": Command("the keys of Home", lambda dashboard, _words, _options: dashboard.action_show_help()),
    "q": Command("leave, as quit does", lambda dashboard, _words, _options: dashboard.leave()),
    "quit": Command("leave; the pool does not notice", lambda dashboard, _words, _options: dashboard.leave()),
}
_PREFIXES = ("tuiha", "plan")  # as in a shell, for those who paste what the screen suggests


def words_of(text: str) -> list[str]:
    """The words as a shell takes them apart. Raises Unclear."""
    try:
        words = shlex.split(text)
    except ValueError:
        raise Unclear("a quotation mark is never closed") from None
    for prefix in _PREFIXES:
        if words and words[0] == prefix:
            words = words[1:]
    return words


def parse(text: str) -> tuple[Command, tuple[str, ...], Options]:
    """The command, its words and its options (`--option NAME=VALUE`). Raises Unclear."""
    words = words_of(text)
    if not words:
        raise Unclear("type a command; tab completes it")
    name, *rest = words
    command = COMMANDS.get(name)
    if command is None:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        raise Unclear(f"there is no command '{name}'" + (f": did you mean {near[0]}?" if near else ""))
    options, taken = _options(rest) if command.danger else ({}, rest)
    if wrong := command.misuse(name, taken, options):
        raise Unclear(wrong)
    return command, tuple(taken), options


def _options(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    options: dict[str, str] = {}
    taken: list[str] = []
    waiting = False
    for word in words:
        if word == "--option" and not waiting:
            waiting = True
            continue
        body = word.removeprefix("--option=")
        if not waiting and body == word:
            taken.append(word)
            continue
        option, sign, value = body.partition("=")
        if not option or not sign:
            raise Unclear("write --option NAME=VALUE")
        options[option], waiting = value, False
    if waiting:
        raise Unclear("write --option NAME=VALUE")
    return options, taken


def _unasked(_kind: str, _before: Sequence[str], _begun: str) -> Iterable[tuple[str, str]]:
    return ()


def complete(text: str, snapshot: Snapshot | None, against: str | None, asked: Asked = _unasked) -> tuple[Offer, ...]:
    """How the last word of the text can go on; `against` is why nothing can be changed now, None when it can.

    `asked` has names that no snapshot has, of a kind, after these words of the command, with this beginning.
    """
    try:
        words = words_of(text)
    except Unclear:
        return ()
    fresh = not text or text[-1].isspace()
    if not words or (len(words) == 1 and not fresh):
        begun = words[0] if words else ""
        return tuple(
            Offer(name, f"{name} {command.takes.usage}".strip(), told=command.help,
                  against=(command.danger and against) or "")
            for name, command in sorted(COMMANDS.items(), key=lambda item: not item[0].startswith(begun))
            if begun in name
        )
    command = COMMANDS.get(words[0])
    taken = None if command is None else command.takes.at(len(words) - (1 if fresh else 2))
    if taken is None:
        return ()
    begun, before = ("", words[1:]) if fresh else (words[-1], words[1:-1])
    found = dict(asked(taken.what, before, begun)) | dict(_candidates(taken.what, snapshot))
    return tuple(Offer(name, name, told=told) for name, told in found.items()
                 if name.lower().startswith(begun.lower()))


def completed(text: str, word: str) -> str:
    """The text with its last word made whole."""
    head = text if not text or text[-1].isspace() else text[: len(text) - len(text.split()[-1])]
    return f"{head}{shlex.quote(word)} "


def _candidates(kind: str, snapshot: Snapshot | None) -> Iterable[tuple[str, str]]:
    if kind == "THEME":
        return [(name, "") for name in theme_names()]
    return () if snapshot is None else _nodes(kind, snapshot)


def _nodes(kind: str, snapshot: Snapshot) -> list[tuple[str, str]]:
    found: dict[str, list[tuple[str, str]]] = {
        "SERVER": [(facts.name, _told("server", facts.state, facts.users)) for facts in snapshot.servers],
        "DATABASE": [(facts.name, _told("database", facts.role or facts.state, None)) for facts in snapshot.databases],
        "MAIL": [(facts.name, _told("mail server", facts.state, facts.users)) for facts in snapshot.mail],
        "SPRAYER": [(facts.name, _told("sprayer", facts.state, None)) for facts in snapshot.sprayers],
    }
    found["OPERATION"] = [] if (now := running(snapshot)) is None else [(now.id, f"{now.kind} by {now.owner}")]
    if kind == "NODE":
        return [pair for what, pairs in found.items() if what != "OPERATION" for pair in pairs]
    return found.get(kind, [])


def _told(role: str, state: str, users: int | None) -> str:
    return f"{role}  {state}" + ("" if users is None else f"  {users:,} users")
