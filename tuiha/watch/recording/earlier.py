"""Recordings of earlier versions, lifted to the form of today."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tuiha.model.codes import Action, ProblemCode, Recorded
from tuiha.model.facts import Snapshot

_NODES = ("servers", "databases", "sprayers", "mail")


def lifted(kind: type, data: dict[str, Any]) -> dict[str, Any]:
    """The same data as this version records them; what is of today already, and what cannot be read, as it is."""
    lift = _LIFTS.get(kind)
    return data if lift is None else lift(data)


def _snapshot(data: dict[str, Any]) -> dict[str, Any]:
    """A snapshot whose problems are sentences: these are shown as they are, and nothing else is known of them."""
    problems = data.get("problems")
    if not isinstance(problems, list) or all(not isinstance(one, dict) or "code" in one for one in problems):
        return data
    groups = [group for group in map(data.get, _NODES) if isinstance(group, list)]
    nodes = [node.get("name") for group in groups for node in group if isinstance(node, dict)]
    return {**data, "problems": [_problem(one, nodes) for one in problems]}


def _problem(data: Any, nodes: Iterable[Any]) -> Any:
    if not isinstance(data, dict):
        return data
    what, means, then = (data.get(name) for name in ("what", "means", "next"))
    if not isinstance(what, str) or not isinstance(means, str):
        return data
    state, _, text = what.partition("  ")
    named = [name for name in nodes if isinstance(name, str)
             and re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text)]
    return {**data, "code": ProblemCode.RECORDED.value,
            "facts": {"is": Recorded.__name__, "text": text, "state": state, "means": means, "names": named},
            "next": {"action": Action.RECORDED.value, "targets": [then]} if isinstance(then, str) else None}


_LIFTS: Mapping[type, Callable[[dict[str, Any]], dict[str, Any]]] = {Snapshot: _snapshot}
