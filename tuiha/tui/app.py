"""The dashboard's application: it takes snapshots from a feed and has the screen in front draw them."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar, cast

from textual import events
from textual.screen import Screen

from tuiha.model.facts import Snapshot
from tuiha.tui.alarms import Alarms
from tuiha.tui.draw.current import goes_on
from tuiha.tui.draw.trends import Trends
from tuiha.tui.draw.view import View
from tuiha.tui.keys import HOME
from tuiha.tui.kit.screen import PoolScreen
from tuiha.tui.looks import Looks, ThemeFile
from tuiha.tui.operations.operator import Desk
from tuiha.tui.operations.path import PASSED, OperationScreens
from tuiha.tui.operations.state import Operations
from tuiha.tui.replay.travel import PRESENT_ONLY, TimeTravel
from tuiha.tui.terminal.app import TerminalApp
from tuiha.tui.terminal.threads import on_this_loop
from tuiha.tui.theme import Palette, ThemeError, load_theme
from tuiha.tui.views.home.screen import HomeScreen
from tuiha.tui.views.registry import MAKERS
from tuiha.watch.feed import Feed

if TYPE_CHECKING:
    from tuiha.tui.views.detail.screen import DetailScreen
    from tuiha.watch.recording.replay import Replay

SETTLED_AFTER = 0.5  # seconds: what the first snapshot need not wait for comes when that is painted
PROBLEM_LIST, DETAIL = "problems", "detail"  # screens
PICTURE_FOR = 2.0  # seconds that an old picture stays when no look at the pool comes to an end
TICK = 1.0  # seconds: without a new snapshot the clock and the ages are painted this often
_log = logging.getLogger(__name__)
S = TypeVar("S", bound=Screen[None])


class Dashboard(TerminalApp, inherit_bindings=False):
    """The dashboard of one pool: what its screens know as an `Application`."""

    def __init__(
        self, feed: Feed, pool: str, palette: Palette, *, mode: str = "LOCKED",
        now: Callable[[], float] = time.time, ready: Callable[[], None] | None = None,
        operator: Desk | None = None, looks: Looks | None = None, past: Callable[[], Replay] | None = None,
        replay: Replay | None = None, lost: Callable[[], str | None] = lambda: None, tempo: float = 1.0,
    ) -> None:
        """`lost` says why what is seen is recorded nowhere, None when it is recorded.

        Whatever is done again and again, or after a moment, is done after `tempo` times its usual seconds.
        """
        super().__init__(palette)
        self._lost = lost
        self.tempo = tempo
        self._lost_told: str | None = None
        looks = looks or Looks()
        self.set_keymap(dict(looks.keys))
        self._clock = looks.clock
        self._alarms = Alarms(bell=looks.bell, notify=looks.notify)
        self.feed = feed
        self.trends = Trends(self.history)
        self._pool = pool
        self._mode = mode
        self._now = now
        self._ready_call = ready
        self.past = TimeTravel(self, past, replay)
        self.operations = Operations(operator, now, lambda: self.feed.latest(), lambda: self.past.refusal)
        self.ways = OperationScreens(self, self.operations)
        self.goodbye = ""  # said on the terminal when the dashboard has been left
        self._not_ready: Exception | None = None
        self._paused = False
        self._frozen: View | None = None
        self._waking = False
        self._woken_at = 0.0
        self._unsubscribe: Callable[[], None] | None = None
        self._theme_file = ThemeFile(palette)
        self._pictured = looks.pictured
        self.home_lines: list[str] = []  # what Home showed last

    # What screens ask

    @property
    def view(self) -> View:
        """What there is to draw now."""
        snapshot = self.feed.latest()
        mode = self.operations.mode(self._mode)
        live = View(self._pool, self._now(), mode, self._paused, snapshot, self.feed.events(),
                    unrecorded=self._lost() is not None, clock=self._clock)
        return self.past.seen(live)

    def now(self) -> float:
        """The time of this machine, also while the past is shown (unix seconds)."""
        return self._now()

    def history(self, node: str, metric: str) -> Sequence[float | None]:
        """The last 15 minutes of a figure."""
        return self.feed.history(node, metric)

    # Life

    def on_mount(self) -> None:
        """Show Home, take snapshots, and end on the signals that mean it."""
        self.install_screen(HomeScreen(), HOME)
        if self._pictured:
            self.hold_frames(PICTURE_FOR)
        self.push_screen(HOME)
        self.settle_in()
        self.use_feed(self.feed)
        if self.feed.latest() is not None:  # it came before anybody was there to be woken
            self.release_frames()
        self.set_interval(TICK * self.tempo, self._tick)
        self.call_after_refresh(self._first_frame)

    def use_feed(self, feed: Feed) -> None:
        """Show what this feed brings from now on: the pool as it is, or as it was."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        woken = on_this_loop(self._woken)

        def wake(_: Snapshot) -> None:
            """On the watcher's thread: say that there is something new, once, and never wait."""
            if not self._waking:
                self._waking = True
                woken()

        self.feed, self.trends = feed, Trends(self.history)
        self._paused, self._frozen = False, None
        self._unsubscribe = feed.subscribe(wake)
        self.paint()

    def _first_frame(self) -> None:
        if self._ready_call is not None:
            self.run_worker(self._call_ready(self._ready_call), exit_on_error=False)
        self.set_timer(SETTLED_AFTER * self.tempo, self._settled)

    def _settled(self) -> None:
        self._detail()  # made now, so that the first time is as quick as every other
        self.spare_memory()
        self.ways.attach(lambda: len(self.screen_stack) == 2)  # once somebody has gone elsewhere, nothing opens

    async def _call_ready(self, ready: Callable[[], None]) -> None:
        """Start what is slow to start, away from the screen's loop; when it cannot start, `run` raises why."""
        try:
            await asyncio.to_thread(ready)
        except Exception as error:  # noqa: BLE001 - handed on to the caller of `run`
            self._not_ready = error
            self.exit(1)

    def on_unmount(self) -> None:
        """Take no more snapshots."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    # Painting

    def _woken(self) -> None:
        self._waking = False
        self._woken_at = time.monotonic()
        self.release_frames()
        snapshot = self.feed.latest()
        if self.past.active:
            self.trends = Trends(self.history)  # they are of another moment
        sound = self._alarms.sound(snapshot) if snapshot is not None and not self.past.active else ""
        lost = self._lost()
        if lost != self._lost_told:
            self._lost_told = lost
            self.say("recorded again" if lost is None else f"nothing is recorded: {lost}")
        if sound and self._driver is not None and not self.is_headless:
            self._driver.write(sound)
        self.paint()

    def _tick(self) -> None:
        self._read_theme_again()
        if time.monotonic() - self._woken_at > 1.5 * TICK * self.tempo:  # else a snapshot is about to be painted anyway
            self.paint()

    def paint(self) -> None:
        """Have the screen in front draw what there is now."""
        if not self.screen_stack:
            return  # a tick after the last screen has gone
        screen = self.screen
        if isinstance(screen, PoolScreen):
            live = self.view
            screen.paint(live, self._frozen or live)

    # Actions of every screen

    def action_show_problems(self) -> None:
        """What is wrong, worst first."""
        from tuiha.tui.views.problems.screen import ProblemsScreen

        if not self.is_open(PROBLEM_LIST):
            self.installed(PROBLEM_LIST, ProblemsScreen).begin()
        self.bring(PROBLEM_LIST)

    def action_show_help(self) -> None:
        """The keys of the screen in front."""
        from tuiha.tui.views.help.screen import HelpScreen

        screen = self.screen
        if isinstance(screen, PoolScreen) and not isinstance(screen, HelpScreen):
            self.installed("help", HelpScreen).explain(screen)
            self.open("help")

    def action_poll_now(self) -> None:
        """Look again at once."""
        self.feed.poll_now()

    def action_pause(self) -> None:
        """Stop painting new snapshots, or go on. Lines 1 to 3 stay live: an alarm is seen nevertheless."""
        self._paused = not self._paused
        self._frozen = self.view if self._paused else None
        self.paint()

    def action_redraw(self) -> None:
        """Send the whole screen again: something else has written to the terminal."""
        self.come_back()

    def action_palette(self) -> None:
        """Everything that the screen in front can do."""
        from tuiha.tui.command.palette import PaletteScreen

        screen = self.screen
        if isinstance(screen, PoolScreen):
            self.installed("palette", PaletteScreen).explain(screen)
            self.open("palette")

    def action_command(self) -> None:
        """Type a command."""
        self.open_command("")

    def action_copy(self) -> None:
        """Copy the shell command for what is selected."""
        if isinstance(self.screen, PoolScreen):
            self.copy(self.screen.shell_command())

    def action_attach(self) -> None:
        """The operation that runs, whoever started it."""
        self.ways.attach_running()

    async def action_quit(self) -> None:
        """Leave."""
        self.leave()

    def action_show_view(self, name: str) -> None:
        """A view, in place of what is in front: Home is always behind it. Made when it is first wanted."""
        if self.past.hides(name):
            self.say(f"not now: {PRESENT_ONLY}")
            return
        if self.installed(name, MAKERS[name]) is self.screen:
            return
        while len(self.screen_stack) > 2:  # Textual's own screen is under Home
            self.pop_screen()
        if name != HOME:
            self.push_screen(name)

    async def action_time_travel(self) -> None:
        """Into the past, or back."""
        await self.past.toggle()

    def action_time_step(self, frames: int) -> None:
        """By so many snapshots."""
        self.past.step(frames)

    def action_time_change(self, direction: int) -> None:
        """To the next change of the pool, or the one before."""
        self.past.change(direction > 0)

    def action_time_screen(self, name: str) -> None:
        """What changed, or where to go."""
        self.past.open(name)

    # Screens

    def installed(self, name: str, make: Callable[[], S]) -> S:
        """A screen, made and installed when it is first needed."""
        if not self.is_screen_installed(name):
            self.install_screen(make(), name)
        return cast("S", self.get_screen(name))

    def is_open(self, name: str) -> bool:
        """Whether that screen is in front or behind another."""
        return self.is_screen_installed(name) and self.get_screen(name) in self.screen_stack

    def open(self, name: str) -> None:
        """Put an installed screen in front, unless it is open already: then the key came twice."""
        if not self.is_open(name):
            self.push_screen(name)

    def bring(self, name: str) -> None:
        """Put an installed screen in front; one that is behind others comes back, and those are left."""
        if not self.is_open(name):
            self.push_screen(name)
        while self.screen is not self.get_screen(name):
            self.pop_screen()

    def leave_all(self, names: Collection[str]) -> None:
        """Leave the screens of these names that are in front, one after the other."""
        leaving = [self.get_screen(name) for name in names if self.is_screen_installed(name)]
        while len(self.screen_stack) > 2 and self.screen in leaving:
            self.pop_screen()

    def operates(self) -> bool:
        """Whether a screen of an operation is open."""
        return any(self.is_open(name) for name in PASSED)

    # What commands and screens do

    def use_theme(self, name: str) -> None:
        """Another theme by name; says why when it cannot be used."""
        try:
            palette = replace(load_theme(name), ascii=self.palette.ascii, console=self.palette.console)
        except ThemeError as error:
            self.say(_shortly(error))
            return
        self._theme_file = ThemeFile(palette)
        self.use_palette(palette)

    def _read_theme_again(self) -> None:
        """The theme's file was saved: use it, or say what is wrong with it."""
        changed = self._theme_file.changed()
        if isinstance(changed, Palette):
            self.use_palette(changed)
        elif changed is not None:
            self.say(_shortly(changed))

    def open_unlock(self) -> None:
        """Ask for the reason of changes."""
        self.ways.open_unlock()

    def open_command(self, text: str) -> None:
        """The command line, with a text to begin with."""
        from tuiha.tui.command.screen import CommandScreen

        if not self.is_open("command"):
            self.installed("command", CommandScreen).start(text)
            self.open("command")

    def copy(self, text: str, called: str = "") -> None:
        """Give a text to the terminal's clipboard (OSC 52), and say so; a longer one by what it is called."""
        self.copy_to_clipboard(text)
        self.say(f"copied: {called or text}")

    def say(self, text: str) -> None:
        """Say something on the screen in front for a moment."""
        if isinstance(self.screen, PoolScreen):
            self.screen.say(text)

    def find(self, text: str) -> None:
        """Filter what the screen in front shows."""
        if isinstance(self.screen, PoolScreen):
            self.screen.find(text)

    def leave(self) -> None:
        """End the dashboard; an operation that runs goes on, and the terminal says so afterwards."""
        self.goodbye = goes_on(self.operations.now_running)
        self.remember_home()
        self.exit(0)

    def remember_home(self) -> None:
        """Keep what Home shows, for the next start."""
        if isinstance(self.screen, HomeScreen) and self.feed.latest() is not None and not self.past.active:
            self.home_lines = self.lines

    def _told(self) -> None:
        self.remember_home()
        super()._told()

    async def on_event(self, event: events.Event) -> None:
        """A key ends an old picture: the operator who presses it wants to see what it does."""
        if isinstance(event, events.InputEvent):
            if self._exit or not self.screen_stack:  # it ends: by a key or a signal, or as its terminal is gone
                return
            self.release_frames()
            # A key comes back here when nobody took it: it was handed on before the line to type into had the focus.
            front = self.screen
            if (isinstance(event, events.Key) and event.is_forwarded and isinstance(front, PoolScreen)
                    and front.take(event)):
                return
        await super().on_event(event)

    def show_detail(self, node: str) -> None:
        """The detail of a node."""
        detail = self._detail()
        detail.choose(node)
        self.bring(DETAIL)

    def show_devices(self, user: str) -> None:
        """The devices of a user."""
        from tuiha.tui.views.users.devices import DevicesScreen

        self.installed("devices", DevicesScreen).choose(user)
        self.open("devices")

    def _detail(self) -> DetailScreen:
        from tuiha.tui.views.detail.screen import DetailScreen

        return self.installed(DETAIL, DetailScreen)

    # Failure: the terminal is left clean, and `run` says in words what happened

    @property
    def failure(self) -> Exception | None:
        """The fault that ended the dashboard, or why what `ready` starts did not start."""
        return self._not_ready or self._exception


