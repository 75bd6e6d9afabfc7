"""An application that sends a terminal what changed and nothing else, ends on signals, and shows no traceback."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, ClassVar

from rich.color import ColorSystem
from rich.console import RenderableType
from textual import events
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.theme import Theme

from tuiha.tui.terminal.driver import TerminalDriver
from tuiha.tui.terminal.image import Image, Piece
from tuiha.tui.terminal.threads import on_this_loop
from tuiha.tui.theme import Palette

_AT_ONCE = 4096  # bytes; a byte a signal


@contextmanager
def on_signals(numbers: Iterable[signal.Signals], call: Callable[[], object]) -> Iterator[None]:
    """Meanwhile the call is made on the loop that runs now when one of these signals comes. In the main thread only.

    `loop.add_signal_handler` is not used: it has the signal's number come through the socket that wakes the loop up,
    which is full, and the signal lost, when a thread has told the loop some three hundred things that it has not got
    round to, keys that were pasted for instance. Here signals have a pipe of their own.
    """
    loop, wanted = asyncio.get_running_loop(), frozenset(numbers)
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)

    def read() -> None:
        with suppress(BlockingIOError):
            if wanted.intersection(os.read(reading, _AT_ONCE)):
                call()

    loop.add_reader(reading, read)
    woken = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    before = {number: signal.signal(number, _noted) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(woken)
        loop.remove_reader(reading)
        for end in (reading, writing):
            os.close(end)


def _noted(number: int, frame: object) -> None:
    """Nothing more: the signal's number is in the pipe."""


def pieces_of(update: LayoutUpdate | ChopsUpdate) -> Iterator[Piece]:
    """The pieces of a whole frame or of a partial one."""
    if isinstance(update, LayoutUpdate):
        yield from _whole(update)
    else:
        yield from _partial(update)


def _whole(update: LayoutUpdate) -> Iterator[Piece]:
    for y, line in enumerate(update.strips, update.region.y):
        x = update.region.x
        for strip in line:
            yield x, y, strip
            x += strip.cell_length


def _partial(update: ChopsUpdate) -> Iterator[Piece]:
    for y, start, end in update.spans:
        for x, strip in update.chops[y].items():
            if strip is None or x >= end or x + strip.cell_length <= start:
                continue
            first, last = max(start, x), min(end, x + strip.cell_length)
            yield first, y, strip.crop(first - x, last - x)


_SYNC = ("\x1b[?2026h", "\x1b[?2026l")


