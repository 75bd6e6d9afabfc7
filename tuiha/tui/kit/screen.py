"""What every screen has: lines 1 to 3 live, a footer made from its bindings, and nothing that moves by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual import events
from textual.screen import Screen
from textual.timer import Timer

from tuiha.model.words import count
from tuiha.tui.draw.head import aged, head
from tuiha.tui.draw.lists import FooterKey, footer_line, rule
from tuiha.tui.draw.spans import BLANK, Line, fit
from tuiha.tui.draw.view import View
from tuiha.tui.keys import EVERYWHERE, NAMED, PROBLEMS, VIEW, BoundKey, Key, bindings, bound
from tuiha.tui.kit.application import Application, Reach
from tuiha.tui.kit.entry import Entry
from tuiha.tui.kit.paper import Paper

SAID_FOR = 5.0  # seconds


class PoolScreen(Screen[None], inherit_bindings=False):
    """An opaque screen of the dashboard."""

    KEYS: ClassVar[tuple[Key, ...]] = EVERYWHERE
    AUTO_FOCUS = ""
    TITLE_TEXT: ClassVar[str] = ""
    _said: str = ""
    _said_until: float = 0.0
    _repeated: Timer | None = None
    dashboard = Reach[Application]()

    def bound_keys(self) -> tuple[BoundKey, ...]:
        """This screen's keys as they are bound now."""
        return bound(self.KEYS, self.active_bindings)

    def head(self, live: View, width: int) -> tuple[Line, Line, Line]:
        """Lines 1 to 3, with the key of what comes next where that key works."""
        listed = next((one.names[0] for one in self.bound_keys() if one.key is PROBLEMS), "")
        return head(live, width, self.operation_keys(), listed)

    def operation_keys(self) -> Mapping[str, str]:
        """The keys here that lead to operations: as they are declared, and as they are bound now."""
        if self.dashboard.operations.refusal is not None:
            return {}
        return {one.key.keys.split(",")[0]: one.names[0] for one in self.bound_keys()
                if one.key.danger or one.key.id == "operation.attach"}

    def footer(self, width: int) -> Line:
        """The keys that most people need; or, for a moment, why one of them does nothing now."""
        if self._said and time.monotonic() < self._said_until:
            return Line(fit(((f" {self._said}", "warning"),), width))
        past = self.dashboard.past.line(width)
        if past is not None:
            return past
        named = sorted(self.footer_keys(), key=lambda entry: entry.key is not PROBLEMS)
        greyed = frozenset(entry.names[0] for entry in named if self.against(entry.key) is not None)
        told = [FooterKey(entry.names[0], self._short(entry.key), self._first(entry.key)) for entry in named]
        return footer_line(told, width, greyed, view_keys_of(self.bound_keys()))

    def _first(self, key: Key) -> bool:
        """Whether a key stays in the footer when there is little room: that of the problems while there are some."""
        snapshot = self.dashboard.view.snapshot
        return key.first or (key is PROBLEMS and snapshot is not None and bool(snapshot.problems))

    def footer_keys(self) -> tuple[BoundKey, ...]:
        """The keys that the footer names where it has room."""
        return tuple(one for one in self.bound_keys() if one.key.short)

    def _short(self, key: Key) -> str:
        """What the footer says of a key: how many problems there are, and what a key does the second time."""
        snapshot = self.dashboard.view.snapshot
        if key is PROBLEMS and snapshot is not None and snapshot.problems:
            return count(len(snapshot.problems), "problem")
        return "lock" if key is UNLOCK and self.dashboard.operations.unlocked else key.short

    def against(self, key: Key) -> str | None:
        """Why that key does nothing now; None when it does something."""
        if key is UNLOCK:
            return self.dashboard.operations.refusal
        return self.dashboard.operations.against() if key.danger else self.dashboard.past.against(key.id)

    def allowed(self, id: str) -> bool:
        """Whether the key with that id may do what it does; says why not."""
        against = self.against(next(key for key in self.KEYS if key.id == id))
        if against is not None:
            self.say(f"not now: {against}")
        return against is None

    def take(self, event: events.Key) -> bool:
        """Take a key that was typed before the line to type into was there; False: there is no such line."""
        if not isinstance(self.focused, Entry):
            return False
        self.focused.on_key(event)
        return True

    def say(self, text: str) -> None:
        """Say something in place of the footer for a moment."""
        self._said, self._said_until = text, time.monotonic() + SAID_FOR
        self.dashboard.paint()

    def shell_command(self) -> str:
        """What shows or does in a shell what is selected here; `y` copies it."""
        return "tuiha status"

    def find(self, text: str) -> None:
        """Show only what fits this text; on a screen without a filter nothing happens."""

    def action_unlock(self) -> None:
        """Unlock, or lock again."""
        operations = self.dashboard.operations
        if operations.refusal is not None:
            self.say(f"not here: {operations.refusal}")
        elif operations.unlocked:
            operations.lock()
            self.say("locked")
        else:
            self.dashboard.open_unlock()

    def paint(self, live: View, body: View) -> None:
        """Draw; called with each new snapshot and whenever the size changes.

        Lines 1 to 3 are drawn from `live`, the rest from `body`: the same, or the moment when painting was paused.
        """
        raise NotImplementedError

    def leave(self) -> None:
        """To the screen behind; of several keys that came at once only the first does it."""
        if self.is_current:
            self.app.pop_screen()

    def repeat(self, seconds: float, call: Callable[[], None]) -> None:
        """Have it called so often from now on, while this screen is in front."""
        if self._repeated is None:
            self._repeated = self.set_interval(seconds * self.dashboard.tempo, call)
        self._repeated.resume()

    def on_screen_suspend(self) -> None:
        """Behind another screen: nothing is asked any more."""
        if self._repeated is not None:
            self._repeated.pause()

    def on_screen_resume(self) -> None:
        """Back in front: draw at once. Textual calls this after the method of the same name of a class below."""
        self.dashboard.paint()

    def on_resize(self, event: events.Resize) -> None:
        """Another size: draw at once."""
        if self.is_current:
            self.dashboard.paint()


