"""What a plan means for users and for the way back, and what became different since it was made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tuiha.model.operations.evidence import StepId
from tuiha.model.operations.plans import ServerPart
from tuiha.model.words import names

_MOVES = "none; a user that moves waits for a moment"
_OUTAGES: Mapping[StepId, str] = {  # by the step that tells it, the first that a plan has
    StepId.HAND_OVER: _MOVES,
    StepId.TAKE_MANY: _MOVES,
    StepId.TAKE_USER: _MOVES,
    StepId.RETURN: "none; new mail of these users comes a moment later",
    StepId.MONITOR_THROUGH: "none; new mail of these users comes a moment later",
    StepId.DELETE: "the user is refused from step 1 on",
    StepId.REFUSE_USER: "the user is refused from step 1 on, until the user is enabled",
    StepId.REFUSE_DEVICE: "the device is refused from step 1 on, until it is allowed",
    StepId.REINITIALIZE: "none; the pool is unprotected until the copy is complete",
}


def outage(steps: Sequence[str]) -> str:
    """What users notice while these steps (their ids, in order) run."""
    numbers = {step: number for number, step in enumerate(steps, 1)}
    end = numbers.get(StepId.ATTACH)
    if end is not None and StepId.HOLD in numbers:
        return f"requests wait from step {numbers[StepId.HOLD]} to step {end}; none fails"
    if end is not None:
        return f"nobody is served until step {end} is done; step {end} ends it"
    if StepId.GIVE_UP in numbers:
        return f"commits that wait for the lost database continue with step {numbers[StepId.GIVE_UP]}"
    return next((words for step, words in _OUTAGES.items() if step in numbers), "none")


def way_back(steps: Sequence[bool], point: int | None) -> str:
    """How far the operation can be undone: `steps` says of each whether it can be, `point` is that of no return."""
    if point is not None:
        return (f"possible until step {point - 1} is done; from step {point} on only forward" if point > 1
                else "not possible: step 1 is the point of no return")
    kept = [str(number) for number, can in enumerate(steps, 1) if not can]
    if not kept:
        return "possible at every step"
    return f"possible until step {kept[0]} begins" if kept[0] != "1" else "not possible"


def no_return(steps: Sequence[str], point: int | None) -> str:
    """The point of no return, of steps by their names."""
    return "none: every step can be undone" if point is None else f"step {point} of {len(steps)}: {steps[point - 1]}"


# What became different

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
    together = (f"{names(nodes)} {_inflected(verb, len(nodes))}" for verb, nodes in found.items())
    return (*together, *alone)


def _inflected(verb: str, nodes: int) -> str:
    """The verb for one node, or for several."""
    return verb.format(s="s" if nodes == 1 else "", be="is" if nodes == 1 else "are")


def _differences(old: Facts, new: Facts, at: Path) -> Iterator[tuple[Path, Any, Any]]:
    for name in sorted({*old, *new}, key=str):
        before, after = old.get(name), new.get(name)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _differences(before, after, (*at, str(name)))
        elif before != after:
            yield (*at, str(name)), before, after


def _of_node(path: Path, old: Any, new: Any) -> str | None:
    """What a server or a database does now; None for a fact of another sort."""
    if path[:1] == ("servers",) and path[2:] == ("part",):
        return _PARTS.get(new)
    if len(path) != 2 or path[0] not in ("servers", "databases"):
        return None
    if new in (None, _SILENT):
        return "no longer answer{s}"
    if old in (None, _SILENT):
        return "answer{s} again"
    return None


_PARTS: Mapping[object, str] = {
    ServerPart.TAKES: "can take users now",
    ServerPart.KEEPS: "{be} overloaded now, and can take no users",
    ServerPart.APART: "cannot be reached from this host now",
    ServerPart.GIVES: "{be} down or drained: all users must move",
}


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
