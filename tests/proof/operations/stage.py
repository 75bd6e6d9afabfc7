"""One run: a pretended pool, the real coordinator on it, trouble, deaths, and what the operators do about them."""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import asyncpg

from tests.proof.operations.desk import Desk
from tests.proof.operations.ground import Ground
from tests.proof.operations.jury import Jury, Verdict
from tests.proof.operations.lives import Crash, Disk, HostTime, ManyLives
from tests.proof.operations.reaching import Hand, Member, opener
from tests.proof.parties import Server
from tests.proof.virtual import Clock
from tuiha.config.settings import Pool
from tuiha.model.operations.plans import CheckId
from tuiha.model.reports import Standby
from tuiha.operate.database import failover, kinds, remains, stream
from tuiha.operate.database.checks import check
from tuiha.operate.database.steps import base as steps
from tuiha.operate.database.steps import epochs, replication, servers
from tuiha.operate.plans import draft
from tuiha.operate.records import journal, store
from tuiha.operate.records.state import OperationState
from tuiha.operate.records.store import Folder
from tuiha.operate.run import apply, attempt, intent, launch, reclaim, runner, started
from tuiha.operate.run import started as stopping
from tuiha.pooldb import leases

_PATIENCE = 240.0  # virtual seconds in which the pool must be whole again once all trouble is over
_LEASE = 5.0  # seconds, as in the settings of a pool
_TRIES = 4  # an operator plans so often; chance is against some plans
_TIMED = (
    apply,
    epochs,
    intent,
    journal,
    reclaim,
    runner,
    store,
    attempt,
    stopping,
    kinds,
    replication,
    remains,
    servers,
    steps,
    stream,
)


@dataclass(frozen=True)
class Scenario:
    """What is operated, on what, and what else happens."""

    name: str
    kind: str
    prepare: Callable[[Stage], Awaitable[None]]
    meanwhile: Callable[[Stage], Awaitable[None]]
    overrides: tuple[str, ...] = ()
    protected: bool = True
    blind: bool = False  # without the checks that refuse a disputed failover: what is below them must hold alone