class TerminalApp(App[int], inherit_bindings=False):
    """What the dashboard, the wall and the list of pools have in common."""

    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = None
    BINDINGS = []  # noqa: RUF012 - Textual's way to declare them; the screens hold them
    CSS = "Screen { overflow: hidden; background: $background; layout: vertical; }"

    told_to_end: ClassVar[bool] = False  # this process got a signal that ends it: nothing is opened after that

    def __init__(self, palette: Palette) -> None:
        # In a browser the server names the driver, and the page takes the frames as Textual makes them.
        super().__init__(driver_class=None if os.environ.get("TEXTUAL_DRIVER") else TerminalDriver)
        self._filters = []  # NO_COLOR is a theme here; Textual would turn colours grey
        self._image = Image()
        self._skipped = False
        self._holding = False
        self._signals = ExitStack()
        self._typed: deque[events.InputEvent] = deque()  # not done yet, the first is at work
        self.animation_level = "none"
        self._themes = 0
        self.use_palette(palette)

    def use_palette(self, palette: Palette) -> None:
        """Draw everything in these colours from now on."""
        self.palette = palette
        self._themes += 1
        theme = textual_theme(palette, self._themes)
        self.register_theme(theme)
        self.theme = theme.name
        for screen in self._installed_screens.values():
            for widget in screen.walk_children(with_self=True) if isinstance(screen, Screen) else ():
                widget.refresh()  # also of screens behind: they keep what they drew

    def settle_in(self) -> None:
        """When mounted: end on the signals that mean it, and hear when the terminal has caught up."""
        if not self.is_headless:
            self._signals.enter_context(on_signals((signal.SIGHUP, signal.SIGTERM), self._told))
        if isinstance(self._driver, TerminalDriver):
            self._driver.on_drained = on_this_loop(self._drained)
        self.app_resume_signal.subscribe(self, lambda _: self.come_back())

    def come_back(self) -> None:
        """The shell, or something else, has written to the terminal: send the whole screen again."""
        self._image.forget()
        if self.screen_stack:
            self.screen.refresh()

    async def run_async(self, **options: Any) -> int | None:
        """Until it is left; after that signals mean again what they did before."""
        with self._signals:
            return await super().run_async(**options)

    def _told(self) -> None:
        TerminalApp.told_to_end = True
        self.exit(0)

    async def on_event(self, event: events.Event) -> None:
        """Let a key do all that it does before the next one is handed on.

        Handed on as they come, two keys that come together may go to two screens, and come back from them in the other
        order: esc and a key would be the key and esc.
        """
        if not isinstance(event, events.InputEvent) or event.is_forwarded:
            await super().on_event(event)
            return
        self._typed.append(event)
        if len(self._typed) == 1:
            await self._hand_on()

    async def _hand_on(self) -> None:
        """Have the first key do what it does. Once the application was told to end, no key counts."""
        if self._exit or not self.screen_stack:
            self._typed.clear()
            return
        screen = self.screen
        target = self.focused or screen
        await super().on_event(self._typed[0])
        await self._done_by(target, target, screen, self)  # twice: what it posts to itself goes up after that

    async def _done_by(self, *pumps: MessagePump) -> None:
        """Go on with the next key when each of these has done what waits for it, one after the other."""
        if pumps:
            if not pumps[0].call_later(self._done_by, *pumps[1:]):  # it has ended
                await self._done_by(*pumps[1:])
            return
        self._typed.popleft()
        if self._typed:
            await self._hand_on()

    def spare_memory(self) -> None:
        """After the first frame: what is there now stays, and need not be looked through again."""
        gc.collect()
        gc.freeze()
        gc.enable()

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        """Send what differs from what the terminal shows; while it is behind, nothing."""
        driver = self._driver
        if not isinstance(renderable, (LayoutUpdate, ChopsUpdate)) or not isinstance(driver, TerminalDriver):
            super()._display(screen, renderable)
            return
        if self._running and not self._batch_count:
            if driver.behind or self._holding:
                self._skipped = True
            else:
                size = screen.size
                if (size.width, size.height) != (self._image.width, self._image.height):
                    self._image.resize(size.width, size.height)
                system = self.console._color_system or ColorSystem.TRUECOLOR
                text = self._image.update(pieces_of(renderable), system)
                if text:
                    start, end = _SYNC if self._sync_available else ("", "")
                    driver.write(f"{start}{text}{end}")
        self.post_display_hook()

    def hold_frames(self, seconds: float) -> None:
        """Leave what stands on the terminal, until `release_frames` or for so long."""
        self._holding = True
        self.set_timer(seconds, self.release_frames)

    def release_frames(self) -> None:
        """Draw from now on."""
        if self._holding:
            self._holding = False
            self._drained()

    @property
    def lines(self) -> list[str]:
        """What the terminal shows, as text."""
        return self._image.lines

    def _drained(self) -> None:
        if self._skipped and not self._holding and self.screen_stack:  # at the end the terminal outlives the screens
            self._skipped = False
            self.screen.refresh()

    # Failure: the terminal is left clean, and whoever ran it says in words what happened

    @property
    def failure(self) -> Exception | None:
        """The fault that ended it."""
        return self._exception

    def _fatal_error(self) -> None:
        self._close_messages_no_wait()

    def _print_error_renderables(self) -> None:
        self._exit_renderables.clear()


def textual_theme(palette: Palette, number: int) -> Theme:
    """The theme that Textual needs for what no widget of ours draws: blank ground."""
    ground = "ansi_default" if palette.native else palette.colours["ground"]
    text = "ansi_default" if palette.native else palette.colours["text"].split()[0]
    if not palette.native and not text.startswith("#"):
        text = "#ffffff"
    return Theme(
        name=f"tuiha-{number}", primary=text, background=ground, surface=ground, foreground=text, dark=palette.dark,
        ansi=palette.native, variables={"ansi-background": ground, "ansi-foreground": text},
    )
