"""The pages of one server's users, read behind the screen that shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tuiha.tui.draw.server_users import server_user_lines
from tuiha.tui.draw.spans import Line
from tuiha.tui.draw.user_rows import UserItem, items_of
from tuiha.watch.lookup import NoAnswer, Page

if TYPE_CHECKING:
    from tuiha.tui.operations import Operations

PAGE = 100  # users of one answer
MOST = 2000  # users in the list
STILL = 2  # pages: a longer list stands still while it is read


class ServerUsers:
    """What is known of the users of a server; `changed` is called when more is."""

    def __init__(self, operations: Callable[[], Operations], changed: Callable[[], None]) -> None:
        self._operations, self._changed = operations, changed
        self._server = ""
        self._items: tuple[UserItem, ...] = ()
        self._more, self._read = False, False
        self._trouble = ""
        self._asked = self._asking = 0  # numbers of questions; 0: none waits for its answer
        self._pages = 1

    def choose(self, server: str) -> None:
        """From now on it is this server; empty: none."""
        if server != self._server:
            self._server, self._items, self._pages = server, (), 1
            self._more = self._read = False
            self._trouble, self._asking = "", 0

    def ask(self) -> None:
        """Read what is shown again, unless that is long."""
        if not self._asking and self._pages <= STILL:
            self._find(0, PAGE * self._pages)

    def read_on(self) -> None:
        """Read the next page, if there is one."""
        if self._more and not self._asking and not self._trouble and len(self._items) < MOST:
            self._pages += 1
            self._find(self._items[-1].row.id, PAGE)

    def _find(self, after: int, limit: int) -> None:
        if not self._server or self._operations().only_watches:
            return
        self._asked += 1
        number = self._asking = self._asked

        def answered(page: Page | NoAnswer) -> None:
            if number == self._asking:
                self._asking = 0
                self._take(page, after)

        self._operations().users_on(self._server, after, limit, answered)

    def _take(self, page: Page | NoAnswer, after: int) -> None:
        if isinstance(page, NoAnswer):
            self._trouble = page.text
        else:
            before = self._items if after else ()
            self._items = (*before, *items_of(page.users, page.servers, page.biases))
            self._more, self._read, self._trouble = page.more, True, ""
        self._changed()

    def lines(self, now: float, width: int) -> Sequence[Line]:
        """The list; nothing when it is of no server, or when nobody could be asked."""
        if not self._server or self._operations().only_watches:
            return ()
        number = f"{len(self._items):,}{' and more' if self._more else ''}"
        return server_user_lines(self._items, number if self._read else "reading", self._trouble, now, width)