class Stage:
    """A pool that is played on."""

    def __init__(self, ground: Ground, base: Path, crash: Crash, harm: Harm | None = None) -> None:
        self.ground, self.chance = ground, ground.chance
        self.jury = Jury(ground)
        self.desk = Desk(ground, self.jury, _settings(), base, crash)
        self.servers = [Server(name, ground, self.jury, _LEASE, readers=1) for name in ("s1", "s2")]
        self.members = [Member(server, f"http://127.0.0.1:{9000 + number}")
                        for number, server in enumerate(self.servers, 1)]
        self.jury.members = self.members
        self._harm = harm
        ground.on_ledger = lambda: self._mark(crash)

    def _mark(self, crash: Crash) -> None:
        if self.ground.memory.record.intent is not None:
            self.jury.verdict.marks.setdefault(self.desk.step, crash.awaits)

    async def play(self, scenario: Scenario) -> None:
        """From a healthy pool to a healthy pool."""
        ground = self.ground
        for work in (ground.replicate(), *(ground.keep_alive(node) for node in ground.pair.values()),
                     *(server.run() for server in self.servers)):
            ground.spawn(work)
        await ground.until(lambda: all(server.gate._attachment is not None for server in self.servers))
        await scenario.prepare(self)
        meanwhile = ground.spawn(_until_done(scenario.meanwhile(self)))
        await self._operate(scenario)
        await meanwhile
        self._calm()
        if self.chance.random() < 0.5:
            await self._exam()
        await self._restore()
        await asyncio.sleep(1.0)

    async def _operate(self, scenario: Scenario) -> None:
        operation = ""
        for _ in range(_TRIES):
            operation = await self.desk.apply(scenario.kind, scenario.overrides)
            if operation or self.desk.crash.kills:
                break
            await self.ground.pause(0.2, 1.0)
        self.jury.happened["operations"] += bool(operation)
        for _ in range(4):
            if operation:
                state = await self.desk.see(operation)
                self.jury.happened[f"{scenario.kind} {'dead' if state.interrupted else state.state}"] += 1
                self._harmed(state)
            await self.ground.pause(0.0, self.chance.choice((0.1, 2.0)))
            state_ = self.desk.open()
            if state_ is None:
                return
            operation = state_.id
            how = self.chance.choice(("resume", "resume", "undo", "anew"))
            self.jury.happened[how] += 1
            if how == "anew":
                operation = await self.desk.apply(scenario.kind, scenario.overrides, who="bob")
            elif not await self.desk.go_on(state_, how):
                await self.desk.go_on(state_, "resume")

    def _harmed(self, state: OperationState) -> None:
        """What happens to the journal of an operation whose runner is dead: once in a run."""
        if self._harm is None or not state.interrupted:
            return
        text = self._harm(self.desk.folder(state.id))
        if text:
            self._harm = None
            self.jury.happened["harmed"] += 1
            self.desk.tell(f"the journal of {state.id}: {text}")

    def _calm(self) -> None:
        """No trouble any more: what is broken can be mended."""
        ground = self.ground
        ground.calm = ground.link = True
        ground.cut.clear()
        ground.deaf.clear()
        ground.trouble_with_agents.clear()
        ground.change()
        self.desk.tell("calm")

    async def _exam(self) -> None:
        """If the ledger says that nothing is lost with the active database, then nothing is."""
        record = self.ground.memory.record
        active = self.ground.pair[record.active]
        if record.standby is not Standby.SYNC or not active.up or self.desk.open(begun=True) is not None:
            return
        await self.ground.pause(0.0, 0.3)
        self.desk.tell(f"exam: {active.name} dies")
        self.jury.happened["exams"] += 1
        active.starts_itself = False
        self.ground.crash(active)
        await asyncio.sleep(0.5)
        await self._apply("failover")
        active.starts_itself = True
        self.ground.change()

    async def _restore(self) -> None:
        """What a person does who reads the screen, until it is green."""
        until = self.ground.now + _PATIENCE
        while missing := self.jury.whole:
            if self.ground.now > until:
                self.jury.breaks("not whole", "; ".join(missing))
                return
            await self._mend()
            await asyncio.sleep(0.5)

    async def _mend(self) -> None:
        desk, record = self.desk, self.ground.memory.record
        active = self.ground.pair[record.active]
        partner = next(node for node in self.ground.pair.values() if node is not active)
        if (state := desk.open(begun=True)) is not None:
            if not await desk.go_on(state, "resume"):
                await desk.go_on(state, "undo")
            if not (await desk.see(state.id)).settled and not active.up:
                self.jury.happened["left half-way"] += await desk.go_on(state, "stop")
            if (left := desk.open(begun=True)) is not None and left.id == state.id:
                await self._reclaim()
            return
        if desk.named:
            await self._reclaim()
            return
        if not active.up and record.standby is Standby.SYNC and self.chance.random() < 0.7:
            await self._apply("failover")
            return
        if not active.up and not active.starts_itself:
            self.jury.happened["started by hand"] += 1
            desk.tell(f"{active.name} is started by hand")
            await Hand(self.ground, active).start()
        if not active.writable:
            return
        if record.standby is Standby.STALE:
            kind = "protect" if partner.name in active.senders else "rejoin"
        elif partner.name in active.senders:
            return  # it settles by itself
        else:
            await asyncio.sleep(3.0)
            kind = "degrade"
            if partner.name in active.senders:
                return
        await self._apply(kind)

    async def _reclaim(self) -> None:
        """Neither resume nor undo leads out: the pool is taken from that operation."""
        self.jury.happened["reclaimed"] += 1
        operation = await self.desk.apply("reclaim", ("host",), who="zoe", dies=False)
        if operation:
            await self.desk.see(operation)

    async def _apply(self, kind: str) -> None:
        operation = await self.desk.apply(kind, dies=False)
        if operation:
            await self.desk.see(operation)


Harm = Callable[[Folder], str]  # what it did to the operation of a dead runner; empty: nothing
Control = Callable[[Stage], AbstractContextManager[Any]]  # takes a guard out of the code, for one run


