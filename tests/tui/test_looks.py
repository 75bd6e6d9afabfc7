"""Looks: each screen as it was when somebody last looked at it and found it good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.tui.samples import AT, SAMPLES, SampleFeed
from tuiha.tui.app import Dashboard
from tuiha.tui.theme import load_theme


def look(sample: str, theme: str = "dark") -> Dashboard:
    snapshot, happened = SAMPLES[sample]()
    return Dashboard(SampleFeed(snapshot, happened), snapshot.pool, load_theme(theme), now=lambda: AT + 0.2)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("sample", ["healthy", "degraded", "split", "down"])
def test_home(snap_compare: Callable[..., Any], sample: str, size: tuple[int, int]) -> None:
    assert snap_compare(look(sample), terminal_size=size)


def test_home_in_light(snap_compare: Callable[..., Any]) -> None:
    assert snap_compare(look("split", "light"), terminal_size=(120, 40))


def test_detail_of_a_mail_server_that_is_down(snap_compare: Callable[..., Any]) -> None:
    assert snap_compare(look("degraded"), press=["enter"], terminal_size=(80, 24))


def test_help_on_home(snap_compare: Callable[..., Any]) -> None:
    assert snap_compare(look("healthy"), press=["question_mark"], terminal_size=(80, 24))


def test_filter_being_typed(snap_compare: Callable[..., Any]) -> None:
    assert snap_compare(look("degraded"), press=["slash", *"role:mail"], terminal_size=(80, 24))