def _shortly(error: ThemeError) -> str:
    """What is wrong with a theme, on one line: its file's name without the folders."""
    problem = error.problems[0]
    name = "" if problem.file is None else problem.file.name
    return ": ".join(part for part in (name, problem.field, problem.what) if part)


def run(
    feed: Feed, pool: str, *, mode: str = "LOCKED", looks: Looks | None = None,
    ready: Callable[[], None] | None = None, operator: Desk | None = None,
    past: Callable[[], Replay] | None = None, replay: Replay | None = None,
    keep: Callable[[Sequence[str]], None] | None = None, lost: Callable[[], str | None] = lambda: None,
) -> int:
    """Show the dashboard until it is left; returns an exit code.

    `ready` is called after the first frame, on a thread: what is slow to start is started there, and what it
    raises is raised again from here. Without an `operator` it only watches. `past` opens the pool's recording when
    it is asked for; `replay` is a recording that is the feed itself; `keep` gets what Home showed last; `lost`
    says why what is seen is recorded nowhere. Raises
    ThemeError before anything is painted.
    """
    looks = looks or Looks()
    dashboard = Dashboard(feed, pool, looks.palette(), mode=mode, ready=ready, operator=operator, looks=looks,
                          past=past, replay=replay, lost=lost)
    gc.disable()
    result = dashboard.run(mouse=False)
    if dashboard.failure is not None:
        _log.error("the dashboard has ended", exc_info=dashboard.failure)
        raise dashboard.failure
    if keep is not None and dashboard.home_lines:
        keep(dashboard.home_lines)
    if dashboard.goodbye:
        sys.stderr.write(f"{dashboard.goodbye}\n")
    return result or 0
