"""A plan: what an operation would do, judged on fresh facts, before anything has happened.

Facts -> checks and steps -> an id: a hash of the facts. When a fact changes, so does the id, and the plan is void.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

SCHEMA = "tuiha.plan/1"


class CheckVerdict(StrEnum):
    """What a check found."""

    OK = "ok"
    WARNING = "warning"  # shown, does not stop
    BAD = "bad"  # stops, unless it is overridden by name and with a reason
    NEVER = "never"  # stops, and cannot be overridden: going on would break the pool


@dataclass(frozen=True, slots=True)
class Check:
    """One precondition: what was found, what it may be, and what to do when it is not."""

    name: str  # a short word that an override names, for instance "lag"
    subject: str  # the node or "pool"
    value: str
    limit: str
    verdict: CheckVerdict
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step as a person reads it."""

    number: int
    target: str  # node or nodes: "db1", "s1..s4"
    action: str  # "hold requests"
    limit_seconds: float
    undo: bool
    point_of_no_return: bool = False

    @property
    def does(self) -> str:
        """The action, without the place that it may begin with: where the place stands before it."""
        return self.action.removeprefix(f"{self.target}: ")


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole plan."""

    id: str
    pool: str
    kind: str
    target: tuple[str, ...]
    confirm: str  # the name that has to be typed
    checks: tuple[Check, ...]
    steps: tuple[PlannedStep, ...]
    loses: str  # what can be lost, in a sentence; "nothing: ..." when nothing can
    made_at: float  # unix seconds
    expires_at: float
    facts: Mapping[str, Any]  # what the id is a hash of: plain JSON values
    details: Mapping[str, Any]  # what the kind needs to run, and what screens may show (users before and after, ...)

    @property
    def point_of_no_return(self) -> int | None:
        """Number of the step after which nothing is undone; None when all can be."""
        return next((step.number for step in self.steps if step.point_of_no_return), None)

    @property
    def roles(self) -> tuple[int, str, str] | None:
        """Epoch, active database and its partner that the steps rest on; None when they rest on no roles."""
        try:
            return int(self.details["epoch"]), str(self.details["old"]), str(self.details["new"])
        except (KeyError, TypeError, ValueError):
            return None

    @property
    def stopped_by(self) -> tuple[Check, ...]:
        """The checks that stop it."""
        return tuple(c for c in self.checks if c.verdict in (CheckVerdict.BAD, CheckVerdict.NEVER))

    def document(self) -> dict[str, Any]:
        """The plan as JSON (`tuiha plan ... --json`)."""
        return {
            "schema": SCHEMA,
            **asdict(self),
            "target": list(self.target),
            "point_of_no_return": self.point_of_no_return,
            "expires": self.expires_at,
        }


def plan_id(kind: str, target: tuple[str, ...], facts: Mapping[str, Any]) -> str:
    """The id of a plan: the first 12 hex digits of SHA-256 over kind, target and facts."""
    text = json.dumps([kind, list(target), facts], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _known(kind: type[Check | PlannedStep], document: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {key: value for key, value in document.items() if key in names}


def from_document(document: Mapping[str, Any]) -> Plan:
    """The plan in a JSON document that `Plan.document` made. Raises KeyError, TypeError or ValueError for another.

    What the next version may have added is left out: an operator with an older tuiha can read it all the same.
    """
    return Plan(
        id=document["id"],
        pool=document["pool"],
        kind=document["kind"],
        target=tuple(document["target"]),
        confirm=document["confirm"],
        checks=tuple(Check(**{**_known(Check, c), "verdict": CheckVerdict(c["verdict"])}) for c in document["checks"]),
        steps=tuple(PlannedStep(**_known(PlannedStep, s)) for s in document["steps"]),
        loses=document["loses"],
        made_at=float(document["made_at"]),
        expires_at=float(document["expires_at"]),
        facts=document["facts"],
        details=document["details"],
    )
