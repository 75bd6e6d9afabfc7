"""JSON Schema of typed documents: of TypedDicts, frozen dataclasses, codes and the plain types of JSON.

A text in `Annotated` says what a field means. The other marks below narrow a field's values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

Schema = dict[str, Any]
_PLAIN = {str: "string", bool: "boolean", int: "integer", float: "number", NoneType: "null"}


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A number that is not below this one."""

    value: int


@dataclass(frozen=True, slots=True)
class AtMost:
    """A number that is not above this one."""

    value: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text that fits this regular expression."""

    expression: str


@dataclass(frozen=True, slots=True)
class Except:
    """A code of its family, except these."""

    codes: tuple[str, ...]


class Definitions:
    """Schemas that refer to each other by name: collects each class that a schema uses."""

    def __init__(self, place: str = "#/$defs/", *, closed: bool = True, wire: bool = False) -> None:
        """`place` is where the document that holds the schemas keeps them; `closed`: no other field may be there;
        `wire`: codes are the words that one program of the pool sends to another.
        """
        self._place = place
        self._wire = wire
        self._closed = {"additionalProperties": False} if closed else {}
        self.found: dict[str, Schema] = {}

    def of(self, kind: Any) -> Schema:
        """The schema of a type. Raises TypeError for one that JSON has no form for."""
        origin, inner = get_origin(kind), get_args(kind)
        if origin is Annotated:
            return _marked(self.of(inner[0]), kind.__metadata__)
        if origin is Literal:
            return {"const": inner[0]} if len(inner) == 1 else {"enum": [*inner]}
        if origin in (Union, UnionType):
            return self._either(inner)
        if origin in (list, tuple):
            return {"type": "array", "items": self.of(inner[0])}
        if origin in (dict, Mapping):
            return {"type": "object"} | ({} if inner[1] is Any else {"additionalProperties": self.of(inner[1])})
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            words = (str(getattr(code, "wire", code) if self._wire else code) for code in kind)
            return {"enum": [*dict.fromkeys(words)]}
        if kind in _PLAIN:
            return {"type": _PLAIN[kind]}
        return self._named(kind)

    def whole(self, kind: Any) -> Schema:
        """The schema of a class, field by field."""
        return {"type": "object", **self._closed, "required": [*_fields(kind)],
                "properties": {name: self.of(field) for name, field in _fields(kind).items()}}

    def _named(self, kind: Any) -> Schema:
        if not is_typeddict(kind) and not is_dataclass(kind):
            raise TypeError(f"{kind} is no type of a JSON document")
        if kind.__name__ not in self.found:
            self.found[kind.__name__] = {}  # it may hold itself
            self.found[kind.__name__] = self.whole(kind)
        return {"$ref": f"{self._place}{kind.__name__}"}

    def _either(self, kinds: tuple[Any, ...]) -> Schema:
        """One of several types, mostly one type or null."""
        schemas = [self.of(kind) for kind in kinds]
        if all("enum" in one or one == {"type": "null"} for one in schemas):
            return {"enum": [code for one in schemas for code in one.get("enum", [None])]}
        if all("type" in one for one in schemas) and sum(len(one) > 1 for one in schemas) <= 1:
            marks = next((one for one in schemas if len(one) > 1), {})
            return {"type": [one["type"] for one in schemas]} | {k: v for k, v in marks.items() if k != "type"}
        return {"anyOf": schemas}


def meanings(kind: Any) -> Iterator[tuple[str, str]]:
    """Each field with what it means, in the order of the class; empty where the name says it."""
    for name, field in _fields(kind).items():
        marks = field.__metadata__ if get_origin(field) is Annotated else ()
        yield name, next((mark for mark in marks if isinstance(mark, str)), "")


def classes(kind: Any) -> Iterator[Any]:
    """The classes of documents that a field's type names."""
    if is_typeddict(kind) or (isinstance(kind, type) and is_dataclass(kind)):
        yield kind
    elif get_origin(kind) is not Literal:
        for part in get_args(kind):
            yield from classes(part)


def _fields(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in fields(kind)} if is_dataclass(kind) else hints


def _marked(schema: Schema, marks: tuple[object, ...]) -> Schema:
    for mark in marks:
        match mark:
            case AtLeast(value):
                schema = schema | {"minimum": value}
            case AtMost(value):
                schema = schema | {"maximum": value}
            case Pattern(expression):
                schema = schema | {"pattern": expression}
            case Except(codes):
                schema = schema | {"enum": [code for code in schema["enum"] if code not in codes]}
    return schema
