"""A language of `x`: every letter of a sentence of `tuiha.words` is one, and its length stays."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import pytest

from tuiha import words

_NO_LANGUAGE = frozenset({"tuiha.words.next"})  # commands and keys are the same in each language


def crossed(value: Any) -> Any:
    """The same text, or what holds texts, in the language of `x`."""
    if isinstance(value, str):
        return re.sub(r"[A-Za-z]", "x", value)
    if isinstance(value, tuple | list):
        return type(value)(crossed(part) for part in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: crossed(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **parts)
    if inspect.isfunction(value):
        return _crossing(value)
    return value


def _crossing(function: Any) -> Any:
    @functools.wraps(function)
    def told(*arguments: Any, **named: Any) -> Any:
        said = function(*arguments, **named)
        return said if inspect.isgenerator(said) else crossed(said)

    return told


def modules() -> Iterator[ModuleType]:
    """Every module of the package that has a language."""
    for found in pkgutil.iter_modules(words.__path__, "tuiha.words."):
        if found.name not in _NO_LANGUAGE:
            yield importlib.import_module(found.name)


def speak_x(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on nothing that `tuiha.words` says has a letter of its own."""
    for module in modules():
        for name, value in list(vars(module).items()):
            if name.startswith("__"):
                continue
            if isinstance(value, Mapping):
                for key, said in list(value.items()):
                    monkeypatch.setitem(value, key, crossed(said))
            elif inspect.isfunction(value) and value.__module__ == module.__name__:
                monkeypatch.setattr(module, name, _crossing(value))
            elif (isinstance(value, str) and name != "ATTACHES") or type(value).__module__.startswith("tuiha.words."):
                monkeypatch.setattr(module, name, crossed(value))
