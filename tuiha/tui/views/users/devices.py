"""The devices of one user: when each was here, what it has not got yet; revoked and allowed from there."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuiha.tui.draw.lists import rule
from tuiha.tui.draw.spans import Line, Span, clean, fit
from tuiha.tui.draw.view import View
from tuiha.tui.keys import EVERYWHERE, Key, bindings, operation_keys
from tuiha.tui.kit.application import Reach
from tuiha.tui.kit.filtered import Content
from tuiha.tui.kit.screen import UNLOCK
from tuiha.tui.kit.tabular import TABLE_KEYS, TableView
from tuiha.tui.operations.application import OperatingApplication
from tuiha.tui.views.users.device_rows import FIELDS, ORDERS, SHEET, DeviceItem, device_lines
from tuiha.watch.lookup import NoPage

if TYPE_CHECKING:
    from tuiha.watch.reader import DeviceRow

AGAIN = 2.0  # seconds between two looks
DEVICES_KEYS: tuple[Key, ...] = (
    *operation_keys("devices"),
    *(key for key in TABLE_KEYS if key.id not in ("table.open", "table.next", "table.previous")),
    UNLOCK, *EVERYWHERE,
)


class DevicesScreen(TableView[DeviceItem], inherit_bindings=False):
    """The list, read again while it is in front."""

    KEYS = DEVICES_KEYS
    BINDINGS = bindings(DEVICES_KEYS)
    TITLE_TEXT = "Devices"
    dashboard = Reach[OperatingApplication]()
    KEEP_BELOW = 5

    def __init__(self) -> None:
        super().__init__(Content(SHEET, ORDERS, FIELDS, "word kind:phone"))
        self._user = ""
        self._known: tuple[DeviceItem, ...] | None = None
        self._trouble = ""

    def choose(self, user: str) -> None:
        """From now on it is this user's."""
        if user != self._user:
            self._user, self._known, self._trouble = user, None, ""

    def on_screen_resume(self) -> None:
        """In front: read, now and again."""
        self.repeat(AGAIN, self._again)
        self._again()

    def _again(self) -> None:
        user = self._user

        def take(found: tuple[DeviceRow, ...] | NoPage) -> None:
            if user != self._user:
                return  # an answer that comes late
            if isinstance(found, NoPage):
                self._trouble = found.text
            else:
                self._known, self._trouble = tuple(DeviceItem(row) for row in found), ""
            if self.is_current:
                self.dashboard.paint()

        self.dashboard.operations.devices_of(user, take)

    # Drawing

    def items(self, view: View) -> Sequence[DeviceItem]:
        """Those that were read."""
        return self._known or ()

    def above(self, view: View, width: int, room: int) -> Sequence[Line]:
        """Whose they are and how many; or why there is no answer."""
        number = "reading" if self._known is None else f"{len(self._known):,}"
        told: Span = (f" {self._trouble}", "warning")
        if not self._trouble:
            told = (f" devices of {clean(self._user)}: {number}", "heading")
        return (Line(fit((told,), width)),)[:room]

    def below(self, view: View, width: int, room: int) -> Sequence[Line]:
        """The one under the cursor."""
        current = self.table.current
        if current is None or room < 3:
            return ()
        return (rule(width, current.name), *device_lines(current, self._user, view.now, width)[: room - 1])

    # Keys

    def action_operate(self, id: str) -> None:
        """Plan what a key of the catalogue leads to for the device under the cursor."""
        current = self.table.current
        if current is None:
            self.say("not now: there is no device under the cursor")
        elif self.allowed(id):
            self.dashboard.ways.open_key(id, (self._user, current.name))

    def action_back(self) -> None:
        """Drop the filter; without one, back to the users."""
        if self._filter.text:
            super().action_back()
        else:
            self.leave()

    def shell_command(self) -> str:
        """The same list in a shell."""
        return shlex.join(["tuiha", "devices", self._user])
