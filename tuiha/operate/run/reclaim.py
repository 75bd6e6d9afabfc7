"""reclaim: the pool from an operation that nobody can go on with.

Its runner is dead, and its folder is gone, or the host that has it, or what its journal says cannot be carried out. The
ledger's intent and the databases suffice to finish it, to take it back, or to give the pool back as it is.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tuiha.drivers.protocols import LeasedLedger
from tuiha.model.operations import WAY
from tuiha.model.reports import LedgerRecord
from tuiha.operate.database import leftover
from tuiha.operate.database.leftover import Way
from tuiha.operate.database.sight import look
from tuiha.operate.database.steps.base import Job, read_ledger
from tuiha.operate.plans.kinds import Progress, Refused, Step, StepFailed
from tuiha.operate.plans.plan import Check, CheckVerdict, Plan, PlannedStep, plan_id
from tuiha.operate.reach.world import World
from tuiha.operate.records.journal import Journal
from tuiha.operate.records.store import Folder, NotThere, store_of
from tuiha.operate.run import intent as intents

_VALID = 300.0  # seconds until a plan has to be made again
_OK, _WARNING, _BAD, _NEVER = CheckVerdict.OK, CheckVerdict.WARNING, CheckVerdict.BAD, CheckVerdict.NEVER


@dataclass(frozen=True, slots=True)
class Close:
    """The last step: no role is half changed, and the journal of the other operation, if it is here, says its end."""

    planned: PlannedStep
    over: str

    async def run(self, world: World, progress: Progress) -> str:
        """Read the ledger back, and close what is left of the other operation on this host."""
        record = await read_ledger(world)
        if not _steady(world, record):
            raise StepFailed(f"the ledger is in phase {record.phase}")
        text = f"{record.active} is active in epoch {record.epoch}, {record.standby}, phase {record.phase}"
        folder = _folder(world, self.over)
        return text if folder is None else f"{text}; {await asyncio.to_thread(self._closed, folder)}"

    def _closed(self, folder: Folder) -> str:
        lock = folder.lock()
        if lock is None:
            return f"operation {self.over} runs still, and stops at its next step"
        try:
            journal = Journal(folder.journal)
            try:
                journal.put("result", state="cancelled", changed=True, outcome={}, revision=None, text=(
                    "another operation reclaimed the pool from this one, and brought it to an end")).result()
            finally:
                journal.close()
        except OSError as error:
            return f"the journal of operation {self.over} cannot be written: {error}"
        finally:
            os.close(lock)
        return f"the journal of operation {self.over} says so"

    async def undo(self, world: World, progress: Progress) -> str:
        """Nothing to take back."""
        return "nothing to take back"


class Reclaim:
    """Ends what another operation left half-way."""

    name = "reclaim"

    async def plan(self, world: World, target: Sequence[str], options: Mapping[str, str]) -> Plan:
        """Read the ledger's intent and the databases, and work out the way. Raises Refused, Misused, DriverError."""
        wanted = _wanted(options)
        ledger = world.drivers.ledger
        if ledger is None:
            raise Refused("the configuration names no ledger: no operation can have the pool")
        record = await ledger.poll()
        other = _reclaimed(record, target)
        way, checks, details, loses = await self._worked_out(world, record, other, wanted)
        facts = {"intent": {"id": other.id, "host": other.host}, "way": way, "phase": record.phase,
                 "epoch": record.epoch, "active": record.active}
        details |= {"over": other.id, "way": way}
        now = time.time()
        made = Plan("", world.pool.pool, self.name, (other.id,), world.pool.pool,
                    (*[check async for check in _gone(world, other)], *checks), (), loses, now, now + _VALID, facts,
                    details)
        steps = tuple(step.planned for step in self.steps(made))
        return replace(made, id=plan_id(self.name, (other.id,), facts), steps=steps)

    async def _worked_out(
        self, world: World, record: LedgerRecord, other: intents.Intent, wanted: Way | None
    ) -> tuple[Way, Sequence[Check], dict[str, Any], str]:
        if _steady(world, record):
            if wanted not in (None, Way.RELEASE):
                raise Refused(f"no role is half changed: the ledger is in phase {record.phase}")
            return Way.RELEASE, (), {"past": bool(other.past)}, (
                f"nothing: what operation {other.id} did so far stays; plan again what is missing")
        sight = await look(world, partner=True)
        past = leftover.perhaps_past(record.phase, other.step, other.undoing, other.past)
        scene = leftover.scene(sight, past)
        way = wanted or leftover.way_out(scene)
        if way is Way.RELEASE:
            raise Refused(f"the ledger is in phase {record.phase}: `--option way=back` or `--option way=finish`")
        details = {**leftover.job_of(sight).details(), "past": past}
        return way, tuple(leftover.judged(way, scene, sight)), details, leftover.loses(way, sight)

    def steps(self, plan: Plan) -> Sequence[Step]:
        """The steps of the way, and the one that closes."""
        way = Way(plan.details["way"])
        pair = [] if way is Way.RELEASE else leftover.steps(way, Job.of(plan.details))
        last = PlannedStep(len(pair) + 1, "ledger", f"no role is half changed; close {plan.details['over']}", 10.0,
                           undo=False)
        return [*pair, Close(last, str(plan.details["over"]))]

    def outcome(self, plan: Plan, evidence: Mapping[int, str]) -> Mapping[str, object]:
        """Which way was gone, and whose operation it was."""
        return {"way": plan.details["way"], "reclaimed": plan.details["over"]}


