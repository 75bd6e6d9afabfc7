"""What screens ask of the application that shows them. They know it by these protocols and never import it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast, overload

from textual.screen import Screen

from tuiha.tui.draw.spans import Line
from tuiha.tui.draw.trends import Trends
from tuiha.tui.draw.view import View
from tuiha.tui.theme import Palette

if TYPE_CHECKING:
    from tuiha.watch.recording.replay import Where

S = TypeVar("S", bound=Screen[None])
A_co = TypeVar("A_co", covariant=True)


class Permission(Protocol):
    """Whether the pool may be changed from here."""

    @property
    def refusal(self) -> str | None:
        """Why nobody may ever act from here; None when one may."""

    @property
    def unlocked(self) -> object | None:
        """Why and until when; None when nothing may be changed now."""

    def against(self) -> str | None:
        """Why nothing can be changed now; None when it can."""

    def lock(self) -> None:
        """Allow no changes from now on."""


class Past(Protocol):
    """The recording that may be shown in place of the pool."""

    @property
    def active(self) -> bool:
        """Whether it is the past that is shown."""

    @property
    def where(self) -> Where | None:
        """The place in the recording that is shown."""

    def against(self, key: str) -> str | None:
        """Why the key with that id does nothing now; None when it does something."""

    def line(self, width: int) -> Line | None:
        """What stands in place of the footer; None while the pool is shown live."""

    def back(self) -> None:
        """To the pool as it is; says why that cannot be."""

    def go(self, text: str) -> None:
        """To the moment that the text names."""

    def jump(self, at: float) -> None:
        """To a moment (unix seconds)."""


class Coloured(Protocol):
    """An application with colours: what widgets ask of it."""

    @property
    def palette(self) -> Palette:
        """The colours."""


class Application(Coloured, Protocol):
    """The dashboard, as its screens see it."""

    @property
    def view(self) -> View:
        """What there is to draw now."""

    @property
    def trends(self) -> Trends:
        """The last 15 minutes of every figure."""

    @property
    def operations(self) -> Permission:
        """Whether the pool may be changed."""

    @property
    def past(self) -> Past:
        """Time travel."""

    @property
    def tempo(self) -> float:
        """How long it waits before it does something again, against the usual."""

    def paint(self) -> None:
        """Have the screen in front draw what there is now."""

    def say(self, text: str) -> None:
        """Say something on the screen in front for a moment."""

    def copy(self, text: str, called: str = "") -> None:
        """Give a text to the terminal's clipboard, and say so; a longer one by what it is called."""

    def find(self, text: str) -> None:
        """Filter what the screen in front shows."""

    def leave(self) -> None:
        """End the dashboard."""

    def use_theme(self, name: str) -> None:
        """Another theme by name; says why when it cannot be used."""

    # Screens

    def installed(self, name: str, make: Callable[[], S]) -> S:
        """A screen, made and installed when it is first needed."""

    def open(self, name: str) -> None:
        """Put an installed screen in front, unless it is open already."""

    def leave_all(self, names: Collection[str]) -> None:
        """Leave the screens of these names that are in front, one after the other."""

    def is_open(self, name: str) -> bool:
        """Whether that screen is in front or behind another."""

    def open_unlock(self) -> None:
        """Ask for the reason of changes."""

    def open_command(self, text: str) -> None:
        """The command line, with a text to begin with."""

    def show_detail(self, node: str) -> None:
        """The detail of a node."""

    def show_devices(self, user: str) -> None:
        """The devices of a user."""

    # What keys do, too

    def action_show_view(self, name: str) -> None:
        """A view, in place of what is in front."""

    def action_show_help(self) -> None:
        """The keys of the screen in front."""

    def action_poll_now(self) -> None:
        """Look again at once."""

    def action_pause(self) -> None:
        """Stop painting new snapshots, or go on."""


class Reach(Generic[A_co]):
    """The way from a screen to its application, as the protocol that this kind of screen needs."""

    @overload
    def __get__(self, screen: None, kind: type[Any]) -> Reach[A_co]: ...

    @overload
    def __get__(self, screen: Screen[Any], kind: type[Any]) -> A_co: ...

    def __get__(self, screen: Screen[Any] | None, kind: type[Any]) -> Reach[A_co] | A_co:
        """The application of that screen."""
        return self if screen is None else cast("A_co", screen.app)
