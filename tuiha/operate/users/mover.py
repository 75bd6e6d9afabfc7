"""Moving users in two phases: the target claims a user (generation + 1), the source lets go and the target monitors.

A server claims in one transaction, with the generation that was read: whoever was faster wins, and nothing is moved
twice. Every write of a monitor carries its generation, so a source that is slow to let go can record nothing. What is
already where it belongs counts as done: a run that was interrupted is simply run again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tuiha.model.operations.evidence import Doing, Fault
from tuiha.model.operations.statements import Statement
from tuiha.operate.plans.kinds import Progress, StepUnknown
from tuiha.operate.reach.active_database import Active
from tuiha.operate.reach.control import ControlError
from tuiha.operate.reach.sql import DatabaseGone
from tuiha.operate.reach.world import World
from tuiha.operate.users.throttle import MovePace, Throttle
from tuiha.pooldb.leases import RENEWED_AGO, oldest_renewal
from tuiha.pooldb.statements.bindings import GENERATIONS_OF

Pairs = Mapping[tuple[str, str], Sequence[int]]  # (from, to) -> ids

_BATCH = 200  # what one request to a server may name
_PATIENCE = 30.0  # seconds that a batch waits for a database, or for a target that cannot claim yet
_SILENCE = 5.0  # seconds without any answer after which a target counts as gone
_SETTLE = 20.0  # seconds until the source has let go and the target monitors
_STEP = 0.02


class _TargetLost(Exception):
    """A target does not answer any more."""


@dataclass(slots=True)
class MoveTally:
    """What became of the moves."""

    moved: int = 0
    already: int = 0  # were at their target before
    elsewhere: int = 0  # moved by somebody else meanwhile, or nobody monitors them any more
    left: int = 0  # not moved: cancelled, or their target does not answer

    @property
    def done(self) -> int:
        """Settled one way or the other."""
        return self.moved + self.already + self.elsewhere


class Mover:
    """Carries moves out at the allowed pace. One use."""

    def __init__(
        self, world: World, active: Active, addresses: Mapping[str, str], pace: MovePace, progress: Progress
    ) -> None:
        """`addresses`: of the servers that answer, by name."""
        self._world = world
        self._active = active
        self._addresses = addresses
        self._progress = progress
        self._throttle = Throttle(pace, time.monotonic)
        self._busy: Counter[str] = Counter()
        self._queues: dict[tuple[str, str], deque[int]] = {}
        self._lost: set[str] = set()
        self._unsure: set[int] = set()
        self._trouble: Statement | None = None
        self._claim_seconds: float | None = None
        self._running = 0
        self._wake = asyncio.Event()
        self.tally = MoveTally()

    async def run(self, moves: Pairs) -> MoveTally:
        """Move them all, or as many as can be. Raises StepUnknown when a move cannot be confirmed."""
        self._queues = {pair: deque(ids) for pair, ids in moves.items() if len(ids)}
        total = sum(len(queue) for queue in self._queues.values())
        async with asyncio.TaskGroup() as group:
            judging = group.create_task(self._judge())
            while self._running or self._waiting():
                self._start(group)
                self._tell(total)
                self._wake.clear()
                try:
                    async with asyncio.timeout(0.05):
                        await self._wake.wait()
                except TimeoutError:
                    continue  # time to look at the allowance again
            judging.cancel()
        self.tally.left += sum(len(queue) for queue in self._queues.values())
        self._tell(total)
        if self._trouble is not None:
            raise StepUnknown(Fault.MOVES_STOPPED(why=self._trouble, done=self.tally.done, users=total))
        if self._unsure:
            raise StepUnknown(Fault.MOVES_UNSURE(users=len(self._unsure)))
        return self.tally

    def _tell(self, total: int) -> None:
        slowed = self._throttle.rate if self._throttle.halved else None
        self._progress.tell(Doing.MOVING(done=self.tally.done, users=total, rate=slowed), self.tally.done, total)

    def _waiting(self) -> bool:
        """Whether moves may still begin."""
        if self._progress.cancelled or self._trouble is not None:
            return False
        return any(queue and pair[1] not in self._lost for pair, queue in self._queues.items())

    def _start(self, group: asyncio.TaskGroup) -> None:
        """Begin as many moves as the pace allows, in turn between the pairs of servers."""
        allowed = self._throttle.allowance()
        for pair in list(self._queues):
            queue, (source, target) = self._queues[pair], pair
            if not self._waiting() or allowed <= 0:
                return
            free = self._throttle.in_flight - max(self._busy[source], self._busy[target])
            count = min(len(queue), free, allowed, _BATCH)
            if count <= 0 or target in self._lost:
                continue
            ids = [queue.popleft() for _ in range(count)]
            allowed -= count
            self._throttle.start(count)
            self._busy.update({source: count, target: count})
            self._running += 1
            group.create_task(self._batch(source, target, ids))
            self._queues[pair] = self._queues.pop(pair)  # the others first, the next time

    async def _batch(self, source: str, target: str, ids: list[int]) -> None:
        try:
            await self._settle(source, target, await self._claim(source, target, ids))
        except _TargetLost:
            self._lost.add(target)
        except DatabaseGone as error:
            self._trouble = Fault.POOL_DATABASE(why=str(error))
        finally:
            self._busy.subtract({source: len(ids), target: len(ids)})
            self._running -= 1
            self._wake.set()

    async def _claim(self, source: str, target: str, ids: list[int]) -> list[int]:
        """Have the target claim the users that the source has; those that are the target's then."""
        until, heard = time.monotonic() + _PATIENCE, time.monotonic()
        before: set[int] | None = None  # a batch may mix users that were moved by an earlier run with others
        while True:
            rows = await self._active.rows(GENERATIONS_OF, ids, patience=_PATIENCE)
            here = [row["user_id"] for row in rows if row["server"] == target]
            before = set(here) if before is None else before
            there = [
                {"user_id": row["user_id"], "generation": row["generation"]} for row in rows if row["server"] == source
            ]
            if not there or time.monotonic() > until:
                break
            began = time.monotonic()
            try:
                await self._world.control.post(self._address(target), "take", {"users": there}, seconds=10.0)
            except ControlError as error:
                heard = heard if error.status is None else time.monotonic()
                if target in self._lost or time.monotonic() > min(until, heard + _SILENCE):
                    self._count(ids, here, before, len(there))
                    raise _TargetLost(target) from None
                await asyncio.sleep(0.2)  # without an answer it may have happened: the rows tell
            self._claim_seconds = max(self._claim_seconds or 0.0, time.monotonic() - began)
        self._count(ids, here, before, len(there))
        return here

    def _count(self, ids: list[int], here: list[int], before: set[int], left: int) -> None:
        """What became of a batch: who is at the target now, and who was there before its first claim."""
        already = sum(user in before for user in here)
        self.tally.already += already
        self.tally.moved += len(here) - already
        self.tally.left += left
        self.tally.elsewhere += len(ids) - len(here) - left

    def _address(self, server: str) -> str:
        return self._addresses.get(server, "")

    async def _settle(self, source: str, target: str, ids: list[int]) -> None:
        """Wait until the source has let the users go and the target monitors them."""
        until, pause = time.monotonic() + _SETTLE, _STEP
        kept, missing = list(ids), list(ids)
        while kept or missing:
            kept = await self._kept(source, kept) if kept else kept
            missing = await self._missing(target, missing) if missing else missing
            if not kept and not missing:
                return
            if time.monotonic() > until:
                self._unsure.update(kept, missing)
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.5)

    async def _kept(self, source: str, ids: list[int]) -> list[int]:
        """Of these users, those that the source still monitors. Without a lease it monitors nobody."""
        if source in self._addresses:
            with contextlib.suppress(ControlError):  # then its lease tells
                return await self._monitored(source, ids)
        age = await self._active.value(RENEWED_AGO, source, patience=_PATIENCE)
        lease = self._world.pool.lease
        return ids if age is not None and age <= oldest_renewal(lease.seconds, lease.slack) else []

    async def _missing(self, target: str, ids: list[int]) -> list[int]:
        """Of these users, those that are the target's and not yet monitored there."""
        try:
            found = set(await self._monitored(target, ids))
        except ControlError:
            found = set()
        rest = [user for user in ids if user not in found]
        if not rest:
            return rest
        rows = await self._active.rows(GENERATIONS_OF, rest, patience=_PATIENCE)
        return [row["user_id"] for row in rows if row["server"] == target]

    async def _monitored(self, server: str, ids: list[int]) -> list[int]:
        text = ",".join(map(str, ids))
        answer = await self._world.control.get(self._address(server), f"monitored?ids={text}")
        return list(answer["monitored"])

    async def _judge(self) -> None:
        """Once a second: have the targets and the database breath?"""
        while True:
            await asyncio.sleep(1.0)
            targets = ({target for _, target in self._queues} & set(self._addresses)) - self._lost
            indexes = await asyncio.gather(*(self._index(target) for target in targets))
            known = [index for index in indexes if index is not None]
            self._throttle.judge(min(known, default=None), self._claim_seconds)
            self._claim_seconds = None

    async def _index(self, server: str) -> int | None:
        try:
            index = (await self._world.control.get(self._addresses[server], "status"))["availability_index"]
        except ControlError:
            return 0  # not to be asked in time: no breath
        return index if isinstance(index, int) else None
