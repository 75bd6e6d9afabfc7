"""A dashboard that can act, over an operator that is a fake, and the keys of a hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar, cast
from weakref import WeakKeyDictionary

from textual import events
from textual.app import App
from textual.message import Message
from textual.pilot import Pilot

from tests.tui.samples import AT, SampleFeed, healthy
from tests.tui.test_app import seen
from tuiha.model.facts import Snapshot
from tuiha.tui.app import Dashboard
from tuiha.tui.operations.operator import Desk
from tuiha.tui.operations.screens.confirm import ConfirmScreen
from tuiha.tui.operations.screens.plan import PlanScreen
from tuiha.tui.theme import load_theme

HAND = 0.36  # seconds between two keys of a hand, also of one that presses a key twice
QUICK = 0.05  # of the usual time that a dashboard lets pass before it does something again
_LATER: WeakKeyDictionary[App[int], float] = WeakKeyDictionary()  # seconds that hands have rested
M = TypeVar("M", bound=Message)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = AT + 0.2

    def __call__(self) -> float:
        return self.now


def made(
    operator: Desk | None, snapshot: Snapshot | None = None, clock: Clock | None = None, *, tempo: float = 1.0
) -> Dashboard:
    """A dashboard over a made-up pool, healthy unless a snapshot is given."""
    return Dashboard(
        SampleFeed(snapshot or healthy()), "corp-east", load_theme("dark"), now=clock or Clock(), operator=operator,
        tempo=tempo,
    )


@asynccontextmanager
async def running(
    operator: Desk | None, snapshot: Snapshot | None = None, clock: Clock | None = None, *, unlocked: bool = True,
    tempo: float = 1.0,
) -> AsyncIterator[Pilot[int]]:
    """It runs at 80x24, unlocked unless told otherwise."""
    app = made(operator, snapshot, clock, tempo=tempo)
    async with app.run_test(size=(80, 24)) as pilot:
        if unlocked:
            assert app.operations.unlock("kernel patch")
            app.paint()
        await pilot.pause()
        yield pilot


async def on(pilot: Pilot[int], screen: type) -> None:
    """Wait until that screen is in front."""
    await seen(pilot, lambda: isinstance(pilot.app.screen, screen))
    await pilot.pause()


def rest(pilot: Pilot[int], seconds: float = HAND) -> None:
    """Let a hand rest: what it does from now on is so much later by the clock of key events. No test waits for it."""
    _LATER[pilot.app] = _LATER.get(pilot.app, 0.0) + seconds


def timed(pilot: Pilot[int], event: M) -> M:
    """What a hand does now."""
    event.time += _LATER.get(pilot.app, 0.0)
    return event


def _key(name: str) -> events.Key:
    return events.Key(name, " " if name == "space" else name if len(name) == 1 else None)


async def by_hand(pilot: Pilot[int], *keys: str) -> None:
    """Press keys as slowly as a hand does."""
    for key in keys:
        rest(pilot)
        pilot.app.post_message(timed(pilot, _key(key)))
        await pilot.pause()


async def at_once(pilot: Pilot[int], *keys: str) -> None:
    """As a burst arrives, or a held key: all of them before any is acted on."""
    for key in keys:
        pilot.app.post_message(timed(pilot, _key(key)))
    await done(pilot)


async def done(pilot: Pilot[int]) -> None:
    """Wait until every key that was pressed has done what it does."""
    await pilot.pause()
    await seen(pilot, lambda: not cast("Dashboard", pilot.app)._typed)
    await pilot.pause()


async def to_confirm(pilot: Pilot[int]) -> None:
    """From Home to the confirmation of a switchover."""
    await pilot.press("f", "enter")
    await seen(pilot, lambda: isinstance(pilot.app.screen, PlanScreen) and pilot.app.screen.plan is not None)
    await pilot.press("c")
    await on(pilot, ConfirmScreen)
