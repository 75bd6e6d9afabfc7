"""The object of a drill's histories: the devices of one user, a set that only grows, and a reader of its file.

`gathered` makes a history small before it is searched. A witness repeats a registration until it is acknowledged, so
many operations without an answer add the same device. All of them together are one operation. It is invoked with the
first of them, and it is done before the first acknowledgement, and before the answer of the first read that shows the
device. A device that no read shows and nobody acknowledged was added never, or after everything: it is left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.proof.linearizability import Object, Operation


@dataclass(frozen=True, slots=True)
class Added:
    """A device was registered."""

    device: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A read showed exactly these devices."""

    devices: frozenset[str]


Action = Added | Shown


def _step(state: frozenset[str], action: Action) -> frozenset[str] | None:
    if isinstance(action, Added):
        return state if action.device in state else state | {action.device}
    return state if action.devices == state else None


GROWING: Object[frozenset[str], Action] = Object(frozenset(), _step, lambda action: isinstance(action, Shown))


def gathered(operations: Iterable[Operation[Action]]) -> list[Operation[Action]]:
    """The same history with one operation for each device; linearizable exactly when the whole one is."""
    reads: list[Operation[Action]] = []
    first: dict[str, Operation[Action]] = {}
    done: dict[str, float] = {}
    for one in operations:
        if isinstance(one.action, Added):
            known = first.get(one.action.device)
            if known is None or one.invoked < known.invoked:
                first[one.action.device] = one
            done[one.action.device] = min(done.get(one.action.device, math.inf), one.answered)
        elif not one.open:
            reads.append(one)
            for device in one.action.devices:
                done[device] = min(done.get(device, math.inf), one.answered)
    added = [Operation(one.action, one.invoked, done[device], one.by) for device, one in first.items()
             if done[device] < math.inf]
    return sorted([*added, *reads], key=lambda one: one.invoked)


@dataclass(frozen=True, slots=True)
class History:
    """What one drill recorded: user -> operations."""

    scenario: str
    users: Mapping[str, Sequence[Operation[Action]]]

    @property
    def size(self) -> int:
        """Operations of all users."""
        return sum(map(len, self.users.values()))


def histories(lines: Iterable[str]) -> Iterator[History]:
    """The histories in a file that `tuiha drill --history` wrote. Raises ValueError for a line that it never writes."""
    scenario: str | None = None
    users: dict[str, list[Operation[Action]]] = {}
    for line in lines:
        told: dict[str, Any] = json.loads(line)
        if "scenario" in told:
            if scenario is not None:
                yield History(scenario, users)
            scenario, users = str(told["scenario"]), {}
            continue
        if scenario is None:
            raise ValueError("an operation before the first scenario")
        users.setdefault(told["user"], []).append(_operation(told))
    if scenario is not None:
        yield History(scenario, users)


def _operation(told: Mapping[str, Any]) -> Operation[Action]:
    action: Action = Added(told["registers"]) if "registers" in told else Shown(frozenset(told["reads"]))
    answered = math.inf if told["answered"] is None else float(told["answered"])
    if answered < float(told["invoked"]):
        raise ValueError(f"answered before it was invoked: {told}")
    return Operation(action, float(told["invoked"]), answered, told["server"])
