"""Stop an operation, take it back, bring it to its end: keys that every screen with an operation on it has.

Each takes two presses of a hand: the second one no sooner than a hand can mean it, and not much later.
"""

from __future__ import annotations

from collections.abc import Mapping

from textual import events

from tuiha.model.operations.intent import IntentWay
from tuiha.model.operations.ways import KEYS
from tuiha.tui.keys import BoundKey, Key
from tuiha.tui.kit.application import Reach
from tuiha.tui.kit.screen import PoolScreen
from tuiha.tui.operations.application import OperatingApplication
from tuiha.tui.operations.operator import OperatorTrouble, StartedOperation
from tuiha.tui.operations.possible import MEANS, against

SECOND = 0.3  # seconds after which the second press counts: a key that is held repeats sooner
SURE = 5.0  # seconds in which the second press has to come
_PREFIX = "operation."
_TOLD: Mapping[IntentWay, tuple[str, str]] = {  # for the help, and for the footer
    IntentWay.CANCEL: ("stop it where that is safe; press it twice", "stop"),
    IntentWay.UNDO: ("undo the completed steps, before the point of no return; press it twice", "undo"),
    IntentWay.RESUME: ("finish what stopped half-way; press it twice", "resume"),
}
STEER_KEYS: tuple[Key, ...] = tuple(
    Key(f"{_PREFIX}{way}", KEYS[way], f"steer('{way}')", *told, danger=True) for way, told in _TOLD.items()
)


def _way_of(key: Key) -> IntentWay | None:
    """What a key does about an operation; None for a key of another sort."""
    return next((way for way in IntentWay if key.id == f"{_PREFIX}{way}"), None)


class SteeringScreen(PoolScreen, inherit_bindings=False):
    """A screen with an operation on it."""

    dashboard = Reach[OperatingApplication]()
    _pressed: tuple[str, str, float] = ("", "", 0.0)  # what, of which operation, when
    _arrived_at: float = 0.0  # the last key, by the clock of key events

    @property
    def operation(self) -> StartedOperation | None:
        """The operation that keys act on."""
        raise NotImplementedError

    def on_key(self, event: events.Key) -> None:
        """Note when it arrived: it may have waited before it is acted on."""
        self._arrived_at = event.time

    def footer_keys(self) -> tuple[BoundKey, ...]:
        """What can never be done about this operation is not offered."""
        operation = self.operation
        return tuple(one for one in super().footer_keys() if (way := _way_of(one.key)) is None or (
            operation is not None and against(way, operation) is None))

    def against(self, key: Key) -> str | None:
        """Also: not everything can be done about every operation."""
        reason = super().against(key)
        way = _way_of(key)
        if way is None:
            return reason
        if self.operation is None:
            return reason or "there is no operation"
        return against(way, self.operation) or reason  # what can never be done needs no unlocking either

    def action_steer(self, name: str) -> None:
        """Do it, on the second press."""
        operation, way = self.operation, IntentWay(name)
        if operation is None or not self.allowed(_PREFIX + name):
            return
        if self._sure(name, operation.id):
            self.dashboard.operations.act(way, operation.id, lambda answer: self._done(way, operation.id, answer))
        else:
            self.say(f"{KEYS[way]} once more {MEANS[way]}")

    def _sure(self, what: str, operation: str) -> bool:
        """Whether this is the second press; a key that repeats by being held is not."""
        before, of, at = self._pressed
        now = self._arrived_at
        self._pressed = (what, operation, now)
        return (what, operation) == (before, of) and SECOND <= now - at <= SURE

    def _done(self, way: IntentWay, operation: str, answer: str | OperatorTrouble) -> None:
        if isinstance(answer, OperatorTrouble):
            self.say(answer.text)
        elif self.is_current and way is not IntentWay.CANCEL:
            self.dashboard.ways.open_run(operation)  # it runs again: forward, or back
        else:
            self.say("it was asked")
