"""What versions before this one recorded, in the form of today."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tuiha.model.codes import Action, ProblemCode, Recorded
from tuiha.model.facts import Problem


def lifted(kind: type, data: Any) -> Any:
    """The same data as this version records them; what is of today already, and what cannot be read, as it is."""
    lift = _LIFTS.get(kind)
    return data if lift is None or not isinstance(data, dict) else lift(data)


def _problem(data: dict[str, Any]) -> Any:
    """A problem without a code has its sentences: they are shown as they are, and nothing else is known of it."""
    what, means, then = data.get("what"), data.get("means"), data.get("next")
    if "code" in data or not isinstance(what, str) or not isinstance(means, str):
        return data
    state, _, text = what.partition("  ")
    return {**data, "code": ProblemCode.RECORDED.value,
            "facts": {"is": Recorded.__name__, "text": text, "state": state, "means": means},
            "next": {"action": Action.RECORDED.value, "targets": [then]} if isinstance(then, str) else None}


_LIFTS: Mapping[type, Callable[[dict[str, Any]], Any]] = {Problem: _problem}
