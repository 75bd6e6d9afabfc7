"""Help that fits the terminal: texts are wrapped between words, and tables keep their columns."""

from __future__ import annotations

import argparse
import re
import textwrap

_ROW = re.compile(r"(\s+\S.*?\s{2,})(\S.*)")  # an indented line of two columns


class HelpFormatter(argparse.HelpFormatter):
    """Wraps descriptions paragraph by paragraph, and never in the middle of a word or at its hyphen."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines: list[str] = []
        paragraph: list[str] = []
        for line in (*text.splitlines(), ""):
            if line and not line[0].isspace():
                paragraph.append(line)
                continue
            lines += _wrapped(" ".join(paragraph), width)
            paragraph = []
            lines += _row(line.rstrip(), width) or [""]
        return "\n".join(f"{indent}{line}".rstrip() for line in lines).rstrip("\n") + "\n"

    def _split_lines(self, text: str, width: int) -> list[str]:
        return _wrapped(" ".join(text.split()), width)


def _wrapped(text: str, width: int, first: str = "", then: str = "") -> list[str]:
    return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=then, break_long_words=False,
                         break_on_hyphens=False)


def _row(line: str, width: int) -> list[str]:
    """A line of a table: what does not fit goes on under its last column."""
    if len(line) <= width:
        return [line] if line else []
    row = _ROW.fullmatch(line)
    margin = len(line) - len(line.lstrip())
    head = row[1] if row is not None and len(row[1]) <= width // 2 else " " * margin
    text = row[2] if row is not None and len(row[1]) <= width // 2 else line.lstrip()
    return _wrapped(text, width, head, " " * (len(head) if row is not None and head.strip() else margin + 2))
