"""How a dashboard looks and sounds, as asked for by whoever starts it; and a theme file that is read again on save."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tuiha.tui.theme import PLAIN, Palette, ThemeError, for_terminal, load_theme, read_theme

_PORTABLE = ("C", "POSIX")
_COERCED = "C.UTF-8"  # what Python makes of the locale C, so that it can write at all


@dataclass(frozen=True, slots=True)
class Looks:
    """What can be asked for on the command line."""

    theme: str | None = None  # a name or a file; None: the one for this terminal
    ascii: bool = False  # nothing but ASCII
    clock: bool = True  # the time on line 1
    bell: bool = True  # once for each node that is newly DOWN
    notify: bool = False  # the same as a message to the desktop (OSC 9)
    pictured: bool = False  # an old picture stands on the terminal: nothing is drawn over it before there is news
    keys: Mapping[str, str] = field(default_factory=dict)  # a checked keymap: id -> keys

    def palette(self) -> Palette:
        """The colours. Raises ThemeError."""
        palette = load_theme(self.theme)
        if self.ascii or only_ascii(os.environ):
            return replace(palette, ascii=True)
        return replace(palette, console=os.environ.get("TERM", "").startswith("linux"))


def only_ascii(environment: Mapping[str, str]) -> bool:
    """Whether a terminal has no more than ASCII: by its kind, or by the character set of this user's locale."""
    if for_terminal({"TERM": environment.get("TERM", "")}) == PLAIN:
        return True
    asked = environment.get("LC_ALL") or environment.get("LC_CTYPE") or environment.get("LANG") or ""
    if asked == _COERCED and not environment.get("LC_ALL") and environment.get("LANG") in _PORTABLE:
        return True  # Python has written LC_CTYPE itself: what was asked for is C
    return asked != "" and "utf" not in asked.lower()


class ThemeFile:
    """The file of a theme: tells when it was saved with other content."""

    def __init__(self, palette: Palette) -> None:
        self._palette = palette
        self._seen = self._stamp()

    def _stamp(self) -> tuple[int, int] | None:
        path: Path | None = self._palette.path
        if path is None:
            return None
        try:
            about = path.stat()
        except OSError:
            return None  # being saved, or gone: what was read stays
        return about.st_mtime_ns, about.st_size

    def changed(self) -> Palette | ThemeError | None:
        """The palette of the file as it is now; why it cannot be used; None when nothing has changed."""
        stamp, path = self._stamp(), self._palette.path
        if stamp is None or stamp == self._seen or path is None:
            return None
        self._seen = stamp
        try:
            self._palette = replace(read_theme(path), ascii=self._palette.ascii,
                                    console=self._palette.console)
        except ThemeError as error:
            return error
        return self._palette
