"""Stop an operation, take it back, bring it to its end: keys that every screen with an operation on it has.

Each takes two presses of a hand: the second one no sooner than a hand can mean it, and not much later.
"""

from __future__ import annotations

from textual import events

from tuiha.tui.keys import Key
from tuiha.tui.kit.application import Reach
from tuiha.tui.kit.paced import PACE
from tuiha.tui.kit.screen import PoolScreen
from tuiha.tui.operations.application import OperatingApplication
from tuiha.tui.operations.operator import OperationFacts, Trouble
from tuiha.tui.operations.possible import WAYS

SURE = 5.0  # seconds in which the second press has to come
_PREFIX = "operation."
STEER_KEYS: tuple[Key, ...] = (
    Key("operation.cancel", "x", "steer('cancel')", "stop it where that is safe; press it twice", "stop", danger=True),
    Key("operation.undo", "b", "steer('undo')", "take back what was done, before the point of no return; twice",
        "undo", danger=True),
    Key("operation.resume", "c", "steer('resume')", "bring what stopped half-way to its end; press it twice",
        "resume", danger=True),
)


class SteeringScreen(PoolScreen, inherit_bindings=False):
    """A screen with an operation on it."""

    dashboard = Reach[OperatingApplication]()
    _pressed: tuple[str, str, float] = ("", "", 0.0)  # what, of which operation, when
    _arrived_at: float = 0.0  # the last key, by the clock of key events

    @property
    def operation(self) -> OperationFacts | None:
        """The operation that keys act on."""
        raise NotImplementedError

    def on_key(self, event: events.Key) -> None:
        """Note when it arrived: it may have waited before it is acted on."""
        self._arrived_at = event.time

    def against(self, key: Key) -> str | None:
        """Also: not everything can be done about every operation."""
        reason = super().against(key)
        way = WAYS.get(key.id.removeprefix(_PREFIX)) if key.id.startswith(_PREFIX) else None
        if way is None:
            return reason
        if self.operation is None:
            return reason or "there is no operation"
        return way.against(self.operation) or reason  # what can never be done needs no arming either

    def action_steer(self, name: str) -> None:
        """Do it, on the second press."""
        operation, way = self.operation, WAYS[name]
        if operation is None or not self.allowed(_PREFIX + name):
            return
        if self._sure(name, operation.id):
            self.dashboard.operations.act(name, operation.id, lambda trouble: self._done(name, operation.id, trouble))
        else:
            self.say(f"{way.key} once more {way.means}")

    def _sure(self, what: str, operation: str) -> bool:
        """Whether this is the second press; a key that repeats by being held is not."""
        before, of, at = self._pressed
        now = self._arrived_at
        self._pressed = (what, operation, now)
        return (what, operation) == (before, of) and PACE <= now - at <= SURE

    def _done(self, what: str, operation: str, trouble: Trouble | None) -> None:
        if trouble is not None:
            self.say(trouble.text)
        elif self.is_current and what != "cancel":
            self.dashboard.ways.open_run(operation)  # it runs again: forward, or back
        else:
            self.say("it was asked")
