"""A dashboard that can act, over an operator that is a fake, and the keys of a hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from textual import events
from textual.pilot import Pilot

from tests.tui.samples import AT, SampleFeed, healthy
from tests.tui.test_app import seen
from tuiha.model.facts import Snapshot
from tuiha.tui.app import Dashboard
from tuiha.tui.kit.paced import PACE
from tuiha.tui.operations.operator import Desk
from tuiha.tui.operations.screens.confirm import ConfirmScreen
from tuiha.tui.operations.screens.plan import PlanScreen
from tuiha.tui.theme import load_theme

HAND = 1.2 * PACE  # seconds between two keys of a hand


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = AT + 0.2

    def __call__(self) -> float:
        return self.now


def made(operator: Desk | None, snapshot: Snapshot | None = None, clock: Clock | None = None) -> Dashboard:
    """A dashboard over a made-up pool, healthy unless a snapshot is given."""
    return Dashboard(
        SampleFeed(snapshot or healthy()), "corp-east", load_theme("dark"), now=clock or Clock(), operator=operator
    )


@asynccontextmanager
async def running(
    operator: Desk | None, snapshot: Snapshot | None = None, clock: Clock | None = None, *, armed: bool = True
) -> AsyncIterator[Pilot[int]]:
    """It runs at 80x24, armed unless told otherwise."""
    app = made(operator, snapshot, clock)
    async with app.run_test(size=(80, 24)) as pilot:
        if armed:
            assert app.operations.arm("kernel patch")
            app.paint()
        await pilot.pause()
        yield pilot


async def on(pilot: Pilot[int], screen: type) -> None:
    """Wait until that screen is in front."""
    await seen(pilot, lambda: isinstance(pilot.app.screen, screen))
    await pilot.pause()


async def by_hand(pilot: Pilot[int], *keys: str) -> None:
    """Press keys as slowly as a hand does."""
    for key in keys:
        await pilot.pause(HAND)
        await pilot.press(key)


async def at_once(pilot: Pilot[int], *keys: str) -> None:
    """As a burst arrives, or a held key: all of them before any is acted on."""
    for key in keys:
        pilot.app.post_message(events.Key(key, key if len(key) == 1 else None))
    await pilot.pause()


async def to_confirm(pilot: Pilot[int]) -> None:
    """From Home to the confirmation of a switchover."""
    await pilot.press("f", "enter")
    await seen(pilot, lambda: isinstance(pilot.app.screen, PlanScreen) and pilot.app.screen.plan is not None)
    await pilot.press("c")
    await on(pilot, ConfirmScreen)
