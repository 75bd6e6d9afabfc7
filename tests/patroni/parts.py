"""A pool under Patroni as a stage for drills: its parts by name, and who leads by Patroni's store."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.drivers.daemons import PASSWORD
from tests.drivers.patronipair import QUICK, PatroniNode, PatroniPair
from tests.drivers.patronipool import USERS, PatroniPool
from tuiha.drivers.factory import open_ledger
from tuiha.lab.drill.build import watched
from tuiha.lab.drill.scenario import Scenario
from tuiha.lab.drill.stage import Stage
from tuiha.lab.pool.control import LabControl, LabControlError, PoolPart, State
from tuiha.model.reports import LedgerRecord

Act = Callable[[], object]


@dataclass(frozen=True)
class Hurt:
    """What can be done to a part. What blocks is done in a thread."""

    kill: Act
    start: Act
    pause: Act | None = None
    resume: Act | None = None


class Parts(LabControl):
    """`leader` is the host of whoever leads when the load begins; `postgres` and `patroni` are what runs on it."""

    def __init__(self, pool: PatroniPool, leader: PatroniNode) -> None:
        super().__init__(pool.folder)
        self.pool, self.leader = pool, leader
        store, servers = pool.pair.store, pool.servers
        self._parts: Mapping[str, Hurt] = {
            "leader": Hurt(leader.kill, leader.start, lambda: leader.signal(signal.SIGSTOP),
                           lambda: leader.signal(signal.SIGCONT)),
            "postgres": Hurt(leader.kill_postgres, leader.start),
            "patroni": Hurt(leader.kill_patroni, leader.start),
            "etcd": Hurt(store.stop, store.start, lambda: store.signal(signal.SIGSTOP),
                         lambda: store.signal(signal.SIGCONT)),
            **{name: Hurt(lambda name=name: pool.running[name].stop(),  # type: ignore[misc]
                          lambda name=name: pool.start(name)) for name in servers},  # type: ignore[misc]
        }

    async def kill(self, name: str) -> None:
        """SIGKILL a part."""
        await self._do(name, self._parts[name].kill)

    async def pause(self, name: str) -> None:
        """SIGSTOP a part. Raises ControlError."""
        await self._do(name, self._parts[name].pause)

    async def resume(self, name: str) -> None:
        """Let a paused part go on. Raises ControlError."""
        await self._do(name, self._parts[name].resume)

    async def start(self, name: str, words: Sequence[str] = ()) -> None:
        """Start a part again."""
        await self._do(name, self._parts[name].start)

    async def state(self) -> State:
        """Pool servers, as far as drills ask."""
        parts = [PoolPart(name, "running" if child.process.poll() is None else "killed", child.process.pid,
                          self.pool.servers[name]) for name, child in self.pool.running.items()]
        return State(True, tuple(parts), 0, None)

    async def _do(self, name: str, act: Act | None) -> None:
        if act is None:
            raise LabControlError(f"that cannot be done to {name}")
        await asyncio.to_thread(act)


class PatroniStage(Stage):
    """A stage whose ledger is Patroni's store."""

    async def ledger(self) -> LedgerRecord:
        """Who leads, by Patroni."""
        ledger = open_ledger(self.settings, self.pool.folder)
        assert ledger is not None
        try:
            return await ledger.poll()
        finally:
            await ledger.close()


def parts_of(stage: Stage) -> Parts:
    """The parts of a stage under Patroni."""
    assert isinstance(stage.pool, Parts)
    return stage.pool


THREE = "three-nodes"  # scenarios whose name begins so have a third database node


@asynccontextmanager
async def staged(scenario: Scenario, say: Callable[[str], None]) -> AsyncIterator[Stage]:
    """A pair under Patroni with its etcd, sprayers, servers and mail, with load and observer; all gone at the end."""
    names = ("p1", "p2", "p3") if scenario.name.startswith(THREE) else ("p1", "p2")
    try:
        async with PatroniPair(QUICK, names) as pair:
            pool = PatroniPool(pair)
            try:
                await pool.open(scenario.servers, sprayed=True)
                parts = Parts(pool, pair.nodes[await pair.leader()])
                parts.users_path.write_text("".join(f"{user}\t{PASSWORD}\n" for user in USERS))
                say("the pool answers; devices register")
                async with watched(parts, scenario, PatroniStage) as stage:
                    yield stage
            finally:
                await asyncio.to_thread(pool.close)
    except (AssertionError, subprocess.SubprocessError, RuntimeError) as error:
        raise LabControlError(f"the pool under Patroni did not start: {error}") from error
