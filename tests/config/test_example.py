"""The example explains every key, and what it says is so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from tuiha.config import tls
from tuiha.config.document import read
from tuiha.config.load import load
from tuiha.config.places import data_file
from tuiha.config.settings import Pool
from tuiha.config.values import Secret

EXAMPLE = data_file("config/pool.example.yaml")


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """The example with its optional keys made real."""
    file = tmp_path / "whole.yaml"
    file.write_text(re.sub(r"(?m)^( *)#(?=[ ]*[a-z_]+:)(?! )|^( *)#(?=(?:  ){1,2}[a-z])", r"\1\2", EXAMPLE.read_text()))
    return file


def fields(settings: type[BaseModel], place: str = "") -> Iterator[tuple[str, Any]]:
    """Every field below some settings with its path, lists without their numbers; secrets count as one field."""
    for name, field in settings.model_fields.items():
        here = f"{place}.{name}" if place else name
        yield here, field
        inner = [field.annotation, *get_args(field.annotation)]
        for kind in inner:
            if isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not Secret:
                yield from fields(kind, here)


def values(data: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in a document with its path, lists without their numbers."""
    if isinstance(data, dict):
        for key, value in data.items():
            here = f"{place}.{key}" if place else key
            yield here, value
            yield from values(value, here)
    elif isinstance(data, list):
        for item in data:
            yield from values(item, place)


def test_the_example_loads() -> None:
    pool = load(EXAMPLE)
    assert len(pool.servers) == len(pool.database.nodes) == len(pool.sprayers) == len(pool.mail[0].servers) == 2


def test_every_key_is_in_it(whole: Path) -> None:
    load(whole)
    written = {place for place, _ in values(read(whole).data)}
    assert {place for place, _ in fields(Pool)} <= written


def test_every_source_of_a_secret_is_in_it(whole: Path) -> None:
    places = [place for place, _ in values(read(whole).data)]
    for source in Secret.model_fields:
        assert any(place.endswith(f"password.{source}") for place in places)


def test_optional_keys_show_their_defaults(tmp_path: Path, whole: Path) -> None:
    """Leaving out an optional key that has a default changes nothing: the example tells the true default."""
    plain, told = load(EXAMPLE), load(whole)
    checked = 0
    for part in ("heartbeat", "binding", "lease", "hold", "watch"):
        assert getattr(told, part) == getattr(plain, part)
    for place, field in fields(Pool):
        if field.default not in (PydanticUndefined, None) and place.count(".") == 1 and place.startswith("database."):
            name = place.split(".")[1]
            assert getattr(told.database, name) == field.default
            checked += 1
    assert checked >= 3
    for name in ("logins_per_second", "login_burst", "history", "driver"):
        assert getattr(told.mail[0], name) == getattr(plain.mail[0], name)
    assert told.servers[0].capacity == plain.servers[0].capacity
    assert told.sprayers[0].backend == plain.sprayers[0].backend


def test_every_place_that_accepts_any_certificate_is_found(whole: Path) -> None:
    text = whole.read_text()
    assert list(tls.unverified(load(whole))) == []
    whole.write_text(text.replace("verify: true", "verify: false"))
    found = list(tls.unverified(load(whole)))
    assert len(found) == text.count("verify: true") == len(set(found)) > 4
    assert {"servers.s1.tls", "database.tls", "ledger.tls"} <= set(found)
