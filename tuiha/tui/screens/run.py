"""Run: one line for each step, whoever started it. Leaving changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import events

from tuiha.tui.draw.operation_run import run_lines
from tuiha.tui.draw.spans import Line, fit
from tuiha.tui.draw.view import View
from tuiha.tui.keys import EVERYWHERE, Key, bindings
from tuiha.tui.operator import OperationFacts, Trouble
from tuiha.tui.screens.base import ARM, BACK, MOVES, ReadingScreen
from tuiha.tui.widgets.paced import PACE

SURE = 5.0  # seconds in which the second press has to come
RUN_KEYS: tuple[Key, ...] = (
    *MOVES,
    Key("run.cancel", "x", "cancel", "stop where that is safe; press it twice", "stop", danger=True, first=True),
    Key("run.undo", "b", "undo", "take back what was done, before the point of no return; press it twice", "undo",
        danger=True, first=True),
    ARM, BACK, *EVERYWHERE,
)


class RunScreen(ReadingScreen, inherit_bindings=False):
    """An operation that runs."""

    KEYS = RUN_KEYS
    BINDINGS = bindings(RUN_KEYS)
    TITLE_TEXT = "Run"

    def __init__(self) -> None:
        super().__init__()
        self._operation = ""
        self._facts: OperationFacts | None = None
        self._end: Callable[[], None] | None = None
        self._pressed: tuple[str, float] = ("", 0.0)
        self._key_at = 0.0  # when the last key arrived, by the clock of key events

    def on_key(self, event: events.Key) -> None:
        """Note when it arrived: it may have waited before it is acted on."""
        self._key_at = event.time

    def attach(self, operation: str, facts: OperationFacts | None) -> None:
        """Follow this operation from now on."""
        self._unfollow()
        self._operation, self._facts, self._top = operation, facts, 0
        self._pressed = ("", 0.0)

        def told(news: OperationFacts | Trouble) -> None:
            if operation == self._operation:
                self._take(news)

        self._end = self.dashboard.operations.follow(operation, told)

    def _take(self, news: OperationFacts | Trouble) -> None:
        if isinstance(news, Trouble):
            self.say(news.text)
            return
        self._facts = news
        if news.ended:
            self._unfollow()
            if self.is_current:  # somebody who reads elsewhere is not torn away
                self.dashboard.operations.open_result(news)
        else:
            self.dashboard.paint()

    def _unfollow(self) -> None:
        if self._end is not None:
            self._end()
            self._end = None

    def on_unmount(self) -> None:
        """The dashboard ends; the operation does not."""
        self._unfollow()

    def on_screen_resume(self, event: events.ScreenResume | None = None) -> None:
        """In front again: it may have ended meanwhile."""
        facts = self._facts
        if facts is not None and facts.ended:
            self.call_later(self.dashboard.operations.open_result, facts)
        super().on_screen_resume()

    def text(self, view: View, width: int) -> Sequence[Line]:
        """The steps."""
        if self._facts is None:
            return (Line(fit(((f" reading operation {self._operation}", "quiet"),), width)),)
        return run_lines(self._facts, view.now, width)

    def against(self, key: Key) -> str | None:
        """Also: stopping and undoing end at the point of no return."""
        reason = super().against(key)
        if reason is not None or not key.danger:
            return reason
        if self._facts is None:
            return "it is not known yet"
        return "it is past the point of no return" if self._facts.past_return else None

    def _sure(self, key: str) -> bool:
        """Whether this is the second press; a key that repeats by being held is not."""
        before, at = self._pressed
        now = self._key_at
        self._pressed = (key, now)
        return key == before and PACE <= now - at <= SURE

    def _done(self, trouble: Trouble | None) -> None:
        self.say("it was asked" if trouble is None else trouble.text)

    def action_cancel(self) -> None:
        """Stop, on the second press."""
        if not self.allowed("run.cancel"):
            return
        if self._sure("x"):
            self.dashboard.operations.cancel(self._operation, self._done)
        else:
            self.say("x once more stops it after this step, where that is safe")

    def action_undo(self) -> None:
        """Undo, on the second press."""
        if not self.allowed("run.undo"):
            return
        if self._sure("b"):
            self.dashboard.operations.undo(self._operation, self._done)
        else:
            self.say("b once more takes back what was done")
