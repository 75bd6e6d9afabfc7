"""Keys of one's own: the `keys:` section of the configuration, checked before anything is painted.

Refused, with the reason: what no screen has, what is no key, what a terminal or what is around it takes for
something else, and a key that would do two things on one screen.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from textual.keys import Keys, _character_to_key

from tuiha.config.errors import ConfigError, ConfigProblem
from tuiha.tui import command, operations, replay, views
from tuiha.tui.draw.spans import clean
from tuiha.tui.keys import SHOWN, Key, shown
from tuiha.tui.kit.screen import PoolScreen

_ROOMS = (views, operations, replay, command)  # where screens are

Place = Callable[[str], tuple[Path | None, int | None]]
"""Where a key's id stands in the configuration: file and line."""

_WRITTEN = {name: key for key, name in SHOWN.items()} | {"return": "enter", "pgup": "pageup", "pgdn": "pagedown"}
_NAMED = frozenset(key.value for key in Keys if len(key.value) > 1 and not key.value.startswith("<")) | {"space"}
_TAKEN = {
    "ctrl+a": "screen takes it for itself", "ctrl+b": "tmux takes it for itself",
    "ctrl+h": "it is backspace", "ctrl+i": "it is tab", "ctrl+j": "it is enter", "ctrl+m": "it is enter",
    "ctrl+left_square_bracket": "it is esc", "ctrl+s": "it stops the output of many terminals",
    "ctrl+q": "it starts the output of many terminals again", "ctrl+t": "browsers take it for themselves",
    "ctrl+w": "browsers take it for themselves", "ctrl+z": "shells take it for themselves",
}
_SPLIT = "a cursor key that a slow link splits arrives as esc, [, A"
_RESERVED = {"escape": "esc only ever goes back", "ctrl+c": "ctrl+c only ever leaves"}
FIXED = {"confirm.start": "what starts an operation is always ctrl+x after the name"}


def all_screens() -> tuple[type[PoolScreen], ...]:
    """Every screen that there is; imports their modules."""
    for room in _ROOMS:
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            importlib.import_module(module.name)

    def below(kind: type[PoolScreen]) -> Iterator[type[PoolScreen]]:
        for child in kind.__subclasses__():
            yield child
            yield from below(child)

    return tuple(dict.fromkeys(below(PoolScreen)))


def keymap(wanted: Mapping[str, Sequence[str]], place: Place) -> dict[str, str]:
    """The keymap as Textual wants it. Raises ConfigError with everything that is wrong."""
    if not wanted:
        return {}
    tables = {screen.TITLE_TEXT or screen.__name__: screen.KEYS for screen in all_screens()}
    known = {key.id: key for keys in tables.values() for key in keys}
    problems: list[ConfigProblem] = []
    taken: dict[str, tuple[str, ...]] = {}
    for id, names in wanted.items():
        found = list(_against(id, names, known))
        problems += [ConfigProblem(what, remedy, f"keys.{clean(id)}", *place(id)) for what, remedy in found]
        if not found:
            taken[id] = tuple(textual_name(name) or name for name in names)
    problems += [
        ConfigProblem(what, remedy, f"keys.{id}", *place(id)) for id, what, remedy in clashes(tables, taken)
    ]
    if problems:
        raise ConfigError(*dict.fromkeys(problems))
    return {id: ",".join(names) for id, names in taken.items()}


def _against(id: str, names: Sequence[str], known: Mapping[str, Key]) -> Iterator[tuple[str, str]]:
    key = known.get(id)
    if key is None:
        near = difflib.get_close_matches(id, known, 1)
        yield "no screen has this", f"did you mean '{near[0]}'?" if near else "`?` on a screen shows what there is"
        return
    if id in FIXED:
        yield "cannot be another key", FIXED[id]
        return
    if not names:
        yield "has no key", "write at least one, or leave the line out"
    for name in names:
        made = textual_name(name)
        if made is None:
            near = difflib.get_close_matches(name.lower(), (*_NAMED, *_WRITTEN), 1)
            hint = f"did you mean '{near[0]}'?" if near else "write a letter, ctrl+letter, or a name such as f5 or pgdn"
            yield f"'{clean(name)}' is no key", hint
            continue
        reason = unsafe(key, made)
        if reason:
            yield f"'{clean(name)}' cannot be used: {reason}", "write another key"


def textual_name(name: str) -> str | None:
    """The key by Textual's name; None when it is none."""
    if len(name) == 1:
        return _character_to_key(name) if name.isprintable() and name != " " else None
    name = name.lower()
    if name.startswith("ctrl+") and len(name) == 6:
        return f"ctrl+{_character_to_key(name[-1])}" if name[-1].isprintable() else None
    name = _WRITTEN.get(name, name)
    return name if name in _NAMED or name in SHOWN else None


def unsafe(key: Key, name: str) -> str | None:
    """Why that key must not do that; None when it may."""
    if name in key.keys.split(",") and not key.danger:
        return None
    reason = _TAKEN.get(name) or _RESERVED.get(name)
    return reason or (_careless(name) if key.danger else None)


def _careless(name: str) -> str | None:
    """Why nothing that leads to a change may be on that key."""
    if len(name) == 1 and (name.isupper() or name.isdigit()):
        return f"{_SPLIT}: no changing action is on a capital or a digit"
    if name in ("left_square_bracket", "tilde") or (name[0] == "f" and name[1:].isdigit()):
        return f"{_SPLIT}: no changing action is on [, ~ or a function key"
    if name in ("enter", "y"):
        return "it is pressed without thinking: no changing action is on enter or y"
    return None


def clashes(
    tables: Mapping[str, Iterable[Key]], taken: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[str, str, str]]:
    """Keys that would do two things on one screen: which id, what is wrong, what to do."""
    for title, keys in tables.items():
        owners: dict[str, str] = {}
        for key in keys:
            for name in taken.get(key.id, tuple(key.keys.split(","))):
                other = owners.setdefault(name, key.id)
                if other != key.id:
                    mine, theirs = (key.id, other) if key.id in taken else (other, key.id)
                    yield mine, f"'{shown(name)}' is {theirs} already on the screen '{title}'", \
                        f"write another key, or another one for {theirs} as well"
