"""What makes the screen of each view. A view's module is imported when its screen is first wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tuiha.tui.keys import HOME

if TYPE_CHECKING:
    from tuiha.tui.kit.screen import PoolScreen

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


MAKERS: Mapping[str, Callable[[], PoolScreen]] = {
    HOME: _home, "database": _database, "sprayers": _sprayers, "mail": _mail, "users": _users,
    "operations": _operations, "events": _events, "pool": _pool,
}
