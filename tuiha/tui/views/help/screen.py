"""Help, made from the bindings of the screen that it was asked on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tuiha.tui.draw.head import problem_spans
from tuiha.tui.draw.spans import Line, Span
from tuiha.tui.draw.view import View
from tuiha.tui.keys import EVERYWHERE, NAMED, PROBLEMS, TIME_KEYS, VIEW, VIEWS, BoundKey, Key, bindings
from tuiha.tui.kit.screen import MOVES, READING_KEYS, PoolScreen, ReadingScreen
from tuiha.tui.views.help.manual import (
    FILTERS,
    IN_FULL,
    MARKS,
    HelpEntry,
    HelpSection,
    manual_lines,
    now_lines,
)
from tuiha.words.next import command, key

HELP_KEYS: tuple[Key, ...] = (
    Key("help.close", "q", "back", "close this help", "close", first=True),
    *(replace(key, keys="ctrl+c") if key.id == "app.quit" else key for key in READING_KEYS),
)
NO_ACTION = "No action is needed."
TOGETHER: tuple[tuple[tuple[str, ...], str], ...] = (  # keys that stand in one line where there is little room
    (("app.poll", "app.pause"), "poll now, pause"),
    (("app.palette", "app.command"), "actions, a command"),
    (("app.suspend", "app.redraw"), "suspend, draw again"),
    (("home.mark", "home.unmark"), "mark a server, unmark all"),
    (("table.next", "table.previous"), "next view, view before"),
)
_MOVING, _TRAVEL = ({key.id for key in keys} for keys in (MOVES, TIME_KEYS[1:]))
_COMMON = {key.id for key in EVERYWHERE}


@dataclass(frozen=True, slots=True)
class _Told:
    """A key of the screen behind, and why it does nothing now; None when it does something."""

    bound: BoundKey
    against: str | None

    @property
    def id(self) -> str:
        return self.bound.key.id

    @property
    def entry(self) -> HelpEntry:
        declared = self.bound.key
        return HelpEntry(" ".join(self.bound.names), declared.short or declared.description, declared.description,
                         self.against is not None)


class HelpScreen(ReadingScreen, inherit_bindings=False):
    """The keys of another screen. What leaves the dashboard elsewhere closes it, too."""

    KEYS = HELP_KEYS
    BINDINGS = bindings(HELP_KEYS)
    TITLE_TEXT = "Help"

    def __init__(self) -> None:
        super().__init__()
        self._title = ""
        self._keys: tuple[_Told, ...] = ()
        self._filters = False

    def explain(self, screen: PoolScreen) -> None:
        """Take the keys of that screen."""
        self._title = screen.TITLE_TEXT
        self._keys = tuple(_Told(entry, screen.against(entry.key)) for entry in screen.bound_keys())
        self._filters = any(told.id.endswith(".filter") for told in self._keys)

    def text(self, view: View, width: int) -> Sequence[Line]:
        """What can be done now, the keys, the marks, the filter."""
        here = [told for told in self._keys if told.id not in _COMMON | _MOVING]
        common = [told for told in self._keys if told.id in _COMMON - _TRAVEL and not told.id.startswith(VIEW)]
        keys = [
            HelpSection(f"HERE: {self._title}", _entries(here, width)),
            HelpSection("EVERYWHERE", [*_entries(common, width), *self._grouped()]),
        ]
        return manual_lines(self._now(view, width), [one for one in keys if one.entries],
                            (MARKS, *((FILTERS,) if self._filters else ())), width)

    def _grouped(self) -> Iterable[HelpEntry]:
        """The keys that say little one by one: views, moves, steps in a recording."""
        titles = {VIEW + view.name: view.short or view.title for view in VIEWS}
        views = [told for told in self._keys if told.id in titles]
        named = {VIEW + view.name for view in NAMED[:4]}
        for part in ([one for one in views if one.id in named], [one for one in views if one.id not in named]):
            if part:
                yield HelpEntry(" ".join(one.bound.names[0] for one in part),
                                ", ".join(titles[one.id] for one in part))
        for ids, text in ((_MOVING, "move"), (_TRAVEL, "in a recording")):
            names = [told.bound.names[0] for told in self._keys if told.id in ids]
            if names:
                yield HelpEntry(" ".join(names), text, quiet=all(
                    told.against is not None for told in self._keys if told.id in ids))

    def _now(self, view: View, width: int) -> tuple[Line, ...]:
        """The worst problem with the key that ends it, and why the keys of operations do nothing now."""
        snapshot = view.snapshot
        problem = snapshot.problems[0] if snapshot is not None and snapshot.problems else None
        spans: Sequence[Span] = ((NO_ACTION, "well"),)
        if problem is not None:
            explains = next((told.bound.names[0] for told in self._keys if told.bound.key is PROBLEMS), "")
            spans = (*problem_spans(problem, view.known_at), (f"   {explains}", "flow bold"), (" explains it", "quiet"))
        wanted = None if problem is None else key(problem.next)
        danger = [told for told in self._keys if told.bound.key.danger]
        entries = [replace(told.entry, text=command(problem.next)) for told in danger
                   if problem is not None and wanted in told.bound.key.keys.split(",")]
        reasons: dict[str, list[str]] = {}
        for told in danger:
            if told.against is not None:
                reasons.setdefault(told.against, []).append(told.bound.names[0])
        entries += [HelpEntry(" ".join(names), f"not now: {why}", quiet=True) for why, names in reasons.items()]
        return now_lines(spans, entries, width)


def _entries(keys: Sequence[_Told], width: int) -> list[HelpEntry]:
    """A line for each key; where there is little room, one for keys that belong together."""
    found = {told.id: told for told in keys}
    groups = {} if width >= IN_FULL else {ids[0]: (ids, text) for ids, text in TOGETHER if set(ids) <= found.keys()}
    joined = {id for ids, _ in groups.values() for id in ids[1:]}
    entries = []
    for told in keys:
        if told.id in groups:
            ids, text = groups[told.id]
            names = " ".join(found[id].bound.names[0] for id in ids)
            entries.append(HelpEntry(names, text, quiet=all(found[id].against is not None for id in ids)))
        elif told.id not in joined:
            entries.append(told.entry)
    return entries
