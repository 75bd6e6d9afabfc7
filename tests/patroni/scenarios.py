"""Drills of a pool under Patroni. Data, one entry each; nothing may be lost, late, doubled or split in any of them."""

from __future__ import annotations

from dataclasses import dataclass

from tests.drivers.patronipool import USERS
from tests.patroni.parts import parts_of
from tuiha.lab.drill.acts import Act, Kill, Pause, Resume, Start, Wait
from tuiha.lab.drill.operating import KillRunner, Operate
from tuiha.lab.drill.scenario import STEADY, Scenario
from tuiha.lab.drill.stage import NotReached, Stage, until


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Patroni's maintenance mode on or off: paused, it changes no roles by itself."""

    on: bool

    @property
    def text(self) -> str:
        """In words."""
        return f"Patroni {'is paused' if self.on else 'goes on'}"

    async def do(self, stage: Stage) -> None:
        """Switch it."""
        await parts_of(stage).pool.pair.tune({"pause": self.on})


@dataclass(frozen=True, slots=True)
class Moved:
    """Wait until every running server is on another database, without anybody's doing."""

    seconds: float = 90.0

    @property
    def text(self) -> str:
        """In words."""
        return "every running server on another database"

    async def do(self, stage: Stage) -> None:
        """Wait for it. Raises NotReached."""
        before = parts_of(stage).leader.name
        servers = set(await stage.servers())

        def moved() -> bool:
            return servers <= {name for name, status in stage.latest().items()
                               if status.leased and status.database != before}

        await until(moved, self.seconds, f"not every server holds a lease on another database than {before}")


@dataclass(frozen=True, slots=True)
class Whole:
    """Wait until Patroni has a leader and counts on the other node."""

    seconds: float = 120.0

    @property
    def text(self) -> str:
        """In words."""
        return "Patroni counts on both"

    async def do(self, stage: Stage) -> None:
        """Wait for it. Raises NotReached."""
        try:
            await parts_of(stage).pool.pair.whole(self.seconds)
        except RuntimeError as error:
            raise NotReached(str(error)) from None


@dataclass(frozen=True, slots=True)
class SwitchOver:
    """A switchover to the last of the databases that are not active, named by the operator."""

    @property
    def text(self) -> str:
        """In words."""
        return "switchover to a node of the operator's choice"

    async def do(self, stage: Stage) -> None:
        """Have commits wait for both others, and operate. Raises NotReached."""
        pair = parts_of(stage).pool.pair
        await pair.tune({"synchronous_node_count": 2})
        chosen = sorted(set(pair.nodes) - {await stage.active()})[-1]
        await Operate("switchover", (chosen,), patience=60).do(stage)
        if await stage.active() != chosen:
            raise NotReached(f"{chosen} does not lead")


def _scenario(name: str, story: str, moment: str, *acts: Act) -> Scenario:
    """A leader is whoever Patroni makes one, at the beginning and at the end."""
    return Scenario(name, story, moment, (*acts, Whole(), Wait(2)), ends_on=None, servers=2, users=len(USERS))


SCENARIOS = (
    _scenario("leader-killed", "the leader's host is lost; Patroni promotes the other one after its ttl", STEADY,
              Kill(("leader",)), Moved(), Start("leader")),
    _scenario("leader-paused", "the leader's host sleeps until another one leads, and wakes as a leader", STEADY,
              Pause("leader"), Moved(), Resume("leader")),
    _scenario("leader-paused-briefly", "the leader's host sleeps for longer than a lease, and leads on", STEADY,
              Pause("leader"), Wait(8), Resume("leader")),
    _scenario("postgres-killed", "the leader's PostgreSQL dies; Patroni starts it again, or another one leads", STEADY,
              Kill(("postgres",)), Wait(5)),
    _scenario("patroni-killed", "the leader's Patroni dies, and its PostgreSQL stays a primary beside the new leader",
              STEADY, Kill(("patroni",)), Moved(), Wait(5), Start("patroni")),
    _scenario("switchover", "the pool moves to the other one as planned", STEADY, Operate("switchover")),
    _scenario("switchover-runner-killed", "the runner dies while Patroni changes the roles, and is resumed",
              "during 'POST /switchover'",
              Operate("switchover", at="POST /switchover", begun=True, then=(KillRunner(),))),
    _scenario("maintenance-leader-killed", "the leader's host is lost while Patroni is paused: nothing happens by "
              "itself; an operator fails over", "in maintenance mode",
              Maintenance(True), Wait(3), Kill(("leader",)), Operate("failover", patience=60), Start("leader"),
              Operate("rejoin", patience=60), Maintenance(False)),
    _scenario("store-paused", "nobody reaches Patroni's store for longer than its ttl: the leader steps down; one "
              "leads again when it is back", STEADY, Pause("etcd"), Wait(30), Resume("etcd")),
    _scenario("store-killed", "Patroni's store dies and comes back", STEADY, Kill(("etcd",)), Wait(8), Start("etcd")),
    _scenario("three-nodes-switchover", "of three nodes the one that the operator names becomes active", STEADY,
              SwitchOver(), Wait(2), SwitchOver()),
    _scenario("three-nodes-leader-killed", "of three nodes the leader's host is lost; one of the others leads", STEADY,
              Kill(("leader",)), Moved(), Start("leader")),
    _scenario("rebalance", "a server is drained and enabled, and users are evened out", STEADY,
              Operate("drain", ("s2",)), Operate("enable", ("s2",)), Operate("rebalance")),
    _scenario("server-killed", "a server dies; the other one takes its users over", STEADY,
              Kill(("s2",)), Wait(14), Start("s2")),
)
