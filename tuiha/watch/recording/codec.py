"""Snapshots as JSON and back, for any frozen dataclass: older and newer files are read as far as they go.

A field that this version does not know is left out, one that the file does not have gets its default. Where a field
may hold one of several classes, the one that it holds is named beside its fields. Numbers are
kept to two decimals, those under 1 to four: an age needs no microseconds, and the file stays small.
"""

from __future__ import annotations

import dataclasses
import math
import re
import types
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from tuiha.model.codes import Action, ProblemCode, Recorded
from tuiha.model.facts import Snapshot

T = TypeVar("T")
Json = Any  # what json.loads can return
_Read = Callable[[Json], Any]
_REQUIRED = object()
_IS = "is"  # the key of the class's name, where a base class has several; no field has that name


class DecodeError(Exception):
    """The data cannot be what is asked for; the text says which field."""


def pack(value: object) -> Json:
    """A dataclass, and what is in it, as JSON. Raises TypeError for what JSON and this codec have no form for."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return _rounded(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return value
    if isinstance(value, (tuple, list)):
        return [pack(item) for item in value]
    if isinstance(value, Mapping):
        return [[pack(key), pack(item)] for key, item in value.items()]
    if dataclasses.is_dataclass(value):
        kind: Any = type(value)
        named = {_IS: kind.__name__} if _derived(kind) else {}
        return named | {name: pack(getattr(value, name)) for name in _names(kind)}
    raise TypeError(f"no form for {type(value).__name__}")


def unpack(kind: type[T], data: Json) -> T:
    """The dataclass of that kind from JSON. Raises DecodeError."""
    anything: Any = kind
    made: T = _reader(anything)(data)
    return made


def _rounded(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    short = round(value, 2 if abs(value) >= 1 else 4)
    return int(short) if short.is_integer() else short


@lru_cache(maxsize=256)
def _derived(kind: Any) -> bool:
    """Whether a class stands in the place of a base class of its own kind."""
    return any(dataclasses.is_dataclass(base) for base in kind.__mro__[1:])


@lru_cache(maxsize=256)
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


@lru_cache(maxsize=256)
def _reader(kind: Any) -> _Read:
    """What reads a value of that type."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any or kind is object:
        return lambda data: data
    if origin in (Union, types.UnionType):
        return _optional(arguments)
    if origin in (tuple, list):
        return _sequence(arguments[0], origin)
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(arguments)
    if dataclasses.is_dataclass(kind):
        return _one_of(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _enumeration(kind)
    if kind in _PLAIN:
        return _PLAIN[kind]
    raise TypeError(f"no form for {kind}")


def _plain(name: str, *accepted: type, make: Callable[[Any], Any]) -> _Read:
    def read(data: Json) -> Any:
        if not isinstance(data, accepted) or (isinstance(data, bool) and bool not in accepted):
            raise DecodeError(f"{data!r:.40} is not {name}")
        return make(data)

    return read


_PLAIN: dict[Any, _Read] = {
    str: _plain("a text", str, make=str),
    bool: _plain("true or false", bool, make=bool),
    int: _plain("a whole number", int, make=int),
    float: _plain("a number", int, float, make=float),
}


def _optional(choices: tuple[Any, ...]) -> _Read:
    """`X | None`, or several: the first that can be read."""
    readers = [_reader(choice) for choice in choices if choice is not type(None)]
    nothing = type(None) in choices

    def read(data: Json) -> Any:
        if data is None and nothing:
            return None
        for place, reader in enumerate(readers, start=1):
            try:
                return reader(data)
            except DecodeError:
                if place == len(readers):
                    raise
        raise DecodeError("nothing is accepted")

    return read


def _sequence(item: Any, make: Callable[[Any], Any]) -> _Read:
    reader = _reader(item)

    def read(data: Json) -> Any:
        if not isinstance(data, list):
            raise DecodeError(f"{data!r:.40} is not a list")
        return make(reader(part) for part in data)

    return read


def _mapping(arguments: tuple[Any, ...]) -> _Read:
    key, value = map(_reader, arguments)

    def read(data: Json) -> Any:
        if not isinstance(data, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in data):
            raise DecodeError(f"{data!r:.40} is not a list of pairs")
        return {key(name): value(item) for name, item in data}

    return read


def _enumeration(kind: type[Enum]) -> _Read:
    """A member; of what is also called UNKNOWN, that one for a word that this version does not know."""
    unknown = kind.__members__.get("UNKNOWN")

    def read(data: Json) -> Any:
        try:
            return kind(data)
        except ValueError:
            if unknown is not None and isinstance(data, str):
                return unknown
            raise DecodeError(f"{data!r:.40} is no {kind.__name__}") from None

    return read


def _one_of(kind: Any) -> _Read:
    """The class itself, or the one of those derived from it that is named."""
    derived: dict[str, Any] = {one.__name__: one for one in kind.__subclasses__()}
    plain = _dataclass(kind)
    if not derived:
        return plain

    def read(data: Json) -> Any:
        name = data.get(_IS) if isinstance(data, dict) else None
        if name is None:
            return plain(data)
        if name not in derived:
            raise DecodeError(f"{name!r:.40} is no {kind.__name__}")
        return _reader(derived[name])(data)

    return read


def _dataclass(kind: Any) -> _Read:
    hints = get_type_hints(kind)
    fields = [(field.name, _reader(hints[field.name]), _absent(field, hints[field.name]))
              for field in dataclasses.fields(kind)]

    def read(data: Json) -> Any:
        if not isinstance(data, dict):
            raise DecodeError(f"{kind.__name__}: {data!r:.40} is not an object")
        data = lifted(kind, data)
        values = {}
        for name, reader, absent in fields:
            if name in data:
                try:
                    values[name] = reader(data[name])
                except DecodeError as error:
                    raise DecodeError(f"{kind.__name__}.{name}: {error}") from None
            else:
                values[name] = absent()
                if values[name] is _REQUIRED:
                    raise DecodeError(f"{kind.__name__}.{name} is missing")
        return kind(**values)

    return read


def _absent(field: dataclasses.Field[Any], hint: Any) -> Callable[[], Any]:
    """What a field is when the file does not have it."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory
    if field.default is not dataclasses.MISSING:
        default = field.default
        return lambda: default
    empty = None if type(None) in get_args(hint) else _REQUIRED
    return lambda: empty


SAME = object()
"""The difference of equal values."""
_WHOLE = ""  # the key under which a whole new object stands; no field has that name


def difference(old: Json, new: Json) -> Json:
    """What turns `old` into `new`; SAME when they are equal.

    Of objects with the same keys it is an object of the keys that changed, of lists of the same length an object of
    the places that changed; of all else the new value.
    """
    if isinstance(new, dict):
        return _of_objects(old, new) if isinstance(old, dict) and old.keys() == new.keys() else {_WHOLE: new}
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return _of_objects(dict(enumerate(old)), dict(enumerate(new)))
    return SAME if type(old) is type(new) and old == new else new


def _of_objects(old: dict[Json, Json], new: dict[Json, Json]) -> Json:
    changed = {}
    for key, value in new.items():
        found = difference(old[key], value)
        if found is not SAME:
            changed[str(key)] = found
    return changed or SAME


def applied(old: Json, change: Json) -> Json:
    """The value that `old` became; `old` itself stays as it is. Raises DecodeError when they do not fit together."""
    if not isinstance(change, dict):
        return change
    if _WHOLE in change:
        return change[_WHOLE]
    try:
        if isinstance(old, dict):
            return {**old, **{key: applied(old[key], part) for key, part in change.items()}}
        if isinstance(old, list):
            whole = list(old)
            for place, part in change.items():
                whole[int(place)] = applied(whole[int(place)], part)
            return whole
        raise DecodeError(f"a difference of {len(change)} parts is based on neither an object nor a list")
    except (KeyError, IndexError, ValueError):
        raise DecodeError("a difference does not fit what it is based on") from None


_NODES = ("servers", "databases", "sprayers", "mail")


def lifted(kind: type, data: dict[str, Any]) -> dict[str, Any]:
    """The same data as this version records them; what is of today already, and what cannot be read, as it is."""
    lift = _LIFTS.get(kind)
    return data if lift is None else lift(data)


def _snapshot(data: dict[str, Any]) -> dict[str, Any]:
    """A snapshot whose problems are sentences: these are shown as they are, and nothing else is known of them."""
    problems = data.get("problems")
    if not isinstance(problems, list) or all(not isinstance(one, dict) or "code" in one for one in problems):
        return data
    groups = [group for group in map(data.get, _NODES) if isinstance(group, list)]
    nodes = [node.get("name") for group in groups for node in group if isinstance(node, dict)]
    return {**data, "problems": [_problem(one, nodes) for one in problems]}


def _problem(data: Any, nodes: Iterable[Any]) -> Any:
    if not isinstance(data, dict):
        return data
    what, means, then = (data.get(name) for name in ("what", "means", "next"))
    if not isinstance(what, str) or not isinstance(means, str):
        return data
    state, _, text = what.partition("  ")
    named = [name for name in nodes if isinstance(name, str)
             and re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text)]
    return {**data, "code": ProblemCode.RECORDED.value,
            "facts": {"is": Recorded.__name__, "text": text, "state": state, "means": means, "names": named},
            "next": {"action": Action.RECORDED.value, "targets": [then]} if isinstance(then, str) else None}


_LIFTS: Mapping[type, Callable[[dict[str, Any]], dict[str, Any]]] = {Snapshot: _snapshot}
