"""View 5: users by name, found with `/` among as many as there are; where each is and why; moved from there."""

from __future__ import annotations

from collections.abc import Sequence

from tuiha.tui.draw.lists import rule
from tuiha.tui.draw.spans import Line, Span, fit
from tuiha.tui.draw.view import View
from tuiha.tui.keys import EVERYWHERE, HOME, Key, bindings, operation_keys
from tuiha.tui.kit.application import Reach
from tuiha.tui.kit.entry import Entry
from tuiha.tui.kit.filtered import Content
from tuiha.tui.kit.screen import UNLOCK
from tuiha.tui.kit.tabular import TABLE_KEYS, TableView
from tuiha.tui.operations.application import OperatingApplication
from tuiha.tui.shell import users_command
from tuiha.tui.views.users.pages import PAGE, Answered, UserPages
from tuiha.tui.views.users.rows import FIELDS, ORDERS, SHEET, UserItem, targets, user_lines
from tuiha.watch.lookup import NoPage

AGAIN = 2.0  # seconds between two looks at what is shown
NOT_HERE = "this dashboard has no database to look users up in"
_MOVE, *_OTHERS = operation_keys("users")
USERS_KEYS: tuple[Key, ...] = (
    Key("users.find", "slash", "filter", "find a user: the beginning of a name, or * and ?", "find", first=True),
    _MOVE,
    Key("users.devices", "v", "devices", "the devices of this user; revoke one there", "devices"),
    *_OTHERS,
    *(key for key in TABLE_KEYS if key.id not in ("table.filter", "table.sort", "table.open")),
    Key("users.open", "enter", "open", "the server that monitors this user", "server"),
    UNLOCK, *EVERYWHERE,
)


class UsersScreen(TableView[UserItem], inherit_bindings=False):
    """Pages of users, read behind the screen."""

    KEYS = USERS_KEYS
    BINDINGS = bindings(USERS_KEYS)
    TITLE_TEXT = "Users"
    dashboard = Reach[OperatingApplication]()
    KEEP_BELOW = 8

    def __init__(self) -> None:
        super().__init__(Content(SHEET, ORDERS, FIELDS, ""))
        self._pattern = ""
        self._users = UserPages(self._find, lambda item: item.name, "", self._answered)

    # Asking

    def on_screen_resume(self) -> None:
        """In front: read."""
        self.repeat(AGAIN, self._users.again)
        self._users.refresh()

    def _find(self, after: str, limit: int, answered: Answered) -> None:
        if self.dashboard.operations.only_watches:
            answered(NoPage(NOT_HERE))
        else:
            self.dashboard.operations.find_users(self._pattern, after, limit, answered)

    def _answered(self) -> None:
        if self._entry.display:
            self._entry.remark(self._remark())
        if self.is_current:
            self.dashboard.paint()

    def find(self, text: str) -> None:
        """Look for users whose names begin so."""
        if text != self._pattern:
            self._pattern = text
            self._users.begin()

    # Drawing

    def items(self, view: View) -> Sequence[UserItem]:
        """Those that were read."""
        return self._users.items

    def above(self, view: View, width: int, room: int) -> Sequence[Line]:
        """What was looked for, and how many there are; or why there is no answer."""
        page, trouble = self._users.page, self._users.trouble
        if trouble:
            told: Span = (f" {trouble}", "warning")
        else:
            told = (f" {self._counted()}{self._way_out}", "heading")
        if page is None or page.active:
            return (Line(fit((told,), width)),)[:room]
        older: Span = (f"   read from {page.database}, which is not active: it may be older", "warning")
        return (Line(fit((told, older), width)),)[:room]

    def _counted(self) -> str:
        begins = f"names like {self._pattern}" if set(self._pattern) & set("*?") else f"names from '{self._pattern}'"
        named = begins if self._pattern else "all names"
        reading = self._users.asking and not self._users.items
        return f"{named}: {'reading' if reading else self._users.count}"

    @property
    def _way_out(self) -> str:
        """The key that finds users, or that leads back to all."""
        return "" if self._entry.display else "   esc shows all" if self._pattern else "   / finds a user"

    def _remark(self) -> Span:
        if self._users.trouble:
            return (self._users.trouble, "warning")
        return (f"{self._counted()}   enter to the list   esc drop   * ? match", "quiet")

    def below(self, view: View, width: int, room: int) -> Sequence[Line]:
        """The user under the cursor: where, why, where next."""
        current = self.table.current
        if current is None or room < 3:
            return ()
        return (rule(width, current.name), *user_lines(current, view.now, width)[: room - 1])

    # Keys

    def action_move(self, rows: int) -> None:
        """Move the cursor; near the end the next page is read."""
        super().action_move(rows)
        self._read_on()

    def action_last(self) -> None:
        """To the last that was read; the next page follows."""
        super().action_last()
        self._read_on()

    def _read_on(self) -> None:
        current = self.table.current
        if current is not None and any(item is current for item in self._users.items[-PAGE // 4 :]):
            self._users.read_on()

    def action_back(self) -> None:
        """Drop what was looked for; without it, to Home."""
        if self._pattern:
            self.find("")
            self.dashboard.paint()
        elif self.is_current:
            self.dashboard.action_show_view(HOME)

    def opened(self, item: UserItem) -> None:
        """The server that monitors this user."""
        if item.row.server is None:
            self.say("no server monitors this user" + (": the user is disabled" if item.row.disabled else " now"))
        else:
            self.dashboard.show_detail(item.row.server)

    def action_operate(self, id: str) -> None:
        """Plan what a key of the catalogue leads to for the user under the cursor; choose a server first to move to."""
        current = self.table.current
        if current is None:
            self.say("not now: there is no user under the cursor")
        elif self.allowed(id):
            if id == _MOVE.id:
                offered = targets(current)
                self.dashboard.ways.open_menu(f"MOVE {current.name}", lambda _: offered)
            else:
                self.dashboard.ways.open_key(id, (current.name,))

    def action_devices(self) -> None:
        """The devices of the user under the cursor."""
        current = self.table.current
        if current is None:
            self.say("not now: there is no user under the cursor")
        else:
            self.dashboard.show_devices(current.name)

    def shell_command(self) -> str:
        """The same list in a shell."""
        return users_command(self._pattern)

    # Typing

    def action_filter(self) -> None:
        """Start typing."""
        if self.dashboard.operations.only_watches:
            self.say(NOT_HERE)
            return
        self._entry.display = True
        self._footer.show((), 0)
        self._entry.start(self._pattern, self._remark())
        self.set_focus(self._entry)  # at once: the next key is meant for it

    def on_entry_changed(self, message: Entry.Changed) -> None:
        """Look for what is typed so far, in the database and not in what was read."""
        message.prevent_default()
        self.find(message.text)

    def on_entry_steered(self, message: Entry.Steered) -> None:
        """Arrows move in the list while one types."""
        message.prevent_default()
        self.action_move(message.rows)

    def on_entry_ended(self, message: Entry.Ended) -> None:
        """To the list, or drop what was typed."""
        message.prevent_default()
        self.set_focus(None)
        self._entry.display = False
        if message.kept:
            self._entry.keep()
        else:
            self.find("")
        self.dashboard.paint()
