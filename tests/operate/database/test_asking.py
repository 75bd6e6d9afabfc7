"""Asking Patroni: its refusal, its silence and its delay, spoken by a double of its interface."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.operate.support import Told
from tuiha.drivers.databases.patroni import Patroni
from tuiha.drivers.protocols import DriverError
from tuiha.model.reports import LEADERLESS, LedgerRecord, Managed, Standby
from tuiha.operate.database.steps.base import Job
from tuiha.operate.patroni import steps
from tuiha.operate.patroni.steps import Agreed, AskFailover, AskSwitchover, Follow
from tuiha.operate.plans.kinds import StepFailed, StepUnknown
from tuiha.operate.reach.world import World
from tuiha.words.operations import text

BEFORE = LedgerRecord("demo", 4, "db1", Standby.SYNC, "7", 4)
AFTER = replace(BEFORE, epoch=5, timeline=5, active="db2", standby=Standby.STALE)
NOBODY = replace(BEFORE, phase=LEADERLESS)
JOB = Job("db1", "db2", 4, 4, "7", "SYNC", "SWITCHING", {"s1": "http://127.0.0.1:1"})


@dataclass
class Pair(Patroni):
    """A node's driver whose Patroni answers as a test says, and a ledger that changes with it."""

    answer: tuple[int, str] | DriverError = (200, "done")
    record: LedgerRecord | None = BEFORE
    then: LedgerRecord | None = AFTER  # once it was asked
    asked: list[tuple[str, Any]] = field(default_factory=list)
    posted: list[str] = field(default_factory=list)  # to servers
    said: Managed = field(default_factory=lambda: Managed("sync_standby", "streaming", "db1"))

    def __post_init__(self) -> None:
        self.rest = cast(Any, self)

    async def managed(self) -> Managed:
        return self.said

    async def tell(self, path: str, body: Any, seconds: float) -> tuple[int, str]:
        self.asked.append((path, body))
        self.record = self.then
        if isinstance(self.answer, DriverError):
            raise self.answer
        return self.answer

    async def poll(self) -> Any:
        if self.record is None:
            raise DriverError("Patroni cannot be asked")
        return self.record

    async def post(self, address: str, path: str, body: Any, seconds: float = 1.0) -> Any:
        self.posted.append(path)
        return {}

    @property
    def world(self) -> World:
        drivers = SimpleNamespace(ledger=self, databases={"db1": self, "db2": self})
        return cast(World, SimpleNamespace(drivers=drivers, control=self))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "_LOOK", 0.01)
    monkeypatch.setattr(steps.AskPatroni, "limit", 5.3)


async def test_it_is_done_when_the_new_one_leads() -> None:
    pair = Pair()
    said = text(await AskSwitchover(JOB, 3).run(pair.world, Told()))
    assert said.startswith("db2 leads on timeline 5 according to Patroni, at ")
    assert pair.asked == [("/switchover", {"leader": "db1", "candidate": "db2"})]
    again = text(await AskSwitchover(JOB, 3).run(pair.world, Told()))
    assert again == "db2 already leads on timeline 5"
    assert len(pair.asked) == 1, "a resumed step does not ask twice"


async def test_a_lost_answer_is_no_failure() -> None:
    pair = Pair(answer=DriverError("connection lost"))
    assert "db2 leads" in text(await AskFailover(JOB, 2).run(pair.world, Told()))
    assert pair.asked == [("/failover", {"candidate": "db2"})]


async def test_a_refusal_lets_servers_go_on_at_once() -> None:
    pair = Pair(answer=(412, "no good candidates have been found"), then=BEFORE)
    with pytest.raises(StepFailed, match=r"refuses: no good .* db1 leads as before, and the servers continue$"):
        await AskSwitchover(JOB, 3).run(pair.world, Told())
    assert pair.posted == ["release"]


@pytest.mark.parametrize(("answer", "then"), [
    ((200, "done"), BEFORE),  # it says so, and it is not so
    (DriverError("connection lost"), None),
    ((503, "Switchover status unknown"), replace(AFTER, active="db3")),
])
async def test_what_cannot_be_read_back_is_unknown(answer: Any, then: LedgerRecord | None) -> None:
    pair = Pair(answer=answer, then=then)
    with pytest.raises(StepUnknown):
        await AskSwitchover(JOB, 3).run(pair.world, Told())
    with pytest.raises(StepUnknown, match="does not report db2 as its leader"):
        await Follow(JOB, 4).run(pair.world, Told())
    assert pair.posted == []


@pytest.mark.parametrize(("record", "said", "words"), [
    (AFTER, None, "db2 leads on timeline 5"),
    (replace(BEFORE, standby=Standby.STALE), None, "the other one is STALE"),
    (NOBODY, None, "Patroni has lost its leader"),
    (BEFORE, Managed(error="no answer"), "Patroni on db2: no answer"),
    (BEFORE, Managed("sync_standby", "streaming", "db1", scheduled="to db2"), "a switchover is scheduled to db2"),
])
async def test_what_has_changed_since_the_plan(record: LedgerRecord, said: Managed | None, words: str) -> None:
    pair = Pair(record=record)
    pair.said = said or pair.said
    with pytest.raises(StepFailed, match=words):
        await Agreed(JOB, 1).run(pair.world, Told())


async def test_nobody_leads_as_planned() -> None:
    pair = Pair(record=NOBODY)
    assert "Patroni has no leader" in text(await Agreed(replace(JOB, phase=LEADERLESS), 1).run(pair.world, Told()))
