"""The guard's process with a pool of doubles: what it starts, and what keeps it from starting. The ledger is real."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.model.looks import healthy
from tests.model.test_guard import primary_gone
from tests.until import until
from tuiha.config.load import load
from tuiha.config.pace import GuardSettings, StandingOrder
from tuiha.config.places import data_file
from tuiha.config.settings import Pool
from tuiha.drivers.ledgers.file import FileLedger
from tuiha.drivers.protocols import DriverError
from tuiha.model.facts import Look
from tuiha.model.guard.decide import sight_of
from tuiha.model.guard.report import GuardOrder, GuardPause
from tuiha.model.operations.refusals import Refused
from tuiha.operate.guard import guard as process
from tuiha.operate.guard.guard import GuardProcess, GuardTools
from tuiha.operate.guard.store import GuardStore, store_in
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.reach.control import ControlError

REFUSED = OperationRefused(Refused.STOPPED(checks=(), names=("receiving",)))


class PollerDouble:
    """Sees what it is told to see."""

    def __init__(self, look: Look) -> None:
        self.last = look

    async def round(self, group: asyncio.TaskGroup, settle: float) -> None:
        await asyncio.sleep(0.001)

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class PlanDouble:
    confirm: str = "db2"


@dataclass
class OperatorDouble:
    """Plans at once; starts what it is told to, or refuses it."""

    applied: list[tuple[str, str]] = field(default_factory=list)
    refusals: list[Exception] = field(default_factory=list)
    planned: int = 0
    before: Callable[[], Any] = lambda: None

    async def plan(self, kind: str, target: tuple[str, ...]) -> PlanDouble:
        self.planned += 1
        await asyncio.sleep(0)
        self.before()
        return PlanDouble()

    async def apply(self, plan: PlanDouble, confirm: str, reason: str) -> str:
        if self.refusals:
            raise self.refusals.pop(0)
        self.applied.append((confirm, reason))
        return "20260101-000000-cafe"


class ControlDouble:
    """Servers that cannot reach the primary."""

    async def post(self, address: str, path: str, body: dict[str, str], *, seconds: float) -> None:
        raise ControlError("no answer")

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class Scene:
    settings: Pool
    poller: PollerDouble
    operator: OperatorDouble
    ledger: FileLedger

    @property
    def store(self) -> GuardStore:
        return store_in(self.ledger)

    @asynccontextmanager
    async def guard(self, name: str = "g1") -> AsyncIterator[list[str]]:
        tools: Any = GuardTools(self.poller, self.store, self.operator, ControlDouble())  # type: ignore[arg-type]
        ended, lines = asyncio.Event(), list[str]()
        running = asyncio.create_task(GuardProcess(name, self.settings, tools, lines.append).run(ended))
        try:
            yield lines
        finally:
            ended.set()
            await running


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A primary that is gone for everybody, an order of half a second, and looks that take no time."""
    for name, value in {"CALM": 0.02, "TENSE": 0.02, "_RETRY": 0.05}.items():
        monkeypatch.setattr(process, name, value)
    file = tmp_path / "pool.yaml"
    file.write_text(data_file("config/pool.example.yaml").read_text().replace(
        "\nguard:\n", "\nguard:\n  failover: {after: 0.5s}\n"))
    settings = load(file)
    look = replace(primary_gone(), servers=tuple(replace(one, address=f"https://{one.name}.example.org:8443")
                                                 for one in primary_gone().servers))
    return Scene(settings, PollerDouble(look), OperatorDouble(), FileLedger(tmp_path / "ledger.json", "east"))


async def test_it_starts_the_operation_with_the_evidence_as_its_reason(scene: Scene) -> None:
    async with scene.guard():
        await until(lambda: scene.operator.applied, "it is started")
        [(confirm, reason)] = scene.operator.applied[:1]
    assert confirm == "db2"
    assert "cannot use db1" in reason
    assert "db2 receives nothing" in reason
    acts = (await scene.store.read()).notes.acts
    assert [(act.order, act.by) for act in acts][:1] == [(GuardOrder.FAILOVER, "g1")]
    assert (await scene.store.read()).report is None, "it is no active guard any more"


