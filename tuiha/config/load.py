"""Loading the configuration of a pool: everything that is wrong with it at once, each with file, line and field."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tuiha.config.errors import ConfigError, ConfigProblem, Location, field_name

if TYPE_CHECKING:  # pydantic and yaml cost time that commands without a configuration need not pay
    from pydantic import BaseModel

    from tuiha.config.document import Document
    from tuiha.config.settings import Pool

__all__ = ["ConfigError", "ConfigProblem", "load"]


def load(path: Path) -> Pool:
    """The settings in a YAML file. Raises ConfigError with all problems at once; it holds no secrets."""
    from pydantic import ValidationError

    from tuiha.config.document import read
    from tuiha.config.explain import explain
    from tuiha.config.settings import Pool
    from tuiha.config.tls import plain_text

    document = read(path)
    try:
        pool = Pool.model_validate(document.data)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        problems = [_at(document, *found) for found in explain(faults)]
        raise ConfigError(*_in_order(problems)) from None
    _remember_origins(pool, document)
    problems = [_at(document, *found) for found in plain_text(pool)]
    if problems:
        raise ConfigError(*_in_order(problems))
    return pool


def _at(document: Document, location: Location, what: str, remedy: str) -> ConfigProblem:
    return ConfigProblem(what, remedy, field_name(location), document.file, document.line(location))


def _in_order(problems: list[ConfigProblem]) -> list[ConfigProblem]:
    return sorted(set(problems), key=lambda problem: (problem.line or 0, problem.field))


def _remember_origins(pool: Pool, document: Document) -> None:
    """Tell secrets and TLS settings where they were written: they are opened later, and may fail then."""
    from tuiha.config.values import Located

    for location, part in _parts(pool, ()):
        if isinstance(part, Located):
            part.remember(document.file, document.line(location), field_name(location))


def _parts(part: BaseModel, location: Location) -> Iterator[tuple[Location, BaseModel]]:
    """All settings below `part`, itself included, each with its location."""
    from pydantic import BaseModel

    yield location, part
    for name, value in part:
        for index, item in enumerate(value) if isinstance(value, list) else ((None, value),):
            if isinstance(item, BaseModel):
                yield from _parts(item, (*location, name) if index is None else (*location, name, index))
