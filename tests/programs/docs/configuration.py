"""Writes the table of docs/configuration.md: `python -m tests.programs.docs.configuration`, from the checkout's top.

Keys, kinds and defaults are those of the settings; what a key means is what config/pool.example.yaml says beside it.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tuiha.config.document import Document, read
from tuiha.config.errors import Location
from tuiha.config.settings import Pool
from tuiha.config.values import PATTERNS, Secret, seconds

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "config" / "pool.example.yaml"
TARGET = ROOT / "docs" / "configuration.md"

TABLE = "| key | value | without it | meaning |\n|---|---|---|---|\n"  # what is above it is written by hand


def uncommented(text: str) -> str:
    """The example with its optional keys made real; every line stays on its line."""
    return re.sub(r"(?m)^( *)#(?=[a-z_]+:)|^( *)#(?=(?:  ){1,2}[a-z])", r"\1\2", text)


def rows() -> Iterator[str]:
    """One line of the table for each key, in the order of the settings."""
    lines = EXAMPLE.read_text(encoding="utf-8").split("\n")
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as whole:
        whole.write(uncommented("\n".join(lines)))
        whole.flush()
        document = read(Path(whole.name))
    for location, key, field in fields(Pool):
        told = meaning(document, lines, location)
        yield f"| `{key}` | {kind(field)} | {default(field)} | {told} |"


def fields(
    settings: type[BaseModel], location: Location = (), key: str = ""
) -> Iterator[tuple[Location, str, FieldInfo]]:
    """Every field with its place in the example and its name for people."""
    for name, field in settings.model_fields.items():
        here, told = (*location, name), f"{key}.{name}" if key else name
        yield here, told, field
        inner = settings_in(field.annotation)
        if inner is not None and inner is not Secret:
            several = get_origin(field.annotation) is list
            yield from fields(inner, (*here, 0) if several else here, f"{told}[]" if several else told)


def settings_in(annotation: Any) -> type[BaseModel] | None:
    """The settings class inside `X`, `X | None` and `list[X]`."""
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def meaning(document: Document, lines: list[str], location: Location) -> str:
    """What the example says: behind the key, or in the lines right above it."""
    number = document.lines.get(location)
    if number is None:
        raise SystemExit(f"{EXAMPLE.name} does not have {location}")
    behind = re.search(r"^.*\S\s+# (.*)$", lines[number - 1])
    if behind:
        told = [behind[1]]
        while number < len(lines) and (more := re.match(r"\s{30,}# (.*)$", lines[number])):
            told.append(more[1])
            number += 1
        return " ".join(told).replace("|", "\\|")
    above: list[str] = []
    while number >= 2 and re.match(r"\s*# ", lines[number - 2]):
        above.insert(0, lines[number - 2].strip().removeprefix("# "))
        number -= 1
    if not above:
        raise SystemExit(f"{EXAMPLE.name} does not explain {location}")
    return " ".join(above).replace("|", "\\|")


def kind(field: FieldInfo) -> str:
    """The kind of a field's value in words."""
    annotation = field.annotation
    inner = settings_in(annotation)
    if inner is Secret:
        return "secret"
    if inner is not None:
        return "list" if get_origin(annotation) is list else "mapping"
    if get_origin(annotation) is dict:
        return "mapping"
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(annotation))
    if any(getattr(extra, "func", None) is seconds for extra in field.metadata):
        return "duration"
    inside = () if get_origin(annotation) is list else get_args(annotation)
    parts = [part for part in inside if part is not type(None)] or [annotation]
    extras = [*field.metadata, *(extra for part in parts for extra in getattr(part, "__metadata__", ()))]
    for extra in extras:
        pattern = getattr(extra, "pattern", None) or next(
            (inner.pattern for inner in getattr(extra, "metadata", ()) if getattr(inner, "pattern", None)), None)
        if pattern is not None:
            return PATTERNS[pattern][0].removeprefix("is not ").removeprefix("a ").removeprefix("an ")
    words = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false", "Path": "path",
             "list": "list of texts"}
    return " or ".join(words[getattr(part, "__origin__", part).__name__] for part in parts)


def default(field: FieldInfo) -> str:
    """What holds without the key."""
    if field.is_required():
        return "*required*"
    value = field.default
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, BaseModel):
        return "as below"
    if any(getattr(extra, "func", None) is seconds for extra in field.metadata):
        return duration(value)
    return f"`{str(value).lower() if isinstance(value, bool) else f'{value:g}' if isinstance(value, float) else value}`"


def duration(value: float) -> str:
    """Seconds as people write them."""
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("m", 60.0)):
        if value >= 2 * size and value % size == 0:
            return f"`{value / size:g}{unit}`"
    return f"`{value:g}s`" if value >= 1 else f"`{value * 1000:g}ms`"


def document() -> str:
    """The whole document: the words that are there, and the table as it must be."""
    words, _, _ = TARGET.read_text(encoding="utf-8").partition(TABLE)
    return words + TABLE + "\n".join(rows()) + "\n"


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
