"""The users of one server, as a list below its detail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tuiha.tui.draw.spans import Line
from tuiha.tui.views.users.pages import Answered, UserPages
from tuiha.tui.views.users.rows import server_user_lines

if TYPE_CHECKING:
    from tuiha.tui.operations.state import Operations


class ServerUsers:
    """What is known of the users of a server; `changed` is called when more is."""

    def __init__(self, operations: Callable[[], Operations], changed: Callable[[], None]) -> None:
        self._operations = operations
        self._server = ""
        self._pages = UserPages(self._find, lambda item: item.row.id, 0, changed)

    def choose(self, server: str) -> None:
        """From now on it is this server; empty: none."""
        if server != self._server:
            self._server = server
            self._pages.forget()

    def ask(self) -> None:
        """Read what is shown again, unless that is long."""
        if self._shown:
            self._pages.again()

    def read_on(self) -> None:
        """Read the next page, if there is one."""
        if self._shown:
            self._pages.read_on()

    @property
    def _shown(self) -> bool:
        """Whether it is of a server, and somebody can be asked."""
        return bool(self._server) and not self._operations().only_watches

    def _find(self, after: int, limit: int, answered: Answered) -> None:
        self._operations().users_on(self._server, after, limit, answered)

    def lines(self, now: float, width: int) -> Sequence[Line]:
        """The list; nothing when it is of no server, or when nobody could be asked."""
        if not self._shown:
            return ()
        pages = self._pages
        number = "reading" if pages.page is None else pages.count
        return server_user_lines(pages.items, number, pages.trouble, now, width)
