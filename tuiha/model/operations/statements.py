"""Statements: what the program found, did or wants, as a code and its figures. `tuiha.words` makes sentences of them.

Programs decide on codes and figures; people read the sentence. So a sentence may change and nothing else does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class Statement:
    """One fact: its code, and figures, moments (unix seconds), names or further statements that belong to it."""

    code: str  # of one of the enums below `Code`; a record of another version may have a code that is unknown here
    figures: Mapping[str, Any] = field(default_factory=dict)

    def number(self, figure: str) -> float | None:
        """A figure or a moment; None when the statement has none of that name."""
        found = self.figures.get(figure)
        return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None

    def document(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"code": str(self.code), "figures": {name: _document(value) for name, value in self.figures.items()}}


class Code(StrEnum):
    """A family of codes. Calling a code with figures makes a statement."""

    def __call__(self, **figures: Any) -> Statement:
        """The statement with these figures; lists become tuples, and what JSON has no form for a text."""
        return Statement(self, {name: _value(value) for name, value in figures.items()})


class Plain(Code):
    """Text that is not ours: the words of a program, of an operator, or of a record of an earlier version."""

    TEXT = "text"


def plain(text: str) -> Statement:
    """A statement that is only a text."""
    return Plain.TEXT(text=text)


def stated(said: Statement | str) -> Statement:
    """A statement as it is; a text, such as a name or a program's error, as a statement that is only this text."""
    return said if isinstance(said, Statement) else plain(said)


def of_document(document: Mapping[str, Any]) -> Statement:
    """The statement in a JSON document. Raises KeyError or TypeError for another document."""
    return Statement(str(document["code"]), {name: _value(value) for name, value in document["figures"].items()})


def _document(value: object) -> Any:
    if isinstance(value, Statement):
        return value.document()
    if isinstance(value, Mapping):
        return {str(name): _document(one) for name, one in value.items()}
    return [_document(one) for one in value] if isinstance(value, tuple) else value


def _value(value: Any) -> Any:
    if isinstance(value, Mapping):
        found = {name: _value(one) for name, one in value.items()}
        return of_document(found) if found.keys() == {"code", "figures"} else found
    if isinstance(value, list | tuple | set | frozenset):
        return tuple(_value(one) for one in (sorted(value) if isinstance(value, set | frozenset) else value))
    return value if value is None or isinstance(value, Statement | str | int | float) else str(value)
