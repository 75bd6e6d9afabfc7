"""Names that no snapshot has: users, their devices, operations. They are asked for while a command is typed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from tuiha.model.operations.catalogue import What
from tuiha.tui.draw.spans import clean
from tuiha.tui.operations.operator import OperatorTrouble, StartedOperation
from tuiha.tui.operations.state import Operations
from tuiha.watch.lookup import NoPage, UserPage

if TYPE_CHECKING:
    from tuiha.watch.reader import DeviceRow

MOST = 20  # names of one answer: an operator who wants another one types more of it
Name = tuple[str, str]
"""A name, and a few words on it."""
_Question = tuple[str, tuple[str, ...], str]


class AskedNames:
    """Asks for the names that a word can be, once for each beginning; an answer to an earlier question is dropped."""

    def __init__(self, operations: Callable[[], Operations], changed: Callable[[], None]) -> None:
        """`changed` is called with each answer."""
        self._operations, self._changed = operations, changed
        self._question: _Question | None = None
        self._names: tuple[Name, ...] = ()

    def forget(self) -> None:
        """Ask again from now on: the pool may be another one since."""
        self._question, self._names = None, ()

    def names(self, kind: str, before: Sequence[str], begun: str) -> tuple[Name, ...]:
        """The names of that kind known so far that follow the words before and begin so."""
        ask = _ASKS.get(kind)
        if ask is None or self._operations().only_watches:
            return ()
        question = (kind, tuple(before), begun)
        if question != self._question:
            if self._question is None or question[:2] != self._question[:2]:
                self._names = ()
            self._question = question
            ask(self, question)
        return self._names

    def _answered(self, question: _Question, names: Sequence[Name]) -> None:
        if question == self._question:
            self._names = tuple(names[:MOST])
            self._changed()

    def _ask_users(self, question: _Question) -> None:
        def answered(page: UserPage | NoPage) -> None:
            if isinstance(page, UserPage):
                self._answered(question, [
                    (user.name, f"on {user.server}" if user.server else "on no server") for user in page.users])

        self._operations().find_users(question[2], "", MOST, answered)

    def _ask_devices(self, question: _Question) -> None:
        def answered(devices: tuple[DeviceRow, ...] | NoPage) -> None:
            if not isinstance(devices, NoPage):
                self._answered(question, [(one.name, clean(one.kind)) for one in devices
                                          if one.name.startswith(question[2])])

        self._operations().devices_of(question[1][-1], answered)

    def _ask_operations(self, question: _Question) -> None:
        def answered(found: tuple[StartedOperation, ...] | OperatorTrouble) -> None:
            if not isinstance(found, OperatorTrouble):
                self._answered(question, [
                    (one.id, " ".join((one.kind, *one.target, f"by {one.who}"))) for one in found
                    if one.id.startswith(question[2]) and not (one.ended and one.settled)])

        self._operations().listed(answered)


_ASKS: Mapping[str, Callable[[AskedNames, _Question], None]] = {
    What.USER: AskedNames._ask_users, What.DEVICE: AskedNames._ask_devices, What.OPERATION: AskedNames._ask_operations,
}
