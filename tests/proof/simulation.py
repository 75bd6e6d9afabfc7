"""The pool server's own code under a coordinator that is cut short, on virtual time, with chance from a seed.

Real, from `tuiha.server`: Gate, Attacher, LeaseKeeper, Attachment, Wires and the rules of identity. Pretended: time,
the network, the databases and the ledger (`tests.proof.world`), the fence's thread (a task here) and the coordinator,
which takes the steps of docs/architecture.md, is killed at one of its awaits, and goes on later.

`python -m tests.proof.simulation [--runs N] [--from SEED] [--without second-look|proof-of-life|lease-wait|...]`
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import logging
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

import asyncpg

from tests.proof.parties import Coordinator, Outcome, Server, Witness
from tests.proof.virtual import Clock, VirtualLoop
from tests.proof.world import World
from tuiha.drivers.protocols import Conflict
from tuiha.model.reports import Standby
from tuiha.pooldb import leases
from tuiha.server.database import gate
from tuiha.server.database.gate import Gate

CALM = 7.0  # virtual seconds after the last trouble in which every server must get to the active database
CONTROLS = ("second-look", "proof-of-life", "lease-wait", "uncancelled-commits")


async def _trouble(world: World) -> None:
    """What chance does to the pair."""
    chance = world.chance
    await asyncio.sleep(chance.uniform(1.0, 4.0))
    if chance.random() < 0.5:
        world.link = False
    if chance.random() < 0.3:
        await asyncio.sleep(chance.uniform(0.0, 0.5))  # without the link, commits wait meanwhile
        await world.kill(world.db1)
    if not world.link and chance.random() < 0.5:
        await _degrade(world)


async def _degrade(world: World) -> None:
    """Somebody lets db1 go on alone, at the same time as somebody else fails over: the ledger lets one of them."""
    await asyncio.sleep(world.chance.uniform(0.0, 1.0))
    record = world.ledger.record
    if record.phase != "STEADY" or record.epoch != 1:
        return
    try:
        await world.ledger.replace(record, replace(record, standby=Standby.STALE, revision=record.revision + 1))
    except Conflict:
        return
    await world.travel()
    world.alone = True
    world.change()


async def _run(seed: int, waits: bool) -> Outcome:
    world = World(seed)
    witness = Witness(world)
    with mock.patch.object(asyncpg, "connect", world.connect), mock.patch.object(leases, "time", Clock):
        servers = [Server(name, world, witness) for name in ("s1", "s2")]
        for work in (world.replicate(), *(server.run() for server in servers)):
            world.spawn(work)
        trouble = world.spawn(_trouble(world))
        await asyncio.sleep(world.chance.uniform(1.5, 5.0))
        try:
            await Coordinator(world, servers, waits).run()
            witness.outcome.happened["failover"] += 1
        except Conflict:
            witness.outcome.happened["refused"] += 1
        await trouble
        world.calm = True
        await asyncio.sleep(max(world.now, *(server.process.stopped[1] for server in servers)) + CALM - world.now)
        active = world.ledger.record.active
        for server in servers:
            place = server.gate._attachment.place.name if server.gate._attachment is not None else None
            if place != active and world.nodes[active].up:
                witness.outcome.stranded[server.process.name] = server.attacher.problem
        await world.end()
    return witness.conclude()


async def _cancelled(work: Any) -> Any:
    return await work()


@contextmanager
def _leaving_out(control: str | None) -> Iterator[None]:
    with ExitStack() as patches:
        if control == "second-look":
            patches.enter_context(mock.patch.object(Gate, "still"))
        if control == "proof-of-life":
            patches.enter_context(mock.patch.object(Gate, "_lives"))
        if control == "uncancelled-commits":
            patches.enter_context(mock.patch.object(gate, "never_cancelled", _cancelled))
        yield


def simulate(seed: int, without: str | None = None) -> Outcome:
    """One run. The same seed gives the same run."""
    Server.rows = itertools.count(1)
    with _leaving_out(without), asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_run(seed, without != "lease-wait"))


def main() -> int:
    """Many runs, and what they showed. 1 when something is not as it must be."""
    parser = argparse.ArgumentParser(description="The pool server's code under a failover, on virtual time.")
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--from", dest="start", type=int, default=0, help="the first seed")
    parser.add_argument("--without", choices=CONTROLS, help="leave a guard out: then runs must be unsafe")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    began, total, unsafe = time.monotonic(), Counter[str](), 0
    for seed in range(arguments.start, arguments.start + arguments.runs):
        outcome = simulate(seed, arguments.without)
        total += outcome.happened
        unsafe += not outcome.safe
        if not outcome.safe or outcome.stranded or outcome.fallen:
            sys.stdout.write(f"seed {seed}: {outcome}\n")
    sys.stdout.write(f"{arguments.runs} runs, {unsafe} unsafe, {time.monotonic() - began:.1f} s, {dict(total)}\n")
    return int((unsafe > 0) is (arguments.without is None))


if __name__ == "__main__":
    raise SystemExit(main())
