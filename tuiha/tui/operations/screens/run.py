"""Run: one line for each step, whoever started it, wherever. Leaving changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import events

from tuiha.model.problems.operation import Running, running
from tuiha.tui.draw.current import running_elsewhere
from tuiha.tui.draw.lists import event_line, rule
from tuiha.tui.draw.spans import BLANK, Line, fit
from tuiha.tui.draw.view import View
from tuiha.tui.keys import EVERYWHERE, Key, bindings
from tuiha.tui.kit.screen import BACK, MOVES, UNLOCK, ReadingScreen
from tuiha.tui.operations.lines.run import GRID_FROM, chosen_step, run_lines, whole_lines
from tuiha.tui.operations.operator import OperatorTrouble, StartedOperation
from tuiha.tui.operations.steer import STEER_KEYS, SteeringScreen

AGAIN = 1.0  # seconds between two looks for the result of an operation that runs on another host
LEAST_EVENTS = 4  # rows with their rule: fewer are not worth it
STEPS = Key("run.steps", "enter", "steps", "every step with its whole evidence, or all side by side again", "full text")
RUN_KEYS = (*STEER_KEYS[:2], *MOVES, STEPS, UNLOCK, BACK, *EVERYWHERE)


class RunScreen(SteeringScreen, ReadingScreen, inherit_bindings=False):
    """An operation that runs."""

    KEYS = RUN_KEYS
    BINDINGS = bindings(RUN_KEYS)
    TITLE_TEXT = "Run"

    def __init__(self) -> None:
        super().__init__()
        self._operation = ""
        self._facts: StartedOperation | None = None
        self._elsewhere: Running | None = None  # its journal is on another host
        self._end: Callable[[], None] | None = None
        self._step: int | None = None  # the place of the step under the cursor; None: the one that matters now
        self._whole = False  # every step with its evidence

    @property
    def operation(self) -> StartedOperation | None:
        """The one that is followed, as far as it is known."""
        return self._facts

    def attach(self, operation: str, facts: StartedOperation | None) -> None:
        """Follow this operation from now on."""
        self._unfollow()
        self._operation, self._facts, self._top = operation, facts, 0
        self._step, self._whole = None, False
        self._elsewhere = None

        def told(news: StartedOperation | OperatorTrouble) -> None:
            if operation == self._operation:
                self._take(news)

        self._end = self.dashboard.operations.follow(operation, told)

    def _take(self, news: StartedOperation | OperatorTrouble) -> None:
        if isinstance(news, OperatorTrouble):
            self._unfollow()
            found = self.dashboard.operations.now_running
            if found is not None and found.id == self._operation:
                self._elsewhere = found
                self._end = self.set_interval(AGAIN * self.dashboard.tempo, self._look_for_result).stop
                self.dashboard.paint()
            else:
                self.say(news.text)
            return
        self._facts = news
        if news.ended:
            self._unfollow()
            if self.is_current:  # somebody who reads elsewhere is not torn away
                self.dashboard.ways.open_result(news)
        else:
            self.dashboard.paint()

    def _look_for_result(self) -> None:
        """Of one on another host: while the ledger names it, it runs; then its copy comes through the database."""
        operation, found = self._operation, self.dashboard.operations.now_running
        if found is not None and found.id == operation:
            self._elsewhere = found
            return

        def listed(known: tuple[StartedOperation, ...] | OperatorTrouble) -> None:
            if isinstance(known, tuple) and operation == self._operation and self._elsewhere is not None:
                result = next((one for one in known if one.id == operation), None)
                if result is not None:
                    self._take(result)

        self.dashboard.operations.listed(listed)

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
            self.call_later(self.dashboard.ways.open_result, facts)

    def text(self, view: View, width: int) -> Sequence[Line]:
        """The steps, and what happens in the pool meanwhile."""
        if self._facts is not None and self._whole:
            return whole_lines(self._facts, view.now, width)
        if self._facts is not None:
            lines = run_lines(self._facts, view.now, width, self.size.height - 5, self._step)
        elif self._elsewhere is not None:
            lines = running_elsewhere(running(view.snapshot) or self._elsewhere, width)
        else:
            return (Line(fit(((f" reading operation {self._operation}", "quiet"),), width)),)
        room = self.size.height - 5 - len(lines)
        since = self._facts.started_at if self._facts is not None else 0.0
        events = [event for event in view.events if event.at >= since][: room - 1]
        if not events or room < LEAST_EVENTS:
            return lines
        gap = [BLANK] * (room - 1 - len(events))
        return (*lines, *gap, rule(width, "meanwhile"), *(event_line(event, width) for event in events))

    def action_move(self, lines: int) -> None:
        """To another step; in the full text, scroll."""
        if self._whole or self._facts is None or not self._facts.steps:
            super().action_move(lines)
            return
        place = max(0, min(chosen_step(self._facts, self._step) + lines, len(self._facts.steps) - 1))
        self._step = place
        self._top = max(0, min(self._top, GRID_FROM + place), GRID_FROM + place + 1 - max(1, self.size.height - 5))
        self.dashboard.paint()

    def action_steps(self) -> None:
        """Every step with its evidence, or all steps side by side."""
        self._whole, self._top = not self._whole, 0
        self.dashboard.paint()

    def action_back(self) -> None:
        """From the full text to the steps side by side; from there to the screen behind."""
        if self._whole:
            self.action_steps()
        else:
            super().action_back()

    def shell_command(self) -> str:
        """What shows this operation."""
        return f"tuiha operations {self._operation}"
