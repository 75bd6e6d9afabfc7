"""An operator for tests of the screens. It is a fake: it plans nothing, starts nothing and reads nothing back.

It keeps what it was asked, answers with what a test gave it, and never answers on the caller's thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.tui.samples import AT
from tuiha.model import operations
from tuiha.operate.plans.plan import Check, CheckVerdict, Plan, PlannedStep, plan_id
from tuiha.tui.operations.lines.choices import Judged
from tuiha.tui.operations.operator import OperationFacts, StepFacts, Trouble
from tuiha.watch.lookup import NoAnswer, Page
from tuiha.watch.reader import DeviceRow

STEPS = (
    PlannedStep(1, "s1 s2 s3 s4", "hold requests", 5, True),
    PlannedStep(2, "db1", "fence, stop", 10, True),
    PlannedStep(3, "db2", "caught up to db1's last write", 10, True),
    PlannedStep(4, "db2", "promote", 5, False, True),
    PlannedStep(5, "s1 s2 s3 s4", "attach, verify, release", 10, False),
    PlannedStep(6, "db1", "rejoin as secondary", 60, False),
)
CHECKS = (
    Check("lag", "db2", "synchronous, 0 B behind", "0 B", CheckVerdict.OK),
    Check("servers", "s1 s2 s3 s4", "hold a lease on db1, and reached db2 just now", "all", CheckVerdict.OK),
    Check("transactions", "db1", "none older than 2 s", "2 s", CheckVerdict.OK),
    Check("mail", "mail2", "DOWN: not touched by this plan", "", CheckVerdict.WARNING),
)
FACTS: Mapping[str, Any] = {"active": "db1", "epoch": 12, "timeline": 7, "servers": ["s1", "s2", "s3", "s4"]}
EVIDENCE = (
    "4/4 hold, 0 in flight, 31 queued", "shut down at 0/5A3C1F28", "db2 replayed 0/5A3C1F28", "writable, timeline 8",
    "s1 s2 s3 s4 on db2", "db1 follows db2, synchronous",
)


def switchover(facts: Mapping[str, Any] = FACTS, checks: Sequence[Check] = CHECKS, **other: Any) -> Plan:
    """A made-up plan."""
    made = Plan(
        id=plan_id("switchover", (), facts), pool="corp-east", kind="switchover", target=(), confirm="db2",
        checks=tuple(checks), steps=STEPS, loses="nothing: db1 stops cleanly and db2 has every commit", made_at=AT,
        expires_at=AT + 60, facts=facts, details={},
    )
    return replace(made, **other)


def bad(name: str, verdict: CheckVerdict = CheckVerdict.BAD) -> Check:
    """A check that stops."""
    return Check(name, "db2", "4.2 MB behind", "at most 1 MB", verdict, f"wait for db2, or type override {name}")


def operation(at: int, state: str = "running", **other: Any) -> OperationFacts:
    """A made-up operation in which `at` steps are done; while it runs the next one is under way."""
    steps = tuple(
        StepFacts(
            step.number, step.target, step.action,
            "done" if place < at else "running" if place == at and state == "running" else "waiting",
            step.limit_seconds, step.undo, step.point_of_no_return,
            seconds=0.01 * (place + 1) if place < at else None,
            started_at=AT - 4 if place == at else None, evidence=EVIDENCE[place] if place < at else "",
        )
        for place, step in enumerate(STEPS)
    )
    facts = OperationFacts(
        id="7f3a9c41d02e", kind="switchover", target=(), who="oncall@bastion", reason="db1 kernel patch", state=state,
        steps=steps, started_at=AT - 5,
    )
    return replace(facts, **other)


def ended(state: str = "done") -> OperationFacts:
    """A made-up result."""
    return operation(
        6, state, seconds=3.2, outcome={"outage_ms": 84.0, "requests_delayed": 31, "requests_failed": 0},
        command='tuiha apply 7f3a9c41d02e --confirm db2 --reason "db1 kernel patch"',
        next="nothing: the pool is protected again",
    )


def misused(kind: str, target: Sequence[str], options: Mapping[str, str]) -> Trouble | None:
    """What the operations themselves say of a question that is wrong: only what they take is planned here, too."""
    wrong = operations.misuse(kind, target, options)
    return Trouble(wrong) if wrong else None


class FakeOperator:
    """Answers what it was given, and notes every call."""

    def __init__(self, refusal: str | None = None) -> None:
        self.refusal = refusal
        self.planned: Plan | Trouble = switchover()
        self.judged: dict[str, Judged] = {}  # by kind; the others can be done
        self.started: str | Trouble = "7f3a9c41d02e"
        self.known: tuple[OperationFacts, ...] = ()
        self.calls: list[tuple[Any, ...]] = []
        self.threads: list[threading.Thread] = []
        self._told: list[Callable[[OperationFacts | Trouble], None]] = []
        self.now: OperationFacts = operation(0)
        self.page: Page | NoAnswer = NoAnswer("this fake has no users")
        self.devices: tuple[DeviceRow, ...] | NoAnswer = NoAnswer("this fake has no devices")

    def asked(self, name: str) -> list[tuple[Any, ...]]:
        """The calls of that name."""
        return [call for call in self.calls if call[0] == name]

    def tell(self, facts: OperationFacts) -> None:
        """Tell those who follow."""
        self.now = facts
        for told in list(self._told):
            self._later(told, facts)

    @property
    def followers(self) -> int:
        """How many follow."""
        return len(self._told)

    def _later(self, answer: Callable[[Any], None], value: Any) -> None:
        thread = threading.Thread(target=answer, args=(value,))
        self.threads.append(thread)
        thread.start()

    def plan(
        self, kind: str, target: Sequence[str], options: Mapping[str, str], answer: Callable[[Plan | Trouble], None]
    ) -> None:
        self.calls.append(("plan", kind, tuple(target)))
        planned = self.planned
        if isinstance(planned, Plan):
            planned = replace(planned, kind=kind, target=tuple(target)) if planned.kind != kind else planned
            planned = misused(kind, target, options) or planned
        self._later(answer, planned)

    def judge(self, kind: str, target: Sequence[str], answer: Callable[[Judged], None]) -> None:
        self.calls.append(("judge", kind, tuple(target)))
        trouble = misused(kind, target, {})
        self._later(answer, self.judged.get(kind, Judged()) if trouble is None else Judged(trouble.text))

    def apply(
        self, plan: Plan, confirm: str, reason: str, overrides: Sequence[str], answer: Callable[[str | Trouble], None]
    ) -> None:
        self.calls.append(("apply", plan.id, confirm, reason, tuple(overrides)))
        self._later(answer, self.started)

    def operations(
        self, answer: Callable[[tuple[OperationFacts, ...] | Trouble], None], *, elsewhere: bool = True
    ) -> None:
        self.calls.append(("operations",))
        self._later(answer, self.known)

    def find_users(self, pattern: str, after: str, limit: int, answer: Callable[[Page | NoAnswer], None]) -> None:
        self.calls.append(("find_users", pattern, after, limit))
        self._later(answer, self.page)

    def users_on(self, server: str, after: int, limit: int, answer: Callable[[Page | NoAnswer], None]) -> None:
        self.calls.append(("users_on", server, after, limit))
        self._later(answer, self.page)

    def devices_of(self, user: str, answer: Callable[[tuple[DeviceRow, ...] | NoAnswer], None]) -> None:
        self.calls.append(("devices_of", user))
        self._later(answer, self.devices)

    def follow(self, operation: str, told: Callable[[OperationFacts | Trouble], None]) -> Callable[[], None]:
        self.calls.append(("follow", operation))
        self._told.append(told)
        self._later(told, self.now)
        return lambda: self._told.remove(told)

    def cancel(self, operation: str, answer: Callable[[Trouble | None], None]) -> None:
        self.calls.append(("cancel", operation))
        self._later(answer, None)

    def undo(self, operation: str, answer: Callable[[Trouble | None], None]) -> None:
        self.calls.append(("undo", operation))
        self._later(answer, None)

    def resume(self, operation: str, answer: Callable[[Trouble | None], None]) -> None:
        self.calls.append(("resume", operation))
        self._later(answer, None)

    def save(self, plan: Plan, answer: Callable[[Trouble | None], None]) -> None:
        self.calls.append(("save", plan.id))
        self._later(answer, None)
