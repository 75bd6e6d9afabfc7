"""What pydantic's findings mean to somebody who wrote a YAML file, and what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args

from pydantic import BaseModel

from tuiha.config.errors import Location
from tuiha.config.settings import Pool
from tuiha.config.values import PATTERNS, UNITS, Secret, seconds

Found = tuple[Location, str, str]  # where, what is wrong, what to write

_HOW_SECRET = "name where it comes from: file: PATH, env: VARIABLE, or command: [PROGRAM, ARGUMENT]"


def explain(faults: Iterable[Mapping[str, Any]]) -> list[Found]:
    """The findings of pydantic (`ValidationError.errors()`), in words. Never holds a value from the file."""
    faults = list(faults)
    mistyped = {meant for fault in faults if (meant := _meant(fault)) is not None}
    return [
        found for fault in faults for found in _explain(fault)
        if fault["type"] != "missing" or tuple(fault["loc"]) not in mistyped  # said once is enough
    ]


def _meant(fault: Mapping[str, Any]) -> Location | None:
    """The place that an unknown key was most likely meant to be."""
    if fault["type"] != "extra_forbidden":
        return None
    *parents, key = fault["loc"]
    here = settings_at(tuple(parents))
    close = None if here is None else nearest(str(key), list(here.model_fields))
    return None if close is None else (*parents, close)


def _explain(fault: Mapping[str, Any]) -> list[Found]:
    location: Location = tuple(fault["loc"])
    context = fault.get("ctx", {})
    if fault["type"] == "rules":  # found by a rule over several fields: it names its own places
        return [(tuple(where), what, remedy) for where, what, remedy in context["found"]]
    told = _KINDS.get(str(fault["type"]))
    if told is None:
        return [(location, str(fault["msg"]), "")]
    what, remedy = told(location, fault.get("input"), context)
    if fault["type"] == "extra_forbidden" and settings_at(location[:-1]) is Secret and _meant(fault) is None:
        location = location[:-1]  # the unknown key may be the secret itself: password: {hunter2}
    return [(location, what, remedy)]


def settings_at(location: Location) -> type[BaseModel] | None:
    """The settings class that describes a place in the file; None where a plain value belongs."""
    here: type[BaseModel] | None = Pool
    for part in location:
        if isinstance(part, int):
            continue
        field = None if here is None else here.model_fields.get(part)
        here = None if field is None else _class_in(field.annotation)
    return here


def nearest(word: str, known: list[str]) -> str | None:
    """The known word that `word` was most likely meant to be."""
    close = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return close[0] if close else None


def _class_in(annotation: Any) -> type[BaseModel] | None:
    """The settings class inside `X`, `X | None`, `list[X]` and the like."""
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((found for part in get_args(annotation) if (found := _class_in(part)) is not None), None)


_Told = tuple[str, str]


def _unknown(location: Location, value: object, context: Mapping[str, Any]) -> _Told:
    here = settings_at(location[:-1])
    known = [] if here is None else list(here.model_fields)
    close = nearest(str(location[-1]), known)
    return "unknown key", f"did you mean '{close}'?" if close else f"the keys here are {', '.join(known)}"


def _missing(location: Location, value: object, context: Mapping[str, Any]) -> _Told:
    here = settings_at(location)
    if here is Secret:
        return "missing", _HOW_SECRET
    if here is None:
        return "missing", f"write {location[-1]}: and its value"
    needed = [name for name, field in here.model_fields.items() if field.is_required()]
    return "missing", f"it needs {', '.join(needed)}" if needed else f"write {location[-1]}: and its keys"


def _mapping(location: Location, value: object, context: Mapping[str, Any]) -> _Told:
    here = settings_at(location)
    if here is Secret:
        if value is None:
            return "is empty", _HOW_SECRET
        return "a secret is never written in the configuration itself", _HOW_SECRET
    known = "" if here is None else ", ".join(here.model_fields)
    return ("is empty" if value is None else f"is {_kind(value)}, not a mapping"), f"its keys are {known}"


def _list(location: Location, value: object, context: Mapping[str, Any]) -> _Told:
    what = "is empty" if value is None else f"is {_kind(value)}, not a list"
    return what, f"begin each item with '- ', or leave {location[-1]} out if it may be"


def _text(location: Location, value: object, context: Mapping[str, Any]) -> _Told:
    if value is None:
        return "is empty", "write a text"
    if isinstance(value, (bool, int, float)):
        return f"is {_kind(value)}, not a text", "put it in quotes"
    return f"is {_kind(value)}, not a text", "write one text"


def _pattern(location: Location, value: object, context: Mapping[str, Any]) -> _Told:
    what, remedy = PATTERNS.get(str(context.get("pattern")), ("is not written as it must be", ""))
    return what, remedy


def _literal(location: Location, value: object, context: Mapping[str, Any]) -> _Told:
    expected = str(context.get("expected", "")).replace("'", "")
    close = nearest(str(value), expected.replace(" or ", ", ").split(", "))
    hint = f"; did you mean '{close}'?" if close else ""
    return "is not one of the choices", f"write {expected}{hint}"


def _number(location: Location, value: object, context: Mapping[str, Any]) -> _Told:
    if (ends := _duration(location)) is not None:
        return ("is empty" if value is None else f"is {_kind(value)}, not a duration"), f"write a duration {ends}"
    return ("is empty" if value is None else f"is {_kind(value)}, not a number"), "write a number"


def _finite(location: Location, value: object, context: Mapping[str, Any]) -> _Told:
    return "is not a finite number", "write a number"


def _whole(location: Location, value: object, context: Mapping[str, Any]) -> _Told:
    return ("is empty" if value is None else "is not a whole number"), "write a whole number"


def _switch(location: Location, value: object, context: Mapping[str, Any]) -> _Told:
    return "is neither true nor false", "write true or false"


def _bound(words: str, key: str) -> Callable[[Location, object, Mapping[str, Any]], _Told]:
    def told(location: Location, value: object, context: Mapping[str, Any]) -> _Told:
        if (ends := _duration(location)) is not None:
            return "is out of range", f"write a duration {ends}"
        return "is out of range", f"write a number that is {words} {context[key]:g}"

    return told


def _duration(location: Location) -> str | None:
    """From when to when a setting may be that is a duration; None for another one."""
    here = settings_at(location[:-1]) if location else None
    field = None if here is None else here.model_fields.get(str(location[-1]))
    rules = [] if field is None else field.metadata
    if not any(getattr(rule, "func", None) is seconds for rule in rules):
        return None
    least = max((end for rule in rules if (end := getattr(rule, "ge", None)) is not None), default=0)
    most = min((end for rule in rules if (end := getattr(rule, "le", None)) is not None), default=None)
    if most is not None:
        return f"from {_time(least)} to {_time(most)}"
    above = any(getattr(rule, "gt", None) is not None for rule in rules)
    return "of more than 0s, for example 250ms, 10s, 10m or 24h" if above else "such as 250ms, 10s, 10m or 24h"


def _time(number: float) -> str:
    """Seconds as people write them: 1740 is 29m."""
    for unit, size in reversed(UNITS.items()):
        if number and number % size == 0:
            return f"{number / size:g}{unit}"
    return f"{number:g}s"


def _too_few(location: Location, value: object, context: Mapping[str, Any]) -> _Told:
    return f"has {context['actual_length']} items", f"it needs at least {context['min_length']}"


def _too_many(location: Location, value: object, context: Mapping[str, Any]) -> _Told:
    return f"has {context['actual_length']} items", f"it can have {context['max_length']}"


def _own_words(location: Location, value: object, context: Mapping[str, Any]) -> _Told:
    what, _, remedy = str(context["error"]).partition("; ")
    return what, remedy


def _kind(value: object) -> str:
    """A value's kind in words, without the value."""
    for kind, words in _WORDS:
        if isinstance(value, kind):
            return words
    return "something else"


_WORDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),  # before int: a bool is one
    (int, "a number"),
    (float, "a number"),
    (str, "a text"),
    (list, "a list"),
    (dict, "a mapping"),
)

_KINDS: Mapping[str, Callable[[Location, object, Mapping[str, Any]], _Told]] = {
    "extra_forbidden": _unknown,
    "missing": _missing,
    "model_type": _mapping,
    "model_attributes_type": _mapping,
    "dict_type": _mapping,
    "list_type": _list,
    "string_type": _text,
    "path_type": _text,
    "string_pattern_mismatch": _pattern,
    "literal_error": _literal,
    "float_type": _number,
    "float_parsing": _number,
    "finite_number": _finite,
    "int_type": _whole,
    "int_parsing": _whole,
    "int_from_float": _whole,
    "bool_type": _switch,
    "bool_parsing": _switch,
    "greater_than": _bound("more than", "gt"),
    "greater_than_equal": _bound("at least", "ge"),
    "less_than": _bound("less than", "lt"),
    "less_than_equal": _bound("at most", "le"),
    "too_short": _too_few,
    "too_long": _too_many,
    "value_error": _own_words,
}
