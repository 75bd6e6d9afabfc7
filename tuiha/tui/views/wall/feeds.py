"""What the wall and the list of pools share: one feed for each pool, and lines drawn from all of them."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual.binding import Binding
from textual.screen import Screen

from tuiha.model.facts import Snapshot
from tuiha.tui.draw.spans import BLANK, Line
from tuiha.tui.kit.paper import Paper
from tuiha.tui.terminal.app import TerminalApp
from tuiha.tui.terminal.threads import on_this_loop
from tuiha.tui.theme import Palette
from tuiha.watch.child.messages import KnownVerdict
from tuiha.watch.feed import Feed

TICK = 1.0  # seconds: without a new snapshot the clock and the ages are painted this often


@dataclass(frozen=True)
class Watched:
    """A pool and what watches it. `start` begins that, may block, and raises what `ConfigError` says."""

    pool: str
    feed: Feed
    start: Callable[[], None]
    day: Callable[[], Sequence[KnownVerdict]] = tuple  # what was recorded of the last day, oldest first


class WatchScreen(Screen[None], inherit_bindings=False):
    """Lines from top to bottom."""

    AUTO_FOCUS = ""

    def __init__(self, draw: Callable[[int, int], Sequence[Line]]) -> None:
        super().__init__()
        self._draw = draw
        self._paper = Paper(id="paper")

    def compose(self) -> Sequence[Paper]:
        """One paper."""
        return (self._paper,)

    def paint(self) -> None:
        """Draw what there is now."""
        width, height = self.size
        if width and height:
            lines = tuple(self._draw(width, height))[:height]
            self._paper.show((*lines, *[BLANK] * (height - len(lines))), height)

    def on_resize(self) -> None:
        """Another size: draw at once."""
        self.paint()


class Watching(TerminalApp, inherit_bindings=False):
    """An application that shows several pools."""

    BINDINGS = [  # noqa: RUF012
        Binding("q,ctrl+c", "quit", "leave"), Binding("ctrl+z", "suspend_process", "suspend"),
    ]

    def __init__(self, pools: Sequence[Watched], palette: Palette, now: Callable[[], float] = time.time) -> None:
        super().__init__(palette)
        self.pools = tuple(pools)
        self.now = now
        self.failed: dict[str, str] = {}  # pool -> why it cannot be watched
        self._waking = False
        self._ends: list[Callable[[], None]] = []
        self._screen = WatchScreen(self.drawn)

    def drawn(self, width: int, height: int) -> Sequence[Line]:
        """What the screen shows."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Show, watch, and begin what is not begun."""
        self.settle_in()
        self.push_screen(self._screen)
        woken = on_this_loop(self._woken)

        def wake(_: Snapshot) -> None:
            """On a watcher's thread: say that there is something new, once, and never wait."""
            if not self._waking:
                self._waking = True
                woken()

        self._ends = [watched.feed.subscribe(wake) for watched in self.pools]
        self.set_interval(TICK, self.paint)
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self.spare_memory()
        for watched in self.pools:
            self.run_worker(self._start(watched), exit_on_error=False)

    async def _start(self, watched: Watched) -> None:
        """Start watching one pool, away from the screen's loop; one that cannot be is told on its line."""
        try:
            await asyncio.to_thread(watched.start)
        except Exception as error:  # noqa: BLE001 - one pool's fault must not hide the others
            self.failed[watched.pool] = " ".join(str(error).split()) or type(error).__name__
        self.paint()

    def on_unmount(self) -> None:
        """Take no more snapshots."""
        for end in self._ends:
            end()

    def _woken(self) -> None:
        self._waking = False
        self.paint()

    def paint(self) -> None:
        """Draw what there is now."""
        self._screen.paint()

    async def action_quit(self) -> None:
        """Leave."""
        self.exit(0)

    def show(self) -> int:
        """Run until it is left; returns its result. Raises what it failed of."""
        gc.disable()
        result = self.run(mouse=False)
        if self.failure is not None:
            raise self.failure
        return result or 0
