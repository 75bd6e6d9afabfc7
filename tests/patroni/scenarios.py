"""Drills of a pool under Patroni. Data, one entry each; nothing may be lost, late, doubled or split in any of them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from tests.drivers.patronipool import USERS
from tests.patroni.parts import parts_of
from tuiha.lab.drill.acts.base import Act, Kill, Pause, Resume, Start, Wait
from tuiha.lab.drill.acts.operate import KillRunner, Operate
from tuiha.lab.drill.scenario import STEADY, Scenario
from tuiha.lab.drill.stage import NotReached, Stage, until
from tuiha.model.operations.evidence import StepId


@dataclass(frozen=True, slots=True)
class Deed:
    """An act that is a function of this module; it raises NotReached."""

    text: str
    do: Callable[[Stage], Coroutine[Any, Any, None]]


def _maintenance(on: bool) -> Deed:
    """Patroni's maintenance mode on or off: paused, it changes no roles by itself."""
    return Deed(f"Patroni {'is paused' if on else 'goes on'}",
                lambda stage: parts_of(stage).pool.pair.tune({"pause": on}))


async def _moved(stage: Stage) -> None:
    """Wait until every running server is on another database, without anybody's doing."""
    before = parts_of(stage).leader.name
    servers = set(await stage.servers())

    def moved() -> bool:
        return servers <= {name for name, status in stage.latest().items()
                           if status.leased and status.database != before}

    await until(moved, 90.0, f"not every server holds a lease on another database than {before}")


async def _whole(stage: Stage) -> None:
    """Wait until Patroni has a leader and counts on the other node."""
    try:
        await parts_of(stage).pool.pair.whole(120.0)
    except RuntimeError as error:
        raise NotReached(str(error)) from None


async def _to_the_last(stage: Stage) -> None:
    """Have commits wait for both others, and switch over to the last of the databases that are not active."""
    pair = parts_of(stage).pool.pair
    await pair.tune({"synchronous_node_count": 2})
    chosen = sorted(set(pair.nodes) - {await stage.active()})[-1]
    await Operate("switchover", (chosen,), patience=60).do(stage)
    if await stage.active() != chosen:
        raise NotReached(f"{chosen} does not lead")


MOVED = Deed("every running server on another database", _moved)
WHOLE = Deed("Patroni counts on both", _whole)
SWITCHED = Deed("switchover to a node of the operator's choice", _to_the_last)


def _scenario(name: str, story: str, moment: str, *acts: Act) -> Scenario:
    """A leader is whoever Patroni makes one, at the beginning and at the end."""
    return Scenario(name, story, moment, (*acts, WHOLE, Wait(2)), ends_on=None, servers=2, users=len(USERS))


SCENARIOS = (
    _scenario("leader-killed", "the leader's host is lost; Patroni promotes the other one after its ttl", STEADY,
              Kill(("leader",)), MOVED, Start("leader")),
    _scenario("leader-paused", "the leader's host sleeps until another one leads, and wakes as a leader", STEADY,
              Pause("leader"), MOVED, Resume("leader")),
    _scenario("leader-paused-briefly", "the leader's host sleeps for longer than a lease, and leads on", STEADY,
              Pause("leader"), Wait(8), Resume("leader")),
    _scenario("postgres-killed", "the leader's PostgreSQL dies; Patroni starts it again, or another one leads", STEADY,
              Kill(("postgres",)), Wait(5)),
    _scenario("patroni-killed", "the leader's Patroni dies, and its PostgreSQL stays a primary beside the new leader",
              STEADY, Kill(("patroni",)), MOVED, Wait(5), Start("patroni")),
    _scenario("switchover", "the pool moves to the other one as planned", STEADY, Operate("switchover")),
    _scenario("switchover-runner-killed", "the runner dies while Patroni changes the roles, and is resumed",
              "in 'ask-switchover'",
              Operate("switchover", at=StepId.ASK_SWITCHOVER, begun=True, then=(KillRunner(),))),
    _scenario("maintenance-leader-killed", "the leader's host is lost while Patroni is paused: nothing happens by "
              "itself; an operator fails over", "in maintenance mode",
              _maintenance(True), Wait(3), Kill(("leader",)), Operate("failover", patience=60), Start("leader"),
              Operate("rejoin", patience=60), _maintenance(False)),
    _scenario("store-paused", "nobody reaches Patroni's store for longer than its ttl: the leader steps down; one "
              "leads again when it is back", STEADY, Pause("etcd"), Wait(30), Resume("etcd")),
    _scenario("store-killed", "Patroni's store dies and comes back", STEADY, Kill(("etcd",)), Wait(8), Start("etcd")),
    _scenario("three-nodes-switchover", "of three nodes the one that the operator names becomes active", STEADY,
              SWITCHED, Wait(2), SWITCHED),
    _scenario("three-nodes-leader-killed", "of three nodes the leader's host is lost; one of the others leads", STEADY,
              Kill(("leader",)), MOVED, Start("leader")),
    _scenario("rebalance", "a server is drained and enabled, and users are evened out", STEADY,
              Operate("drain", ("s2",)), Operate("enable", ("s2",)), Operate("rebalance")),
    _scenario("server-killed", "a server dies; the other one takes its users over", STEADY,
              Kill(("s2",)), Wait(14), Start("s2")),
)