async def test_what_a_check_refuses_is_tried_again_and_leaves_no_act(scene: Scene) -> None:
    scene.operator.refusals = [REFUSED, DriverError("no ledger"), RuntimeError("a fault")]
    async with scene.guard() as lines:
        await until(lambda: scene.operator.applied, "it is started in the end")
        held = [line for line in lines if "refused: receiving" in line]
    assert held, lines
    assert scene.operator.planned >= 4
    assert len((await scene.store.read()).notes.acts) == len(scene.operator.applied)


async def test_a_pause_between_decision_and_start_counts(scene: Scene) -> None:
    """An operator pauses guards while one makes its plan."""
    pause = GuardPause(2e9, 1.0, "ann@bastion")

    async def paused() -> None:
        await scene.store.change(lambda notes: replace(notes, pause=pause))

    tasks = []
    scene.operator.before = lambda: tasks.append(asyncio.create_task(paused()))
    async with scene.guard() as lines:
        await until(lambda: any("paused by ann@bastion" in line for line in lines), "it says so")
    assert scene.operator.applied == []


async def test_a_guard_that_stands_by_starts_nothing(scene: Scene) -> None:
    other = FileLedger(scene.ledger.path, "east")
    assert await store_in(other).hold(_report())
    async with scene.guard() as lines:
        async def holds() -> bool:
            assert await store_in(other).hold(_report())
            return any("guard g9 is the active one" in line and "failover" in line for line in lines)

        await until(holds, "it stands by")
        for _ in range(60):
            assert await store_in(other).hold(_report())
            await asyncio.sleep(0.02)
    assert (scene.operator.planned, scene.operator.applied) == (0, [])


async def test_without_the_ledger_it_looks_and_starts_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone() -> None:
        raise DriverError("etcd does not answer")

    monkeypatch.setattr(scene.ledger, "guard_texts", gone)
    async with scene.guard() as lines:
        await until(lambda: sum("record cannot be used" in line for line in lines) > 40, "it goes on looking")
    assert (scene.operator.planned, scene.operator.applied) == (0, [])


async def test_evidence_that_breaks_while_it_waits_starts_nothing(scene: Scene) -> None:
    orders = GuardSettings(failover=StandingOrder(after=60.0))
    scene.settings = scene.settings.model_copy(update={"guard": orders})
    gone = scene.poller.last
    async with scene.guard() as lines:
        await until(lambda: any("unless db1 answers" in line for line in lines), "it waits")
        scene.poller.last = healthy()
        await until(lambda: lines[-1].startswith("active") and "failover" not in lines[-1].partition(";")[2],
                    "it thinks of nothing")
        scene.poller.last = gone
        await until(lambda: "unless db1 answers" in lines[-1], "it waits again")
        assert scene.operator.applied == []


@pytest.mark.parametrize("looks_again", [True, False])
async def test_what_a_plan_takes_long_for_is_judged_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, looks_again: bool
) -> None:
    """The primary is back while the plan is made. The control, which does not look again, acts needlessly."""
    planned = scene.operator.plan

    async def starts() -> bool:
        report = (await scene.store.read()).report
        return report is not None and report.starts is GuardOrder.FAILOVER

    async def slow(kind: str, target: tuple[str, ...]) -> PlanDouble:
        await until(starts, "it is due, and waits for its plan")
        scene.poller.last = healthy()
        await until(lambda: "unless db1" not in lines[-1], "the newest look says otherwise")
        return await planned(kind, target)

    monkeypatch.setattr(scene.operator, "plan", slow)
    if not looks_again:
        monkeypatch.setattr(GuardProcess, "_refuse_unless_due", lambda self, order: None)
    async with scene.guard() as lines:
        await until(lambda: scene.operator.planned, "the plan is made")
        await asyncio.sleep(0.1)
    assert bool(scene.operator.applied) is not looks_again


async def test_a_fault_in_a_look_ends_no_guard(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = [RuntimeError("a fault of tuiha")] * 3
    seen = sight_of

    def faulty(*arguments: Any, **more: Any) -> Any:
        if faults:
            raise faults.pop()
        return seen(*arguments, **more)

    monkeypatch.setattr(process, "sight_of", faulty)
    async with scene.guard():
        await until(lambda: scene.operator.applied, "it acts all the same")
    assert not faults


def _report() -> Any:
    from tuiha.model.guard.report import GuardReport

    return GuardReport("g9", "h9", 1.0, (GuardOrder.FAILOVER,))


