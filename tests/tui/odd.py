"""Facts as nobody expects them: each may be missing, absurd, very old or very long, by the types of its class."""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from tests.tui.samples import AT

LONG = "a-name-that-somebody-made-much-too-long-" * 5
KEPT = object()  # the value as it was
# What names a node, a code or a moment that all others refer to.
NAMES = frozenset({"name", "server", "subject", "cluster", "database", "active", "pool", "partner", "servers", "names",
                   "kind", "id", "number", "interval", "examples", "says", "code"})
T = TypeVar("T")
Odd = Callable[[str, type, bool], object]
"""The value of a field by its name, its type, and whether it may be None; KEPT: as it was."""


def _nothing(name: str, kind: type, optional: bool) -> object:
    if optional:
        return None
    return "" if kind is str and name not in NAMES else 0 if kind in (int, float) else KEPT


def _number(value: float) -> Odd:
    def odd(name: str, kind: type, optional: bool) -> object:
        return kind(value) if kind in (int, float) and name not in NAMES else KEPT

    return odd


def _real(value: float) -> Odd:
    return lambda name, kind, optional: value if kind is float and name not in NAMES else KEPT


def _moment(value: float) -> Odd:
    def odd(name: str, kind: type, optional: bool) -> object:
        if kind is datetime:
            return datetime.fromtimestamp(value, UTC)
        return value if kind is float and (name.endswith(("at", "since")) or name == "beat") else KEPT

    return odd


def _text(name: str, kind: type, optional: bool) -> object:
    return LONG if kind is str and name not in NAMES else KEPT


def _newer(name: str, kind: type, optional: bool) -> object:
    if issubclass(kind, Enum) and "UNKNOWN" in kind.__members__ and kind.__name__.endswith("State"):
        return kind["UNKNOWN"]
    return "quantum-flux" if kind is str and name not in NAMES else KEPT


def _truth(value: bool) -> Odd:
    return lambda name, kind, optional: value if kind is bool else KEPT


VARIANTS: Mapping[str, Odd] = {
    "as it is": lambda name, kind, optional: KEPT,
    "nothing": _nothing,
    "zero": _number(0),
    "negative": _number(-7),
    "as much as a driver lets in": _number(2**62),
    "no number": _real(math.nan),
    "without an end": _real(math.inf),
    "far in the future": _moment(AT + 4e9),
    "very old": _moment(1.0),
    "long": _text,
    "of a newer server": _newer,
    "true": _truth(True),
    "false": _truth(False),
}


def made_odd(value: T, odd: Odd, kept: Iterable[str] = ()) -> T:
    """The facts with each field as `odd` wants it, also in the facts inside them; fields that are `kept` stay."""
    if isinstance(value, tuple):
        return tuple(made_odd(one, odd, kept) for one in value)  # type: ignore[return-value]
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changed = {name: _of(getattr(value, name), name, kind, optional, odd, kept)
               for name, (kind, optional) in _typed(type(value)).items() if name not in kept}
    return replace(value, **changed)


def _of(value: object, name: str, kind: type, optional: bool, odd: Odd, kept: Iterable[str]) -> object:
    if isinstance(value, tuple) or (is_dataclass(value) and not isinstance(value, type)):
        return made_odd(value, odd, kept)
    found = odd(name, kind, optional) if name not in NAMES or not optional else KEPT
    return value if found is KEPT else found


@cache
def _typed(kind: type) -> Mapping[str, tuple[type, bool]]:
    """The fields of a class of facts: the type of each, and whether it may be None."""
    hints = get_type_hints(kind)
    return {one.name: _bare(hints[one.name]) for one in fields(kind) if one.init}


def _bare(hint: Any) -> tuple[type, bool]:
    parts = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    kinds = [one for one in parts if one is not type(None)]
    first = get_origin(kinds[0]) or kinds[0]
    return (first if isinstance(first, type) else object), len(kinds) < len(parts)
