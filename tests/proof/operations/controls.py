"""Negative controls: the same code with one of its guards taken out. With each of them some run must break a rule."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from tests.proof.operations.jury import Verdict
from tests.proof.operations.stage import Control, Stage
from tuiha.model.operations.statements import Statement, plain
from tuiha.model.reports import Standby
from tuiha.operate.database.kinds import PairKind
from tuiha.operate.database.steps import base as steps
from tuiha.operate.database.steps.base import change_ledger, followers, set_parameter, until
from tuiha.operate.database.steps.replication import Protect
from tuiha.operate.database.steps.roles import CatchUp, FenceStep, Stop
from tuiha.operate.database.steps.servers import HoldStep, LetGo
from tuiha.operate.database.stream import streams
from tuiha.operate.plans.kinds import Progress, StepFailed
from tuiha.operate.plans.plan import Plan
from tuiha.operate.reach.world import World
from tuiha.operate.run.runner import Runner

_BEFORE = 8  # awaits before a step is named in which what it begins with is decided
_TRIES = 6  # deaths for each seed


@dataclass(frozen=True)
class LeftOut:
    """One guard: in which scenario it counts, and how it is taken out."""

    name: str
    scenario: str
    control: Control
    steps: tuple[int, int] = (0, 0)  # a death between the beginnings of these two makes it count; (0, 0): none does
    first: int = 0  # the seed at which the search begins; earlier ones do not show it

    def deaths(self, unharmed: Verdict, seed: int) -> list[int]:
        """Some awaits between the two steps, as a run without a death had them."""
        begin, end = (unharmed.marks.get(step) for step in self.steps)
        if begin is None or end is None or self.steps == (0, 0):
            return []
        places = range(max(1, begin - _BEFORE), end + 1)
        return random.Random(seed).sample(places, min(_TRIES, len(places)))


def _instead(*patches: tuple[Any, str, Any]) -> Control:
    @contextmanager
    def control(_: Stage) -> Iterator[None]:
        with ExitStack() as stack:
            for target, name, instead in patches:
                stack.enter_context(mock.patch.object(target, name, instead))
            yield

    return control


async def _done(self: Any, world: World, progress: Progress) -> Statement:
    return plain("left out")


@contextmanager
def _blind_ledger(stage: Stage) -> Iterator[None]:
    """Whoever writes last counts, and nobody looks again whose the pool is."""
    stage.ground.memory.compares = False
    with mock.patch.object(steps, "not_ours", return_value=None), \
            mock.patch.object(Runner, "_tell_ledger", _says_nothing):
        yield


async def _says_nothing(self: Runner, tries: int = 1) -> bool:
    """The ledger is told of no step, and the runner does not know."""
    return True


_let_go = LetGo.run


async def _waits_no_more(self: LetGo, world: World, progress: Progress) -> Statement:
    """Resumed, it takes the leases for ended."""
    if self.job.memory.cut_at is None:
        self.job.memory.cut_at = -1000.0
    return await _let_go(self, world, progress)


async def _protects_too_early(self: Protect, world: World, progress: Progress) -> Statement:
    """Without waiting until the secondary has everything and everybody waits for it."""
    database, name = world.databases[self.primary], self.secondary
    if not await until(lambda: streams(database, name), 20.0, 0.02):
        raise StepFailed("it does not stream")
    await set_parameter(database, "synchronous_standby_names", followers(name))
    await change_ledger(world, self._refusal, standby=Standby.SYNC)
    return plain("protected")


async def _nothing_lacks(self: PairKind, world: World, plan: Plan) -> Sequence[Statement]:
    """Nor reading back whether the pool is protected, which takes as long."""
    return ()


LEFT_OUT: Mapping[str, LeftOut] = {one.name: one for one in (
    LeftOut("the wait for the leases' end", "failover, a server deaf", _instead((LetGo, "run", _done))),
    LeftOut("that wait when resumed", "failover, a server deaf", _instead((LetGo, "run", _waits_no_more)),
            (3, 5), 6),
    LeftOut("hold, fence and stop", "switchover",
            _instead(*((step, "run", _done) for step in (HoldStep, FenceStep, Stop, CatchUp)))),
    LeftOut("the catch-up", "switchover, unprotected", _instead((CatchUp, "run", _done))),
    LeftOut("the ledger's compare-and-set", "failover or degrade", _blind_ledger, first=125),
    LeftOut("protect's wait for the secondary", "protect, then failover",
            _instead((Protect, "run", _protects_too_early), (PairKind, "lacking", _nothing_lacks)), first=130),
)}
