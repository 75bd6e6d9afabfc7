"""What a changed fact means for a plan: whether it voids the plan, for every kind of operation in one place.

A plan is applied on facts that are read again, and its checks judge those. So a fact voids a plan only when it makes
another decision of it than the one that was confirmed: who is active, what can be lost, who else takes writes. What the
checks judge again anyway, and what only improves, does not: while things move an operator would plan for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tuiha.model.operations.plans import Extent, ServerPart
from tuiha.model.reports import DatabaseRole
from tuiha.operate.plans.plan import Plan, plan_id

NEVER_ASKED = object()  # a fact that only one of two plans has
_SILENT = "no answer"


@dataclass(frozen=True, slots=True)
class FactChange:
    """A fact that is another one now."""

    path: tuple[str, ...]
    before: Any
    after: Any


def changes(old: Mapping[str, Any], new: Mapping[str, Any], at: tuple[str, ...] = ()) -> Iterator[FactChange]:
    """The facts that differ, down to the values that do."""
    for name in sorted(old.keys() | new.keys(), key=str):
        before, after = old.get(name, NEVER_ASKED), new.get(name, NEVER_ASKED)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from changes(before, after, (*at, name))
        elif before != after:
            yield FactChange((*at, name), before, after)


def _never(change: FactChange, active: str) -> bool:
    return False


def _of_one_that_answers(change: FactChange, active: str) -> bool:
    """A database that falls silent is judged by the checks. One that takes writes and was silent before is a rival."""
    if change.after == _SILENT:
        return False
    if change.before == _SILENT and isinstance(change.after, Mapping):
        return change.path[1] != active and change.after.get("role") == DatabaseRole.PRIMARY
    return True


def _to_primary(change: FactChange, active: str) -> bool:
    """That a rival is a secondary again only improves."""
    return change.path[1] == active or change.after == DatabaseRole.PRIMARY


def _both_known(change: FactChange, active: str) -> bool:
    return None not in (change.before, change.after)


def _unless_it_takes_part(change: FactChange, active: str) -> bool:
    """A server that joins gives users a place more."""
    return change.before is not NEVER_ASKED


def _unless_it_betters(change: FactChange, active: str) -> bool:
    """A server that returns, or is no longer overloaded, only makes room."""
    return not (change.before in _PARTS and change.after in _PARTS
                and ServerPart(change.after).betters(ServerPart(change.before)))


_PARTS = frozenset(ServerPart)
Rule = Callable[[FactChange, str], bool]

# By the path of a fact, `*` for any name: whether its change voids a plan about the databases. All others do.
OF_THE_PAIR: tuple[tuple[tuple[str, ...], Rule], ...] = (
    (("databases", "*"), _of_one_that_answers),
    (("databases", "*", "role"), _to_primary),
    (("databases", "*", "timeline"), _both_known),  # told by a primary alone
    (("databases", "*", "followers"), _never),  # `synchronous`, `follows` and `lag` judge them
    (("databases", "*", "followers", "*"), _never),
    (("databases", "*", "agent"), _never),  # `agent` judges it
    (("servers", "*"), _never),  # `server` and `servers` judge them, and those that answer then are told
    (("servers", "*", "*"), _never),
    (("servers",), _never),
)
# The same of all other plans: where users move, and where they are kept.
OF_OTHERS: tuple[tuple[tuple[str, ...], Rule], ...] = (
    (("servers", "*"), _unless_it_takes_part),
    (("servers", "*", "part"), _unless_it_betters),
)


def voided_by(old: Plan, new: Plan) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The facts that void a plan, as they were and as they are; None when it holds.

    `new` is the same question on fresh facts. Empty facts: what the plan's file says is not what was planned.
    """
    if old.id != plan_id(old.kind, old.target, old.facts) or old.target != new.target:
        return {}, {}
    found = [change for change in changes(old.facts, new.facts) if _voids(change, new.facts)]
    if old.loss.kind != new.loss.kind and new.loss.extent is not Extent.NONE:
        found.append(FactChange(("loses",), old.loses, new.loses))
    return (_nested(found, "before"), _nested(found, "after")) if found else None


def _voids(change: FactChange, facts: Mapping[str, Any]) -> bool:
    rules, active = (OF_THE_PAIR, str(facts["ledger"]["active"])) if "databases" in facts else (OF_OTHERS, "")
    rule = next((rule for pattern, rule in rules if _fits(pattern, change.path)), None)
    return rule is None or rule(change, active)


def _fits(pattern: tuple[str, ...], path: tuple[str, ...]) -> bool:
    return len(pattern) == len(path) and all(word in ("*", name) for word, name in zip(pattern, path, strict=True))


def _nested(found: list[FactChange], side: str) -> dict[str, Any]:
    """Changed facts in the shape that facts have."""
    facts: dict[str, Any] = {}
    for change in found:
        place = facts
        for name in change.path[:-1]:
            place = place.setdefault(name, {})
        if (value := getattr(change, side)) is not NEVER_ASKED:
            place[change.path[-1]] = value
    return facts