async def _until_done(work: Awaitable[None]) -> None:
    await work


def _settings() -> Pool:
    secret = {"env": "NOT_USED"}
    role = {"password": secret}
    return Pool.model_validate({
        "pool": "demo", "control": {"viewer": secret, "operator": secret}, "ledger": {"path": "ledger.json"},
        "servers": [{"name": f"s{number}", "address": f"http://127.0.0.1:{9000 + number}"} for number in (1, 2)],
        "database": {
            "nodes": [{"name": name, "address": f"{name}:5432"} for name in ("db1", "db2")],
            "roles": {"pool": {"user": "tuiha_pool", **role}, "watcher": {"user": "tuiha_watcher", **role},
                      "coordinator": {"user": "tuiha_coordinator", **role}},
        },
        "lease": {"seconds": _LEASE},
    })


@contextmanager
def _stood_in(stage: Stage) -> Iterator[None]:
    """The real modules, with time, disk, network and processes of the simulation."""
    ground, loop = stage.ground, asyncio.get_running_loop()
    world = opener(ground, stage.members)
    host_time = HostTime(loop)

    def send_fds(_: Any, messages: list[bytes], descriptors: list[int]) -> None:
        order = json.loads(messages[0])
        stage.desk.started(order["operation"], descriptors[0], order["undo"])

    nothing = mock.MagicMock()
    processes = SimpleNamespace(Popen=nothing, DEVNULL=None)
    sockets = SimpleNamespace(socketpair=lambda: (nothing, nothing), send_fds=send_fds, gethostname=socket.gethostname)
    threads = SimpleNamespace(Thread=lambda **_: SimpleNamespace(start=lambda: None))
    with ExitStack() as patches:
        for module in _TIMED:
            patches.enter_context(mock.patch.object(module, "time", host_time))
        for module in (apply, draft, runner, started, stopping):
            patches.enter_context(mock.patch.object(module, "open_world", world))
        for target, name, instead in (
            (asyncpg, "connect", ground.connect), (leases, "time", Clock), (journal, "ThreadPoolExecutor", Disk),
            (os, "fsync", lambda _: None), (launch, "subprocess", processes), (launch, "threading", threads),
            (launch, "socket", sockets), (reclaim, "_process_in", lambda _: None),
        ):
            patches.enter_context(mock.patch.object(target, name, instead))
        patches.enter_context(mock.patch.dict(os.environ))
        os.environ.pop("TUIHA_STATE", None)
        patches.enter_context(contextlib.redirect_stderr(io.StringIO()))
        yield


@contextmanager
def _blind() -> Iterator[None]:
    """Nobody looks whether the active database is really gone."""
    seen = check(True, CheckId.DISPUTED, "pool", "not asked", "", None)
    with mock.patch.multiple(failover, gone=lambda _: seen, not_received=lambda _: seen):
        yield


async def _run(
    scenario: Scenario, seed: int, crash: Crash, base: Path, control: Control, harm: Harm | None
) -> Verdict:
    stage = Stage(Ground(seed, protected=scenario.protected), base, crash, harm)
    with _stood_in(stage), control(stage), _blind() if scenario.blind else nullcontext():
        try:
            await stage.play(scenario)
        finally:
            await stage.ground.end()
            stage.desk.close()
    verdict = stage.jury.conclude()
    verdict.awaits, verdict.kills = crash.awaits, crash.kills
    return verdict


def simulate(
    scenario: Scenario, seed: int, *at: int, control: Control = nullcontext, harm: Harm | None = None
) -> Verdict:
    """One run, its coordinator killed at these awaits, its journal harmed after that. The same arguments give the same
    run.
    """
    Server.rows = itertools.count(1)
    shared = Path("/dev/shm")
    base = Path(tempfile.mkdtemp(prefix="tuiha-proof-", dir=shared if os.access(shared, os.W_OK) else None))
    try:
        with asyncio.Runner(loop_factory=ManyLives) as loop:
            return loop.run(_run(scenario, seed, Crash(*at), base, control, harm))
    finally:
        shutil.rmtree(base)
