"""A page of YAML that is made line by line, with comments behind the values."""

from __future__ import annotations

import re
import textwrap

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./@-]*(?::[A-Za-z0-9_./@\[\]-]+)*")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
COLUMN = 48  # of the comments
WIDTH = 118


def scalar(text: str) -> str:
    """A text as YAML, in quotes where it could be read as something else. Raises ValueError for control characters."""
    if not text.isprintable():
        raise ValueError("a control character cannot be in a configuration")
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return "'" + text.replace("'", "''") + "'"


class Page:
    """The lines. `off` is where a # stands in front of them: what is put then is commented out."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self.off: int | None = None

    def text(self) -> str:
        """The whole page."""
        return "\n".join(self._lines) + "\n"

    def gap(self) -> None:
        """An empty line."""
        self._lines.append("")

    def remark(self, text: str, depth: int = 0, first: str = "") -> None:
        """A comment on lines of its own; `first` stands in front of it, and the other lines are indented below."""
        margin = " " * depth + "# "
        for paragraph in "".join(c if c.isprintable() or c == "\n" else " " for c in text).split("\n"):
            lines = textwrap.wrap(paragraph, WIDTH, initial_indent=margin + first, break_long_words=False,
                                  subsequent_indent=margin + " " * len(first), break_on_hyphens=False)
            self._lines += [line.rstrip() for line in lines] or [margin.rstrip()]

    def put(self, depth: int, text: str, comment: str = "") -> None:
        """A line of YAML with a comment behind it."""
        line = " " * depth + text
        if self.off is not None:
            line = line[:self.off] + "#" + line[self.off:]
        if not comment:
            self._lines.append(line)
            return
        column = max(COLUMN, len(line) + 2)
        room = max(WIDTH - column, 40)
        first, *rest = textwrap.wrap(comment, room, break_long_words=False, break_on_hyphens=False)
        self._lines.append(f"{line:<{column}}# {first}")
        self._lines += [" " * column + f"# {more}" for more in rest]
