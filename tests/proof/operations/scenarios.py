"""The scenarios: what is operated, and what chance does meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from tests.proof.operations.stage import Scenario, Stage
from tuiha.model.reports import Standby


async def _steady(stage: Stage) -> None:
    await stage.ground.pause(0.2, 1.5)


async def _nothing(stage: Stage) -> None:
    """Only what messages do."""


async def _some_step(stage: Stage, most: float = 4.0) -> None:
    """Until the ledger says that some step runs, or so many seconds: in some runs no such step comes."""
    ground, number = stage.ground, stage.chance.randint(1, 12)
    asked = ground.spawn(ground.until(lambda: stage.desk.step >= number))
    await asyncio.wait({asked}, timeout=stage.chance.uniform(most / 4, most))
    await ground.pause(0.0, 0.05)


async def _anything(stage: Stage) -> None:
    """Databases die, the link breaks, a server or the coordinator does not reach a database: at some step."""
    ground, chance = stage.ground, stage.chance
    await _some_step(stage)
    what = chance.random()
    if what < 0.15:
        ground.crash(ground.pair["db1"])
    elif what < 0.3:
        ground.crash(ground.pair["db2"])
    elif what < 0.5:
        ground.link = False
        await ground.pause(0.5, 6.0)
        ground.link = True
    elif what < 0.65:
        await _unreached(stage, chance.choice(("s1", "s2", "coordinator")), chance.choice(("db1", "db2")))
    ground.change()


async def _falls_behind(stage: Stage) -> None:
    """The link breaks before the primary is stopped."""
    ground = stage.ground
    if stage.chance.random() < 0.5:
        await _anything(stage)
        return
    asked = ground.spawn(ground.until(lambda: stage.desk.step >= stage.chance.randint(1, 5)))
    await asyncio.wait({asked}, timeout=4.0)
    ground.link = False
    await ground.pause(0.1, 6.0)
    ground.link = True
    ground.change()


async def _unreached(stage: Stage, process: str, database: str) -> None:
    stage.ground.cut.add((process, database))
    await stage.ground.pause(0.5, 6.0)
    stage.ground.cut.discard((process, database))


async def _lost(stage: Stage) -> None:
    """The active database dies, and comes back by itself some time; or it runs on, cut off from everybody."""
    await _steady(stage)
    if stage.chance.random() < 0.5:
        stage.ground.crash(stage.ground.pair["db1"])
    else:
        _cut_from(stage, "coordinator", "s1", "s2")
    _agent(stage)
    await stage.ground.pause(0.0, 3.0)


async def _disputed(stage: Stage) -> None:
    """The active database runs, and servers reach it, but neither its secondary nor the coordinator does."""
    await _steady(stage)
    _cut_from(stage, "coordinator", *stage.chance.choice(((), (), (), ("s1",))))
    _agent(stage)
    if stage.chance.random() < 0.5:
        stage.ground.deaf.add("s2")
    await stage.ground.pause(0.0, stage.chance.choice((0.1, 0.1, 2.0)))


async def _deaf(stage: Stage) -> None:
    """One server still uses the active database, and the coordinator reaches neither: only the lease's end is left."""
    await _steady(stage)
    _cut_from(stage, "coordinator")
    stage.ground.trouble_with_agents.add("db1")
    stage.ground.deaf.add("s2")


def _cut_from(stage: Stage, *processes: str) -> None:
    stage.ground.link = False
    stage.ground.cut.update((name, "db1") for name in processes)
    stage.ground.change()


def _agent(stage: Stage) -> None:
    if stage.chance.random() < 0.7:
        stage.ground.trouble_with_agents.add("db1")


async def _comes_back(stage: Stage) -> None:
    ground = stage.ground
    await _some_step(stage, 20.0)
    await ground.pause(0.0, stage.chance.choice((0.3, 8.0)))
    ground.cut.clear()
    ground.deaf.clear()
    ground.link = True
    if stage.chance.random() < 0.5:
        ground.trouble_with_agents.clear()
    ground.change()


async def _dies_protected(stage: Stage) -> None:
    """The primary dies as soon as the ledger says that its secondary has everything, and somebody fails over."""
    ground, first = stage.ground, stage.ground.pair["db1"]
    asked = ground.spawn(ground.until(lambda: ground.memory.record.standby is Standby.SYNC))
    await asyncio.wait({asked}, timeout=10.0)
    await ground.pause(0.0, 0.1)
    first.starts_itself = stage.chance.random() < 0.3
    ground.crash(first)


async def _cut_off(stage: Stage) -> None:
    """The secondary is out of reach of the primary, or dead."""
    ground = stage.ground
    await _steady(stage)
    if stage.chance.random() < 0.5:
        ground.link = False
    else:
        ground.crash(ground.pair["db2"])
    ground.change()


async def _heals(stage: Stage) -> None:
    await stage.ground.pause(0.5, 8.0)
    stage.ground.link = True
    stage.ground.change()


async def _left_behind(stage: Stage) -> None:
    """The secondary was given up some time ago, and does not run."""
    await _steady(stage)
    second = stage.ground.pair["db2"]
    second.starts_itself = stage.chance.random() < 0.3
    stage.ground.crash(second)
    await stage.ground.pause(0.5, 1.5)


async def _degrades(stage: Stage) -> None:
    """Somebody else gives the secondary up while the first one fails over to it: the ledger lets one of them."""
    await stage.ground.pause(0.0, 1.0)
    operation = await stage.desk.apply("degrade", ("follows", "split"), who="zoe", dies=False)
    if operation:
        await stage.desk.see(operation)
    await asyncio.sleep(stage.chance.uniform(0.0, 4.0))


async def _link_cut(stage: Stage) -> None:
    _cut_from(stage)
    stage.ground.trouble_with_agents.add("db1")


SCENARIOS: Mapping[str, Scenario] = {scenario.name: scenario for scenario in (
    Scenario("switchover", "switchover", _steady, _nothing),
    Scenario("switchover in trouble", "switchover", _steady, _anything),
    Scenario("switchover, unprotected", "switchover", _steady, _falls_behind, ("protection", "synchronous", "lag"),
             False),
    Scenario("failover", "failover", _lost, _comes_back),
    Scenario("failover, disputed", "failover", _disputed, _comes_back, blind=True),
    Scenario("failover, a server deaf", "failover", _deaf, _comes_back, blind=True),
    Scenario("failover or degrade", "failover", _link_cut, _degrades, blind=True),
    Scenario("degrade", "degrade", _cut_off, _heals),
    Scenario("protect", "protect", _steady, _anything, (), False),
    Scenario("protect, then failover", "protect", _steady, _dies_protected, (), False),
    Scenario("rejoin", "rejoin", _left_behind, _anything, (), False),
)}
