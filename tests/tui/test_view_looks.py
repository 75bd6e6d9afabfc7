"""Looks of the views of nodes and events, as they were when somebody last looked at them and found them good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.tui.test_looks import look

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])


@SIZES
@pytest.mark.parametrize(("sample", "key"), [
    ("healthy", "2"), ("split", "2"), ("down", "2"), ("degraded", "3"), ("degraded", "4"), ("split", "7"),
])
def test_view(snap_compare: Callable[..., Any], sample: str, key: str, size: tuple[int, int]) -> None:
    assert snap_compare(look(sample), press=[key], terminal_size=size)


@SIZES
def test_detail_of_a_server(snap_compare: Callable[..., Any], size: tuple[int, int]) -> None:
    assert snap_compare(look("healthy"), press=["enter"], terminal_size=size)


def test_the_database_view_in_light(snap_compare: Callable[..., Any]) -> None:
    assert snap_compare(look("split", "light"), press=["2"], terminal_size=(120, 40))
