"""The filter of the table: a few words that all must hold.

`word` is somewhere in the row, `!word` is nowhere in it, `role:mail` and `state:down` look in one
field, `users>500` compares a figure (also `>=`, `<`, `<=`, `=`). `!` turns any of them round.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tuiha.tui.draw.rows import Row

T = TypeVar("T")
Test = Callable[[T], bool]

TEXTS: dict[str, Callable[[Row], str]] = {
    "node": lambda row: row.name,
    "role": lambda row: f"{row.role} {row.kind.value}",
    "state": lambda row: row.shown,
    "target": lambda row: row.target,
    "db": lambda row: row.database or "",
    "limit": lambda row: row.limited_by,
    "note": lambda row: row.note,
    "host": lambda row: row.host,
}
NUMBERS: dict[str, Callable[[Row], float | None]] = {
    "users": lambda row: row.users,
    "devices": lambda row: row.devices,
    "rate": lambda row: row.rate,
    "latency": lambda row: row.latency,
    "full": lambda row: row.full,
    "load": lambda row: row.load,
    "age": lambda row: row.age_seconds,
}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "=": operator.eq,
}
_FIGURE = re.compile(r"([a-z]+)(>=|<=|>|<|=)(.*)")
_FIELD = re.compile(r"([a-z]+):(.*)")


@dataclass(frozen=True, slots=True)
class Fields(Generic[T]):
    """What a filter can look at in a row: texts (`role:mail`, and plain words in all of them) and figures."""

    texts: Mapping[str, Callable[[T], str]]
    numbers: Mapping[str, Callable[[T], float | None]]


NODE_FIELDS: Fields[Row] = Fields(TEXTS, NUMBERS)


@dataclass(frozen=True, slots=True)
class Filter(Generic[T]):
    """A parsed filter. A term that cannot be understood is left out and named in `error`."""

    text: str
    tests: tuple[Test[T], ...]
    error: str | None = None

    def accepts(self, row: T) -> bool:
        """Whether every term holds for the row."""
        return all(test(row) for test in self.tests)


EVERYTHING: Filter[Any] = Filter("", ())


class _Unclear(ValueError):
    """A term that says nothing that can be tested."""


def parse(text: str) -> Filter[Row]:
    """Turn what was typed so far into a filter of nodes; never raises, for it is called with each key."""
    return parse_for(text, NODE_FIELDS)


def parse_for(text: str, fields: Fields[T]) -> Filter[T]:
    """Turn what was typed so far into a filter of rows that have those fields; never raises."""
    tests: list[Test[T]] = []
    error = None
    for term in text.lower().split():
        negated = term.startswith("!")
        body = term.removeprefix("!")
        if not body:
            continue
        try:
            test = _test(body, fields)
        except _Unclear as unclear:
            error = error or str(unclear)
            continue
        tests.append(_negate(test) if negated else test)
    return Filter(text, tuple(tests), error)


def _negate(test: Test[T]) -> Test[T]:
    return lambda row: not test(row)


def _test(body: str, fields: Fields[T]) -> Test[T]:
    figure = _FIGURE.fullmatch(body)
    if figure:
        return _figure_test(figure[1], figure[2], figure[3], fields.numbers)
    field = _FIELD.fullmatch(body)
    if field:
        return _field_test(field[1], field[2], fields.texts)
    return lambda row: any(body in text(row).lower() for text in fields.texts.values())


def _field_test(name: str, wanted: str, texts: Mapping[str, Callable[[T], str]]) -> Test[T]:
    text = texts.get(name)
    if text is None:
        raise _Unclear(_unknown(name, ":", list(texts)))
    return lambda row: wanted in text(row).lower()


def _figure_test(
    name: str, sign: str, wanted: str, numbers: Mapping[str, Callable[[T], float | None]]
) -> Test[T]:
    number = numbers.get(name)
    if number is None:
        raise _Unclear(_unknown(name, sign, list(numbers)))
    try:
        limit = float(wanted.removesuffix("%"))
    except ValueError:
        raise _Unclear(f"{name}{sign} wants a number" + (f", not '{wanted}'" if wanted else "")) from None
    compare = _COMPARE[sign]

    def test(row: T) -> bool:
        value = number(row)
        return value is not None and compare(value, limit)

    return test


def _unknown(name: str, sign: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, 1)
    advice = f"did you mean {near[0]}{sign}" if near else "there is " + ", ".join(names)
    return f"no field '{name}': {advice}"
