"""Users read a page at a time, behind the screen that shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from tuiha.tui.views.users.rows import UserItem, items_of
from tuiha.watch.lookup import NoPage, UserPage

PAGE = 100  # users of one answer
MOST = 2000  # users in the list: whoever wants more types more of the name
STILL = 2 * PAGE  # users: a longer list stands still while it is read

Place = TypeVar("Place")  # of a user in the order that is read: a name, an id
Answered = Callable[[UserPage | NoPage], None]


class UserPages(Generic[Place]):
    """The users read so far. An old answer never replaces a newer one; trouble leaves what was read."""

    def __init__(
        self, find: Callable[[Place, int, Answered], None], place: Callable[[UserItem], Place], first: Place,
        changed: Callable[[], None],
    ) -> None:
        """`find` asks for so many users after a place, `first` is before all; `changed` is called with each answer."""
        self._find, self._place, self._first, self._changed = find, place, first, changed
        self._questions = self._awaited = 0  # numbers; 0: no answer is awaited
        self.forget()

    def forget(self) -> None:
        """Nothing was read, and what was asked for is not wanted any more."""
        self.items: tuple[UserItem, ...] = ()
        self.page: UserPage | None = None  # the newest
        self.trouble = ""
        self._awaited = 0

    @property
    def asking(self) -> bool:
        """Whether an answer is awaited."""
        return self._awaited > 0

    @property
    def more(self) -> bool:
        """Whether there are users after the last one."""
        return self.page is not None and self.page.more

    @property
    def count(self) -> str:
        """How many, for people."""
        return f"{len(self.items):,}{' and more' if self.more else ''}"

    def begin(self) -> None:
        """Read the first page; until it is there, what was read stays."""
        self._ask(self._first, PAGE)

    def refresh(self) -> None:
        """Read all that is shown again."""
        pages = max(1, -(-len(self.items) // PAGE))
        self._ask(self._first, pages * PAGE)

    def again(self) -> None:
        """Read it again, unless it is long or an answer is awaited."""
        if not self.asking and len(self.items) <= STILL:
            self.refresh()

    def read_on(self) -> None:
        """Read the next page, if there is one."""
        if self.more and not self.asking and len(self.items) < MOST:
            self._ask(self._place(self.items[-1]), PAGE)

    def _ask(self, after: Place, limit: int) -> None:
        self._questions += 1
        number = self._awaited = self._questions

        def answered(page: UserPage | NoPage) -> None:
            if number == self._awaited:
                self._awaited = 0
                self._take(page, () if after == self._first else self.items)

        self._find(after, limit, answered)

    def _take(self, page: UserPage | NoPage, before: tuple[UserItem, ...]) -> None:
        if isinstance(page, NoPage):
            self.trouble = page.text
        else:
            self.items = (*before, *items_of(page.users, page.servers, page.biases))
            self.page, self.trouble = page, ""
        self._changed()
