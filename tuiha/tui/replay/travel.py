"""Time travel: whether the dashboard shows the pool as it is, or as it was recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from tuiha.config.errors import ConfigError
from tuiha.tui.draw.spans import Line
from tuiha.tui.draw.view import View
from tuiha.tui.keys import HOME
from tuiha.tui.kit.application import Application
from tuiha.tui.replay.lines import past_line
from tuiha.watch.feed import Feed
from tuiha.watch.recording.moments import moment

if TYPE_CHECKING:
    from tuiha.watch.recording.replay import Replay, Where

REPLAY = "REPLAY"
JUMP = "jump"  # a screen
THE_PAST = "this is a recording: nothing can be changed in the past"
NO_RECORDING = "nothing is recorded here"
NO_LIVE = "this is a recording; there is no live pool behind it"


def unclear(text: str) -> str:
    """Why a text is no moment; empty when it is one, or nothing."""
    try:
        if text:
            moment(text, 0.0)
    except ValueError as error:
        return str(error)
    return ""


PRESENT = frozenset({"users", "operations"})  # views
PRESENT_ONLY = "users and operations are not recorded; t leads back to the pool as it is"
ONLY_IN_PAST = "only in a recording: t leads there"
IN_THE_PAST = frozenset({"time.before", "time.after", "time.change_before", "time.change_after", "time.compare",
                         "time.go"})  # keys


class Traveller(Application, Protocol):
    """The dashboard, as time travel sees it."""

    @property
    def feed(self) -> Feed:
        """What brings the snapshots that are shown."""

    def use_feed(self, feed: Feed) -> None:
        """Show what this feed brings from now on."""

    def operates(self) -> bool:
        """Whether a screen of an operation is open."""

    def run_worker(self, work: Coroutine[Any, Any, None], *, exit_on_error: bool) -> object:
        """Do this beside everything else."""


class TimeTravel:
    """Swaps the dashboard's feed for a recording's, and back. All views then show the moment that is looked at."""

    def __init__(self, dashboard: Traveller, past: Callable[[], Replay] | None, replay: Replay | None) -> None:
        """`past` opens the pool's recording, and may block; `replay` is one that is the dashboard's own feed."""
        self._dashboard = dashboard
        self._past = past
        self._live: Feed | None = None
        self._replay = replay
        self._opening = False

    @property
    def active(self) -> bool:
        """Whether it is the past that is shown."""
        return self._replay is not None

    @property
    def replay(self) -> Replay | None:
        """The recording that is shown; None while the pool is shown live."""
        return self._replay

    @property
    def where(self) -> Where | None:
        """The place in the recording that is shown."""
        return None if self._replay is None else self._replay.where

    @property
    def refusal(self) -> str | None:
        """Why nothing can be changed now; None while the pool is shown live."""
        return THE_PAST if self.active else None

    def seen(self, live: View) -> View:
        """The view at the moment that is looked at."""
        if self._replay is None:
            return live
        snapshot = self._replay.latest()
        return replace(live, now=snapshot.at, mode=REPLAY, snapshot=snapshot, events=self._replay.events())

    def hides(self, view: str) -> bool:
        """Whether a view is not there in the past: what it shows is asked of the pool, and not recorded."""
        return self.active and view in PRESENT

    def against(self, key: str) -> str | None:
        """Why the key with that id does nothing now; None when it does something."""
        if key == "time.travel" and self._past is None and not self.active:
            return NO_RECORDING
        return ONLY_IN_PAST if key in IN_THE_PAST and not self.active else None

    def line(self, width: int) -> Line | None:
        """What stands in place of the footer: where in the recording this is, and the keys; None while live."""
        if self._replay is None:
            return None
        alarm = self._live.latest() if self._live is not None else None
        return past_line(self._replay.where, self._replay.latest(), alarm, width)

    async def toggle(self) -> None:
        """Into the past, or back."""
        if self._replay is not None:
            self.back()
        elif self._dashboard.operates():  # its screen would speak of now
            self._dashboard.say("not now: leave this operation first (esc)")
        elif self._past is None:
            self._dashboard.say(f"not now: {NO_RECORDING}")
        else:
            await self.enter(None)

    async def enter(self, at: Callable[[float], float] | None) -> None:
        """Into the past: to the moment that `at` makes of the recording's end, or to its end."""
        if self._replay is None and self._past is not None and not self._opening:
            self._opening = True
            try:
                self._begin(await asyncio.to_thread(self._past))
            except ConfigError as error:
                self._dashboard.say("; ".join(problem.what for problem in error.problems))
                return
            finally:
                self._opening = False
        if self._replay is None:
            self._dashboard.say(f"not now: {NO_RECORDING}")
        elif at is not None:
            self._replay.jump(at(self._replay.where.blocks[-1].last_at))

    def go(self, text: str) -> None:
        """As `:replay 03:00` says; without a text to the recording's end."""
        at = (lambda end: moment(text, end)) if text else None
        self._dashboard.run_worker(self.enter(at), exit_on_error=False)

    def _begin(self, replay: Replay) -> None:
        self._live, self._replay = self._dashboard.feed, replay
        self._dashboard.operations.lock()
        if any(self._dashboard.is_open(name) for name in PRESENT):
            self._dashboard.action_show_view(HOME)
        self._dashboard.use_feed(replay)

    def back(self) -> None:
        """To the pool as it is; says why that cannot be."""
        if self._replay is None:
            return
        if self._live is None:
            self._dashboard.say(f"not now: {NO_LIVE}")
            return
        gone, self._replay = self._replay, None
        live, self._live = self._live, None
        self._dashboard.use_feed(live)
        self._dashboard.run_worker(asyncio.to_thread(gone.close), exit_on_error=False)

    def open(self, name: str) -> None:
        """A screen of the past: `compare` or `jump`. Made when it is first wanted."""
        if not self._here():
            return
        from tuiha.tui.replay.screens import CompareScreen, JumpScreen

        if name == JUMP:
            self._dashboard.installed(JUMP, JumpScreen).start("")
        else:
            self._dashboard.installed(name, CompareScreen)
        self._dashboard.open(name)

    def _here(self) -> bool:
        """Whether the past is shown; says so when it is not."""
        if not self.active:
            self._dashboard.say(f"not now: {ONLY_IN_PAST}")
        return self.active

    def step(self, frames: int) -> None:
        """By so many snapshots."""
        if self._here() and self._replay is not None:
            self._replay.step(frames)

    def change(self, forward: bool) -> None:
        """To the next change, or the one before."""
        if self._here() and self._replay is not None:
            self._replay.change(forward)

    def jump(self, at: float) -> None:
        """To a moment (unix seconds)."""
        if self._replay is not None:
            self._replay.jump(at)

