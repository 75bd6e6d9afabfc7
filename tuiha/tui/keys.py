"""Keys: each is declared once; bindings, footer and help are made from the declaration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from textual.binding import ActiveBinding, Binding

from tuiha.model.operations.catalogue import KEYS

HOME = "home"
VIEW = "view."  # how the ids of keys of views begin
SHOWN = {
    "question_mark": "?", "slash": "/", "colon": ":", "escape": "esc", "pagedown": "pgdn", "pageup": "pgup",
    "comma": ",", "full_stop": ".", "less_than_sign": "<", "greater_than_sign": ">", "equals_sign": "=", "at": "@",
    "space": "space", "exclamation_mark": "!", "ctrl+c": "ctrl+c", "ctrl+l": "ctrl+l",
}


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a screen. `danger` marks the way to a change of the pool: greyed, with the reason, unless unlocked."""

    id: str  # for a keymap
    keys: str  # Textual's names, separated by commas
    action: str
    description: str  # for the help
    short: str = ""  # for the footer; empty: not in the footer
    danger: bool = False
    first: bool = False  # stays in the footer when there is little room

    def binding(self) -> Binding:
        """The key as Textual wants it."""
        return Binding(self.keys, self.action, self.description, show=bool(self.short), id=self.id)


def bindings(keys: Iterable[Key]) -> list[Binding]:
    """The bindings of a screen."""
    return [key.binding() for key in keys]


def shown(key: str) -> str:
    """A key's name as people read it."""
    return SHOWN.get(key, key)


@dataclass(frozen=True, slots=True)
class BoundKey:
    """What a declared key is bound to now: keymaps can change the keys."""

    key: Key
    names: tuple[str, ...]


def bound(keys: Iterable[Key], active: Mapping[str, ActiveBinding]) -> tuple[BoundKey, ...]:
    """The declared keys that are active, with the keys that trigger them, in the order declared."""
    names: dict[str, list[str]] = {}
    for name, entry in active.items():
        if entry.binding.id is not None and entry.enabled:
            names.setdefault(entry.binding.id, []).append(shown(name))
    return tuple(BoundKey(key, tuple(names[key.id])) for key in keys if key.id in names)


@dataclass(frozen=True, slots=True)
class ViewEntry:
    """A view: its key, the name its screen is installed by, its title, what it shows."""

    key: str
    name: str
    title: str
    shows: str  # a few words for the help
    short: str = ""  # for the frame; empty: the title


VIEWS: tuple[ViewEntry, ...] = (
    ViewEntry("1", HOME, "Home", "the whole pool"),
    ViewEntry("2", "database", "Database", "the pair, and the servers attached to each", "DB"),
    ViewEntry("3", "sprayers", "Sprayers", "the load balancers, and the servers behind each"),
    ViewEntry("4", "mail", "Mail", "the mail clusters and their servers"),
    ViewEntry("5", "users", "Users", "find a user, see where it is and why, move it"),
    ViewEntry("6", "operations", "Operations", "operations that run or ran, with their reasons", "Ops"),
    ViewEntry("7", "events", "Events", "what changed, when"),
    ViewEntry("0", "pool", "Pool", "its figures over the last 15 minutes"),
)
NAMED = VIEWS[:7]  # on the frame


def view_keys() -> tuple[Key, ...]:
    """The keys of the views, in their order."""
    return tuple(
        Key(f"{VIEW}{view.name}", view.key, f"app.show_view('{view.name}')", f"{view.title}: {view.shows}")
        for view in VIEWS
    )


def operation_keys(view: str) -> tuple[Key, ...]:
    """The keys of a view that lead to operations, from the catalogue. All lead to a change of the pool."""
    return tuple(
        Key(key.id, key.key, f"operate('{key.id}')", key.means, key.short, danger=True, first=key.first)
        for key in KEYS if key.id.startswith(f"{view}.")
    )


TIME_KEYS: tuple[Key, ...] = (
    Key("time.travel", "t", "app.time_travel", "the recording, and back"),
    Key("time.before", "comma", "app.time_step(-1)", "in a recording: the snapshot before"),
    Key("time.after", "full_stop", "app.time_step(1)", "in a recording: the next snapshot"),
    Key("time.change_before", "less_than_sign", "app.time_change(-1)", "in a recording: the change before"),
    Key("time.change_after", "greater_than_sign", "app.time_change(1)", "in a recording: the next change"),
    Key("time.compare", "equals_sign", "app.time_screen('compare')",
        "in a recording: what differs from the snapshot before"),
    Key("time.go", "at", "app.time_screen('jump')", "in a recording: go to a moment, or to an incident"),
)
PROBLEMS = Key("app.problems", "exclamation_mark", "app.show_problems",
               "what is wrong, what users notice, and what to do, worst first", "problems")
EVERYWHERE: tuple[Key, ...] = (
    PROBLEMS,
    Key("app.help", "question_mark", "app.show_help", "keys of this screen", "help", first=True),
    Key("app.poll", "space", "app.poll_now", "poll the pool again, now", "poll"),
    Key("app.pause", "p", "app.pause", "stop painting, or continue; polling and lines 1 to 3 continue", "pause"),
    Key("app.palette", "ctrl+p", "app.palette", "everything that can be done here, by name", "actions"),
    Key("app.command", "colon", "app.command", "a command, as in the shell: :drain s2", "command"),
    Key("app.copy", "y", "app.copy", "copy the shell command"),
    Key("operation.attach", "a", "app.attach", "watch the operation"),
    Key("app.suspend", "ctrl+z", "app.suspend_process", "suspend; `fg` resumes"),
    Key("app.redraw", "ctrl+l", "app.redraw", "draw the screen again"),
    *view_keys(),
    *TIME_KEYS,
    Key("app.quit", "q,ctrl+c", "app.quit", "leave the dashboard; the pool does not notice", "quit", first=True),
)
