"""What became different since a plan was made, as sentences from its facts before and now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tuiha.model.words import names

_SILENT = "no answer"
_MOST = 40  # characters of a value
Facts = Mapping[str, Any]
Path = tuple[str, ...]


def changed(before: Facts, after: Facts) -> tuple[str, ...]:
    """One sentence for each thing that changed; nodes of which the same is true share one."""
    found: dict[str, list[str]] = {}
    alone: list[str] = []
    for path, old, new in _differences(before, after, ()):
        verb = _of_node(path, old, new)
        if verb is None:
            alone.append(_told(path, old, new))
        else:
            found.setdefault(verb, []).append(path[1])
    together = (f"{names(nodes)} {verb}" for verb, nodes in found.items())
    return (*together, *alone)


def _differences(old: Facts, new: Facts, at: Path) -> Iterator[tuple[Path, Any, Any]]:
    for name in sorted({*old, *new}, key=str):
        before, after = old.get(name), new.get(name)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _differences(before, after, (*at, str(name)))
        elif before != after:
            yield (*at, str(name)), before, after


def _of_node(path: Path, old: Any, new: Any) -> str | None:
    """What a server or a database does now; None for a fact of another sort."""
    if len(path) != 2 or path[0] not in ("servers", "databases"):
        return None
    if new in (None, _SILENT):
        return "no longer answer" if path[0] == "servers" else "no longer answers"
    if old in (None, _SILENT):
        return "answer again" if path[0] == "servers" else "answers again"
    return None


def _told(path: Path, old: Any, new: Any) -> str:
    template = next((template for form, template in _SENTENCES if _fits(form, path)), None)
    if template is not None and new is not None:
        return template(path, _value(new))
    return f"{' '.join(path)}: {_value(old)} ▸ {_value(new)}"


def _fits(form: Path, path: Path) -> bool:
    return len(form) == len(path) and all(part in ("*", name) for part, name in zip(form, path, strict=True))


_SENTENCES: tuple[tuple[Path, Callable[[Path, str], str]], ...] = (
    (("servers", "*", "database"), lambda path, new: f"{path[1]} uses {new}"),
    (("servers", "*", "epoch"), lambda path, new: f"{path[1]} is in epoch {new}"),
    (("databases", "*", "role"), lambda path, new: f"{path[1]} is {new}"),
    (("databases", "*", "timeline"), lambda path, new: f"{path[1]} is on timeline {new}"),
    (("databases", "*", "followers", "*"), lambda path, new: f"{path[3]} replicates from {path[1]}: {new}"),
    (("ledger", "active"), lambda path, new: f"the ledger names {new} as the active database"),
)


def _value(value: object) -> str:
    """A value as people read it."""
    if value is None:
        return "not known"
    if isinstance(value, Mapping):
        text = ", ".join(f"{name} {_value(one)}" for name, one in value.items())
    elif isinstance(value, list | tuple):
        text = ", ".join(map(_value, value))
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    else:
        text = str(value)
    return text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"
