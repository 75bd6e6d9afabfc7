"""A double of the operator's desk for tests of the screens: it plans nothing, starts nothing and reads nothing back.

It keeps what it was asked, answers with what a test gave it, and never answers on the caller's thread. A real operation
needs a real pool, and does not stand at the step that a screen is tested with.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

from tests.tui.samples import AT
from tuiha.model.operations.catalogue import misuse
from tuiha.model.operations.evidence import StepId
from tuiha.model.operations.intent import IntentWay
from tuiha.model.operations.plans import CheckVerdict, Moment, OperationStatus, StepStatus, nothing
from tuiha.model.operations.statements import plain
from tuiha.model.operations.ways import against
from tuiha.operate.api import Operator
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.plans.plan import Check, Plan, PlannedStep, plan_id
from tuiha.operate.records.store import NotThere
from tuiha.operate.run.apply import refuse_if_stopped, refuse_unless_confirmed
from tuiha.tui.operations.lines.choices import Judged
from tuiha.tui.operations.operator import OperatorTrouble, StartedOperation, StepFacts
from tuiha.watch.lookup import NoPage, UserPage
from tuiha.watch.reader import DeviceRow

T = TypeVar("T")
STEPS = (
    PlannedStep(1, "s1 s2 s3 s4", plain("hold requests"), 5, True),
    PlannedStep(2, "db1", plain("fence, stop"), 10, True),
    PlannedStep(3, "db2", plain("caught up to db1's last write"), 10, True),
    PlannedStep(4, "db2", plain("promote"), 5, False, True),
    PlannedStep(5, "s1 s2 s3 s4", plain("attach, verify, release"), 10, False),
    PlannedStep(6, "db1", plain("rejoin as secondary"), 60, False),
)
CHECKS = (
    Check("lag", "db2", plain("synchronous, 0 B behind"), plain("0 B"), CheckVerdict.OK),
    Check("servers", "s1 s2 s3 s4", plain("hold a lease on db1, and reached db2 just now"), plain("all"),
          CheckVerdict.OK),
    Check("transactions", "db1", plain("none older than 2 s"), plain("2 s"), CheckVerdict.OK),
    Check("mail", "mail2", plain("DOWN: not touched by this plan"), plain(""), CheckVerdict.WARNING),
)
FACTS: Mapping[str, Any] = {"active": "db1", "epoch": 12, "timeline": 7, "servers": ["s1", "s2", "s3", "s4"]}
IDS = {0: StepId.HOLD, 4: StepId.ATTACH}  # of the steps that say how long requests waited
EVIDENCE = (
    "4/4 hold, 0 in flight, 31 queued", "shut down at 0/5A3C1F28", "db2 replayed 0/5A3C1F28", "writable, timeline 8",
    "s1 s2 s3 s4 on db2", "db1 follows db2, synchronous",
)


def switchover(facts: Mapping[str, Any] = FACTS, checks: Sequence[Check] = CHECKS, **other: Any) -> Plan:
    """A made-up plan."""
    made = Plan(
        id=plan_id("switchover", (), facts), pool="corp-east", kind="switchover", target=(), confirm="db2",
        checks=tuple(checks), steps=STEPS, loss=nothing(plain("nothing: db1 stops cleanly and db2 has every commit")),
        made_at=AT, expires_at=AT + 60, facts=facts, details={},
    )
    return replace(made, **other)


def bad(name: str, verdict: CheckVerdict = CheckVerdict.BAD) -> Check:
    """A check that stops."""
    return Check(name, "db2", plain("4.2 MB behind"), plain("at most 1 MB"), verdict,
                 plain(f"wait for db2, or type override {name}"))


def operation(at: int, state: OperationStatus = OperationStatus.RUNNING, **other: Any) -> StartedOperation:
    """A made-up operation in which `at` steps are done; while it runs the next one is under way."""
    steps = tuple(
        StepFacts(
            step.number, step.target, step.action,
            StepStatus.DONE if place < at
            else StepStatus.RUNNING if place == at and state is OperationStatus.RUNNING else StepStatus.WAITING,
            step.limit_seconds, step.undo, step.point_of_no_return,
            seconds=0.01 * (place + 1) if place < at else None,
            started_at=AT - 4 if place == at else None, evidence=EVIDENCE[place] if place < at else "",
            id=IDS.get(place, ""),
        )
        for place, step in enumerate(STEPS)
    )
    facts = StartedOperation(
        id="7f3a9c41d02e", kind="switchover", target=(), who="oncall@bastion", reason="db1 kernel patch", state=state,
        steps=steps, started_at=AT - 5,
    )
    return replace(facts, **other)


def ended(state: OperationStatus = OperationStatus.DONE) -> StartedOperation:
    """A made-up result."""
    return operation(
        6, state, seconds=3.2, moments={Moment.HELD: AT - 3.0, Moment.SERVED: AT - 2.916},
        outcome={"outage_ms": 84.0, "requests_delayed": 31, "requests_failed": 0},
        command='tuiha apply 7f3a9c41d02e --confirm db2 --reason "db1 kernel patch"',
        next="nothing: the pool is protected again",
    )


class Acting:
    """What the operator of the fake desk does."""

    def __init__(self, desk: FakeOperator) -> None:
        self._desk = desk

    async def plan(self, kind: str, target: Sequence[str] = (), options: Mapping[str, str] | None = None) -> Plan:
        self._desk.calls.append(("plan", kind, tuple(target)))
        planned, judged = self._desk.planned, self._desk.judged.get(kind, Judged())
        if isinstance(planned, OperatorTrouble):
            raise OperationRefused(planned.text)
        if against := misuse(kind, target, options or {}) or judged.against:  # only what they take is planned here, too
            raise OperationRefused(against)
        planned = replace(planned, kind=kind, target=tuple(target)) if planned.kind != kind else planned
        return replace(planned, checks=(*planned.checks, *map(bad, judged.bad)))

    async def apply(self, plan: Plan, confirm: str, reason: str = "", overrides: Sequence[str] = ()) -> str:
        self._desk.calls.append(("apply", plan.id, confirm, reason, tuple(overrides)))
        refuse_unless_confirmed(plan, confirm)
        refuse_if_stopped(plan, overrides, reason)
        if isinstance(self._desk.started, OperatorTrouble):
            raise OperationRefused(self._desk.started.text)
        return self._desk.started

    async def steer(self, way: IntentWay, name: str) -> str:
        self._desk.calls.append((str(way), name))
        found = next((one for one in (*self._desk.known, self._desk.now) if one.id == name), None)
        if found is None:
            raise NotThere(f"there is no operation {name}")
        if (reason := against(way, found.standing)) is not None:
            raise OperationRefused(plain(f"{way}: {reason}"))
        return name

    async def save(self, plan: Plan) -> None:
        self._desk.calls.append(("save", plan.id))


class FakeOperator:
    """Answers what it was given, and notes every call."""

    def __init__(self, refusal: str | None = None) -> None:
        self.refusal = refusal
        self.planned: Plan | OperatorTrouble = switchover()
        self.judged: dict[str, Judged] = {}  # by kind; the others can be done
        self.started: str | OperatorTrouble = "7f3a9c41d02e"
        self.known: tuple[StartedOperation, ...] = ()
        self.calls: list[tuple[Any, ...]] = []
        self.threads: list[threading.Thread] = []
        self._told: list[Callable[[StartedOperation | OperatorTrouble], None]] = []
        self.now: StartedOperation = operation(0)
        self.page: UserPage | NoPage = NoPage("this fake has no users")
        self.devices: tuple[DeviceRow, ...] | NoPage = NoPage("this fake has no devices")

    def asked(self, name: str) -> list[tuple[Any, ...]]:
        """The calls of that name."""
        return [call for call in self.calls if call[0] == name]

    def tell(self, facts: StartedOperation) -> None:
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

    def ask(
        self, work: Callable[[Operator], Awaitable[T]], answer: Callable[[T | OperatorTrouble], None]
    ) -> Callable[[], None]:
        told: T | OperatorTrouble
        try:
            next(work(cast("Operator", Acting(self))).__await__())  # it waits for nothing: it ends at once
        except StopIteration as end:
            told = end.value
        except (OperationRefused, NotThere) as error:
            told = OperatorTrouble(str(error))
        self._later(answer, told)
        return lambda: None

    def operations(
        self, answer: Callable[[tuple[StartedOperation, ...] | OperatorTrouble], None], *, elsewhere: bool = True
    ) -> None:
        self.calls.append(("operations",))
        self._later(answer, self.known)

    def find_users(self, pattern: str, after: str, limit: int, answer: Callable[[UserPage | NoPage], None]) -> None:
        self.calls.append(("find_users", pattern, after, limit))
        self._later(answer, self.page)

    def users_on(self, server: str, after: int, limit: int, answer: Callable[[UserPage | NoPage], None]) -> None:
        self.calls.append(("users_on", server, after, limit))
        self._later(answer, self.page)

    def devices_of(self, user: str, answer: Callable[[tuple[DeviceRow, ...] | NoPage], None]) -> None:
        self.calls.append(("devices_of", user))
        self._later(answer, self.devices)

    def follow(self, operation: str, told: Callable[[StartedOperation | OperatorTrouble], None]) -> Callable[[], None]:
        self.calls.append(("follow", operation))
        self._told.append(told)
        self._later(told, self.now)
        return lambda: self._told.remove(told)
