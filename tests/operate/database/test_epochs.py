"""What a step refuses to take for done: an epoch that is not the next one, a lease that may still hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from tests.operate.support import Told
from tuiha.config.pace import Lease
from tuiha.config.settings import Pool
from tuiha.operate.database.steps.base import Job, Memory
from tuiha.operate.database.steps.epochs import BeginEpoch
from tuiha.operate.database.steps.roles import FenceStep
from tuiha.operate.database.steps.servers import LetGo, leases_end
from tuiha.operate.plans.kinds import StepFailed
from tuiha.operate.reach.world import World
from tuiha.pooldb.leases import boottime
from tuiha.words.operations import text

JOB = Job("db1", "db2", 4, 7, "7574021387012345678", "SYNC", "SWITCHING", {})
BEGUN: dict[str, Any] = {"epoch": 5, "active": "db2", "state": "ACTIVE", "timeline": 8, "canaries": 1}


class Says:
    """A database that obeys nothing, and answers the same row."""

    name = "db"

    def __init__(self, row: dict[Any, Any]) -> None:
        self._row = row

    async def fetch(self, statement: str, *_: Any, seconds: float) -> list[dict[Any, Any]]:
        return [self._row | {0: False}]  # of a schema without `standby`


def world(**row: Any) -> World:
    pool = Pool.model_construct(lease=Lease(seconds=0.1, slack=0.0))
    return World(pool, cast(Any, None), cast(Any, None), cast(Any, None),
                 cast(Any, {name: Says(row) for name in ("db1", "db2")}), agents=cast(Any, {"db1": None}))


async def test_the_next_epoch_has_begun() -> None:
    assert "epoch 5 is ACTIVE on db2, timeline 8" in text(await BeginEpoch(JOB, 8).run(world(**BEGUN), Told()))


@pytest.mark.parametrize("wrong", [
    {"epoch": 4}, {"epoch": 6}, {"active": "db1"}, {"state": "FENCED"}, {"canaries": 0}, {"timeline": 7},
    {"timeline": 6},
])
async def test_anything_else_is_no_new_epoch(wrong: dict[str, Any]) -> None:
    with pytest.raises(StepFailed):
        await BeginEpoch(JOB, 8).run(world(**{**BEGUN, **wrong}), Told())


@pytest.mark.parametrize("wrong", [{"state": "ACTIVE"}, {"epoch": 5}, {"active": "db2"}])
async def test_a_fence_that_is_not_to_be_read_back_is_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(StepFailed):
        await FenceStep(JOB, 4).run(world(**{"epoch": 4, "active": "db1", "state": "FENCED", **wrong}), Told())


def test_leases_are_waited_for_with_drift_and_slack() -> None:
    assert leases_end(100.0, 5.0, 0.2, now=103.0) == pytest.approx(105.25)


async def test_the_lease_of_a_silent_server_is_waited_for_as_long_as_that_server_said() -> None:
    """Its own configuration says 0.7 s, the operator's 0.1 s."""
    cut_at = boottime()
    job = replace(JOB, memory=Memory(cut_at=cut_at))
    said = text(await LetGo(job, 5).run(world(server="s1", seconds=0.7), Told()))
    assert boottime() >= cut_at + 0.7
    assert "the lease of s1 expired 0.7 s after the cut" in said


def test_who_does_not_know_the_cut_counts_from_now() -> None:
    """A runner that was resumed: the journal has no moment that a host which slept could be held to."""
    assert leases_end(None, 5.0, 0.2, now=103.0) == pytest.approx(108.25)
