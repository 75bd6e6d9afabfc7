"""A plan: what an operation would do, judged on fresh facts, before anything has happened.

Facts -> checks and steps -> an id: a hash of the facts. When a fact changes, so does the id, and the plan is void.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuiha.model.operations.plans import CheckVerdict, Loss
from tuiha.model.operations.statements import Statement
from tuiha.words.operations import text

SCHEMA = "tuiha.saved-plan/1"  # of the file; `tuiha plan --json` is another document, tuiha.plan/1


@dataclass(frozen=True, slots=True)
class Check:
    """One precondition: what was found, what it may be, and what to do when it is not."""

    name: str  # a CheckId: the short word that an override names
    subject: str  # the node or "pool"
    found: Statement
    wanted: Statement
    verdict: CheckVerdict
    mend: Statement | None = None

    @property
    def value(self) -> str:
        """What was found, for people."""
        return text(self.found)

    @property
    def limit(self) -> str:
        """What is wanted, for people."""
        return text(self.wanted)

    @property
    def remedy(self) -> str:
        """What to do, for people; empty when there is nothing to do."""
        return text(self.mend)

    def document(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"name": str(self.name), "subject": self.subject, "value": self.value, "limit": self.limit,
                "verdict": str(self.verdict), "remedy": self.remedy, "found": self.found.document(),
                "wanted": self.wanted.document(), "mend": None if self.mend is None else self.mend.document()}


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step of a plan."""

    number: int
    target: str  # node or nodes: "db1", "s1..s4"
    says: Statement  # what it does; its code is the step's id
    limit_seconds: float
    undo: bool
    point_of_no_return: bool = False

    @property
    def id(self) -> str:
        """The step's id, the same in every plan."""
        return self.says.code

    @property
    def action(self) -> str:
        """What it does, for people: "hold requests"."""
        return text(self.says)

    @property
    def does(self) -> str:
        """The action, without the place that it may begin with: where the place stands before it."""
        return self.action.removeprefix(f"{self.target}: ")

    def document(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"number": self.number, "id": str(self.id), "target": self.target, "action": self.action,
                "limit_seconds": self.limit_seconds, "undo": self.undo, "point_of_no_return": self.point_of_no_return,
                "figures": self.says.document()["figures"]}


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
    loss: Loss  # what can be lost
    made_at: float  # unix seconds
    expires_at: float
    facts: Mapping[str, Any]  # what the id is a hash of: plain JSON values
    details: Mapping[str, Any]  # what the kind needs to run, and what screens may show (users before and after, ...)

    @property
    def loses(self) -> str:
        """What can be lost, for people."""
        return text(self.loss.says)

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
        """The plan as a file keeps it. Sentences are for people who read the file; codes and figures are read back."""
        return {
            "schema": SCHEMA, "id": self.id, "pool": self.pool, "kind": self.kind, "target": list(self.target),
            "confirm": self.confirm, "checks": [check.document() for check in self.checks],
            "steps": [step.document() for step in self.steps], "loses": self.loses, "loss": self.loss.document(),
            "made_at": self.made_at, "expires_at": self.expires_at, "facts": self.facts, "details": self.details,
            "point_of_no_return": self.point_of_no_return, "expires": self.expires_at,
        }


def plan_id(kind: str, target: tuple[str, ...], facts: Mapping[str, Any]) -> str:
    """The id of a plan: the first 12 hex digits of SHA-256 over kind, target and facts."""
    text = json.dumps([kind, list(target), facts], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
