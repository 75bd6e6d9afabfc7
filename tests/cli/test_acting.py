"""The name that is typed at the terminal before something is done."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from tuiha.cli import exits
from tuiha.cli.exits import CommandError
from tuiha.cli.operations import act


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The other end of the terminal that is stdin."""
    master, slave = os.openpty()
    with os.fdopen(slave) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        yield master
    os.close(master)


def typed(keyboard: int, monkeypatch: pytest.MonkeyPatch, text: bytes) -> str:
    """Ask for the name anna, and type when it is asked for."""
    monkeypatch.setattr(act, "say", lambda _: threading.Timer(0.1, os.write, (keyboard, text)).start())
    return act._typed("anna")


def test_the_name_is_typed(keyboard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert typed(keyboard, monkeypatch, b"anna\n") == "anna"


def test_another_name_does_nothing(keyboard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="nothing was done: anna was not typed") as refused:
        typed(keyboard, monkeypatch, b"anne\n")
    assert refused.value.code == exits.REFUSED


def test_what_was_typed_before_the_plan_was_shown_confirms_nothing(
    keyboard: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.write(keyboard, b"anna\n")
    with pytest.raises(CommandError, match="nothing was done"):
        typed(keyboard, monkeypatch, b"\n")
