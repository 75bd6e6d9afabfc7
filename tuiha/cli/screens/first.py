"""The first picture: what Home showed when the dashboard was left last, on the terminal before anything is imported.

It is marked as old in words, and lasts until the first look at the pool. Nothing in it can be acted on.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

LONGEST = 200  # bytes of a file's name
OLDEST = 7 * 86400.0  # seconds: an older picture says nothing about today
_BEGIN = "\x1b[?1049h\x1b[?25l\x1b[0m\x1b[H\x1b[2J"
_END = "\x1b[?1049l\x1b[?25h"


class FirstPicture:
    """The picture of one configuration's pool."""

    def __init__(self, configuration: Path) -> None:
        self._configuration = configuration
        self.painted = False

    def paint(self, now: float) -> None:
        """Paint it, when there is one that fits this terminal."""
        kept = self._read()
        if kept is None:
            return
        lines, at = kept
        size = os.get_terminal_size(2)
        if not lines or len(lines) != size.lines or now - at > OLDEST:
            return
        mark = time.strftime(" STALE, as of %m-%d %H:%M:%SZ ", time.gmtime(at))
        top = f"{lines[0][: max(0, size.columns - len(mark))]:<{max(0, size.columns - len(mark))}}{mark}"
        drawn = [top, *(line.rstrip() for line in lines[1:-1]), " starting"]
        self._write(_BEGIN + "\r\n".join(line[: size.columns] for line in drawn))
        self.painted = True

    def clear(self) -> None:
        """Give the terminal back: what should have followed did not come."""
        if self.painted:
            self._write(_END)
            self.painted = False

    def keep(self, lines: Sequence[str], now: float) -> None:
        """Keep a picture for the next start. That it cannot be kept hurts nobody."""
        with suppress(OSError):
            path = self._path()
            if path is None:
                return
            beside = path.with_suffix(f".{os.getpid()}")
            beside.touch(0o600)
            beside.write_text(json.dumps({"at": now, "lines": list(lines)}), encoding="utf-8")
            beside.replace(path)

    def _read(self) -> tuple[list[str], float] | None:
        try:
            path = self._path()
            if path is None:
                return None
            found = json.loads(path.read_text(encoding="utf-8"))
            lines, at = [str(line) for line in found["lines"]], float(found["at"])
        except (OSError, ValueError, KeyError, TypeError):
            return None  # there is none, or it is not ours: the dashboard starts as if there had never been one
        return (lines if all(line.isprintable() for line in lines) else []), at

    def _path(self) -> Path | None:
        """None where this user's state folder cannot be used: looking does without."""
        from tuiha.config.errors import ConfigError
        from tuiha.config.places import state_folder

        try:
            folder = state_folder()
        except ConfigError:
            return None
        name = str(self._configuration).replace("%", "%25").replace("/", "%2F")
        if len(name.encode()) > LONGEST:
            from hashlib import sha256  # it costs as much as everything else that is needed up to here

            name = sha256(name.encode()).hexdigest()
        return folder / f"picture-{name}.json"

    @staticmethod
    def _write(text: str) -> None:
        with suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()