def _wanted(options: Mapping[str, str]) -> Way | None:
    word = options.get(WAY.name)
    return None if word is None else Way(word)


def _reclaimed(record: LedgerRecord, target: Sequence[str]) -> intents.Intent:
    """The operation that has the pool. Raises Refused when none has, or another one than the target."""
    other = intents.parse(record.intent)
    if other is None:
        raise Refused("no operation has the pool: there is nothing to reclaim")
    if target and not (other.id.startswith(target[0]) or other.id.endswith(target[0])):
        raise Refused(f"operation {other.id} has the pool, not {target[0]}")
    return other


def _steady(world: World, record: LedgerRecord) -> bool:
    """Whether no role is half changed by us; where somebody else manages the pair none ever is."""
    return record.phase == leftover.STEADY or world.pool.database.manager is not None


def _folder(world: World, operation: str) -> Folder | None:
    with suppress(NotThere):
        return store_of(world.pool, world.base).find(operation)
    return None


async def _gone(world: World, other: intents.Intent) -> AsyncIterator[Check]:
    """That nobody runs it: here by its lock and its process, elsewhere by the ledger's lease or somebody's word."""
    here, folder, ledger = socket.gethostname(), _folder(world, other.id), world.drivers.ledger
    path = store_of(world.pool, world.base).root / other.id
    process = await asyncio.to_thread(_process_in, path)
    alive = process is not None or (folder is not None and folder.alive())
    yield Check("runner", other.id, f"runs, process {process}" if process else "runs" if alive else "no process here",
                "none", _NEVER if alive else _OK, f"`tuiha cancel {other.id}`, or wait for it" if alive else "")
    if folder is not None and not folder.reading().unknown:
        yield Check("journal", other.id, "is here, and whole", "gone or damaged", _WARNING,
                    f"`tuiha resume {other.id}` goes on from it, `tuiha undo {other.id}` takes it back")
    yield _hosts(other, here, await ledger.holder() if isinstance(ledger, LeasedLedger) else None,
                       isinstance(ledger, LeasedLedger))


def _hosts(other: intents.Intent, here: str, holder: str | None, leased: bool) -> Check:
    """The host that the ledger names: this one, or gone by the lease, or gone by the word of who overrides."""
    if leased:
        return Check("host", other.host, f"{holder} holds it" if holder else "nobody holds it", "nobody holds it",
                     _NEVER if holder else _OK,
                     "its hold ends 15 s after its last sign of life: plan again then" if holder else "")
    same = other.host == here
    if other.beat is not None and intents.now(other).condition is intents.Condition.RUNNING:
        # Also here: a runner in another container, or of another user, shows no process of its own.
        old = f"its last sign of life is {max(0.0, time.time() - other.beat):.0f} s old: plan again in a moment"
        return Check("host", other.host, "its runner gives signs of life", "none", _NEVER,
                     old if same else f"on {other.host}: tuiha cancel {other.id}")
    return Check("host", other.host, "this host" if same else "another host, which cannot be asked", here,
                 _OK if same else _BAD, "" if same else (
                     f"on {other.host}: tuiha resume {other.id}. If that host is gone for good, or no process of it "
                     "reaches the pool, override this"))


def _process_in(folder: Path) -> int | None:
    """A process of this host that has a file of this folder open, also when the folder was removed; else None."""
    inside = f"{folder.resolve()}/"  # as /proc says it, whatever links led there
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended, or is another user's
            for descriptor in (process / "fd").iterdir():
                with suppress(OSError):
                    if os.readlink(descriptor).startswith(inside):
                        return int(process.name)
    return None
