"""The views by key. Each is imported and made when it is first wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuiha.tui.kit.screen import PoolScreen

HOME = "home"


@dataclass(frozen=True, slots=True)
class ViewEntry:
    """A view: its key, the name it is installed by, its title, what it shows, and what makes its screen."""

    key: str
    name: str
    title: str
    shows: str  # a few words for the help
    make: Callable[[], PoolScreen]


def _home() -> PoolScreen:
    from tuiha.tui.views.home.screen import HomeScreen

    return HomeScreen()


def _database() -> PoolScreen:
    from tuiha.tui.views.database.screen import DatabaseScreen

    return DatabaseScreen()


def _sprayers() -> PoolScreen:
    from tuiha.tui.views.sprayers.screen import SprayersScreen

    return SprayersScreen()


def _mail() -> PoolScreen:
    from tuiha.tui.views.mail.screen import MailScreen

    return MailScreen()


def _events() -> PoolScreen:
    from tuiha.tui.views.events.screen import EventsScreen

    return EventsScreen()


def _users() -> PoolScreen:
    from tuiha.tui.views.users.screen import UsersScreen

    return UsersScreen()


def _operations() -> PoolScreen:
    from tuiha.tui.operations.screens.list import OperationList

    return OperationList()


def _pool() -> PoolScreen:
    from tuiha.tui.views.pool.screen import PoolFiguresScreen

    return PoolFiguresScreen()


VIEWS: tuple[ViewEntry, ...] = (
    ViewEntry("1", HOME, "Home", "the whole pool", _home),
    ViewEntry("2", "database", "Database", "the pair, and who is attached to which", _database),
    ViewEntry("3", "sprayers", "Sprayers", "who carries devices, what is behind each", _sprayers),
    ViewEntry("4", "mail", "Mail", "the clusters, and who stands in for whom", _mail),
    ViewEntry("5", "users", "Users", "find a user, see where it is and why, move it", _users),
    ViewEntry("6", "operations", "Operations", "what runs and what ran, by whom and why", _operations),
    ViewEntry("7", "events", "Events", "what changed, when", _events),
    ViewEntry("0", "pool", "Pool", "its figures over the last 15 minutes", _pool),
)


def view_named(name: str) -> ViewEntry:
    """The view of that name. Raises KeyError when there is none."""
    for view in VIEWS:
        if view.name == name:
            return view
    raise KeyError(name)