def view_keys_of(known: Sequence[BoundKey]) -> tuple[FooterKey, ...]:
    """The views with their keys as they are bound now, for the frame."""
    names = {entry.key.id: entry.names[0] for entry in known}
    return tuple(FooterKey(names[VIEW + view.name], view.short or view.title) for view in NAMED
                 if VIEW + view.name in names)


MOVES: tuple[Key, ...] = (
    Key("move.down", "j,down", "move(1)", "down"),
    Key("move.up", "k,up", "move(-1)", "up"),
    Key("move.page_down", "pagedown", "page(1)", "a page down"),
    Key("move.page_up", "pageup", "page(-1)", "a page up"),
    Key("move.first", "g,home", "first", "to the first"),
    Key("move.last", "G,end", "last", "to the last"),
)
UNLOCK = Key("operate.unlock", "w", "unlock", "unlock changes for 15 minutes; again: lock", "unlock", first=True)
BACK = Key("back", "escape", "back", "back", "back", first=True)
READING_KEYS = (*MOVES, BACK, *EVERYWHERE)


class ReadingScreen(PoolScreen, inherit_bindings=False):
    """A screen of text that may be longer than the terminal: lines 1 to 3, a rule, the text, the footer."""

    OF_THE_POOL: ClassVar[bool] = False  # the text is of the newest snapshot, and looks old when that is
    KEYS = READING_KEYS
    BINDINGS = bindings(READING_KEYS)  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self._head = Paper(id="head")
        self._body = Paper(id="body")
        self._footer = Paper(id="footer")
        self._top = 0
        self._length = 0

    def compose(self) -> Sequence[Paper]:
        """The three papers."""
        return (self._head, self._body, self._footer)

    def text(self, view: View, width: int) -> Sequence[Line]:
        """What this screen shows under line 3."""
        raise NotImplementedError

    def paint(self, live: View, body: View) -> None:
        """Draw the part of the text that is in sight."""
        width, height = self.size
        if not width or not height:
            return
        lines = self.text(body, width)
        lines = aged(body, lines) if self.OF_THE_POOL else lines
        room = max(1, height - 5)
        self._length = len(lines)
        self._top = max(0, min(self._top, self._length - room))
        more = self._length - self._top - room
        self._head.show((*self.head(live, width), rule(width)), min(4, height))
        seen = [*lines[self._top : self._top + room]]
        self._body.show((*seen, *[BLANK] * (room - len(seen))), room)
        footer = self.footer(width - 12)
        if more > 0 or self._top:
            footer = Line((*footer.spans, (f"{f'{more} more ▾' if more > 0 else 'end':>11} ", "quiet")))
        self._footer.show((footer,), 1)

    def action_move(self, lines: int) -> None:
        """Scroll."""
        self._top += lines
        self.dashboard.paint()

    def action_page(self, pages: int) -> None:
        """Scroll by what is in sight."""
        self.action_move(pages * max(1, self.size.height - 6))

    def action_first(self) -> None:
        """To the top."""
        self.action_move(-self._top)

    def action_last(self) -> None:
        """To the end."""
        self.action_move(self._length)

    def action_back(self) -> None:
        """To the screen behind."""
        self._top = 0
        self.leave()
