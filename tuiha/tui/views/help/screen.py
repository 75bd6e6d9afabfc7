"""Help, made from the bindings of the screen that it was asked on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tuiha.tui.draw.spans import Line
from tuiha.tui.draw.view import View
from tuiha.tui.keys import Key, bindings
from tuiha.tui.kit.screen import READING_KEYS, PoolScreen, ReadingScreen
from tuiha.tui.views.help.manual import manual_lines

HELP_KEYS: tuple[Key, ...] = (
    Key("help.close", "q", "back", "close this help", "close", first=True),
    *(replace(key, keys="ctrl+c") if key.id == "app.quit" else key for key in READING_KEYS),
)


class HelpScreen(ReadingScreen, inherit_bindings=False):
    """The keys of another screen. What leaves the dashboard elsewhere closes it, too."""

    KEYS = HELP_KEYS
    BINDINGS = bindings(HELP_KEYS)
    TITLE_TEXT = "Help"

    def __init__(self) -> None:
        super().__init__()
        self._title = ""
        self._entries: tuple[tuple[str, str], ...] = ()

    def explain(self, screen: PoolScreen) -> None:
        """Take the keys of that screen."""
        self._title = screen.TITLE_TEXT
        self._entries = tuple(
            (" ".join(entry.names), _told(entry.key, screen)) for entry in screen.bound_keys()
        )

    def text(self, view: View, width: int) -> Sequence[Line]:
        """The keys, the marks, the filter."""
        return manual_lines(self._title, self._entries, width)


def _told(key: Key, screen: PoolScreen) -> str:
    against = screen.against(key)
    return key.description if against is None else f"{key.description} (not now: {against})"
