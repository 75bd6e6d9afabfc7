"""How a statement becomes a sentence, by a table of templates.

A template is a text with the figures' names in braces, or a function of the figures. Beside Python's formats a brace
knows: a noun, which counts (`{users:user}`); `names`, `;` and `and` for lists; `told` for names with reasons; `size`,
`lsn`, `clock` and `at` for bytes, positions of the log and moments; `|words` for a figure that is not there.
"""

from __future__ import annotations

import math
import string
import time
from collections.abc import Callable, Mapping
from typing import Any

from tuiha.model.operations.statements import Plain, Statement
from tuiha.model.words import count, names

_DAY = 86_400  # seconds
_UNTOLD = "at a time that is not known"
Template = str | Callable[..., str]


class _Phrases(string.Formatter):
    """Python's templates, with formats for what operators read."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec.startswith("|"):
            return format_spec[1:] if value in (None, "", ()) else self.format_field(value, "")
        if format_spec in _FORMATS:
            return _FORMATS[format_spec](value)
        if isinstance(value, int) and format_spec.replace("-", "").replace(" ", "").isalpha() and len(format_spec) > 1:
            return count(value, format_spec)
        if isinstance(value, tuple):
            return ", ".join(map(str, value))
        return "" if value is None else format(value, format_spec)


def bytes_of(number: int) -> str:
    """Bytes as people read them."""
    for unit, power in (("TB", 40), ("GB", 30), ("MB", 20)):
        if number >= 1 << power:
            return f"{number / (1 << power):.1f} {unit}"
    return f"{number:,} bytes"


def clock(at: float) -> str:
    """The time of day of a moment (unix seconds), UTC."""
    return time.strftime("%H:%M:%SZ", time.gmtime(math.ceil(at) % _DAY)) if math.isfinite(at) else _UNTOLD


def at_moment(at: float) -> str:
    """A moment (unix seconds) to the millisecond, UTC: `at 22:51:43.485Z`."""
    if not math.isfinite(at):
        return _UNTOLD
    whole, milliseconds = divmod(int(at * 1000), 1000)
    return f"at {time.strftime('%H:%M:%S', time.gmtime(whole % _DAY))}.{milliseconds:03d}Z"


def _lsn(position: int) -> str:
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"


def told(reasons: Mapping[str, object]) -> str:
    """Names, each with a reason."""
    return "; ".join(f"{name}: {why}" for name, why in reasons.items())


_FORMATS: Mapping[str, Callable[[Any], str]] = {
    "names": names,
    ";": lambda value: "; ".join(map(str, value)),
    "and": lambda value: " and ".join(map(str, value)),
    "told": told,
    "size": bytes_of,
    "lsn": _lsn,
    "clock": clock,
    "at": at_moment,
}
_PHRASES = _Phrases()


def rendered(statement: Statement, table: Mapping[str, Template]) -> str:
    """The sentence of a statement. Raises KeyError, TypeError or ValueError when a figure is not there."""
    if statement.code == Plain.TEXT:
        return str(statement.figures["text"])
    template = table[statement.code]
    figures = {name: _said(value, table) for name, value in statement.figures.items()}
    return _PHRASES.vformat(template, (), figures) if isinstance(template, str) else template(**figures)


def complete(statement: Statement, table: Mapping[str, Template]) -> bool:
    """Whether there is a sentence for a statement, and the statement has all the figures that it needs."""
    try:
        rendered(statement, table)
    except (KeyError, TypeError, ValueError, AttributeError):
        return False
    return True


def _said(value: Any, table: Mapping[str, Template]) -> Any:
    """Statements inside a statement are sentences inside a sentence."""
    if isinstance(value, Statement):
        return rendered(value, table)
    if isinstance(value, tuple):
        return tuple(_said(one, table) for one in value)
    return {name: _said(one, table) for name, one in value.items()} if isinstance(value, Mapping) else value
