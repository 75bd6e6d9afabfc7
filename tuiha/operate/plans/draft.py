"""Making a plan: the kind by its name, fresh facts, and the options kept for when it is made again."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tuiha.config.settings import Pool
from tuiha.model.operations.catalogue import misuse
from tuiha.model.operations.judgements import Found, Mend, Wanted
from tuiha.model.operations.plans import CheckId, CheckVerdict
from tuiha.model.operations.refusals import Refused
from tuiha.operate.catalogue import KINDS
from tuiha.operate.plans.kinds import Misused, OperationKind
from tuiha.operate.plans.plan import Check, Plan
from tuiha.operate.reach.world import World, open_world
from tuiha.operate.records.store import store_of
from tuiha.operate.run.precedence import rivalry

_MB = 1024 * 1024
_ROOM = 16 * _MB  # bytes that a journal may need, many times over


def kind_of(name: str) -> OperationKind:
    """A kind of operation by its name. Raises Misused."""
    if name not in KINDS:
        raise Misused(Refused.QUESTION(why=misuse(name, (), {})))
    return KINDS[name]()


async def make_plan(
    pool: Pool, base: Path, kind: str, target: Sequence[str] = (), options: Mapping[str, str] | None = None
) -> Plan:
    """Read fresh facts and plan; nothing is changed.

    Raises Misused (no such kind, option or number of targets), Refused (the facts rule it out), NoCredentials,
    ConfigError, DatabaseGone, DriverError.
    """
    options = dict(options or {})
    _refuse_misuse(kind, target, options)
    async with open_world(pool, base) as world:
        return await _planned(world, kind_of(kind), target, options)


async def plan_again(world: World, plan: Plan) -> Plan:
    """The same question as the plan's, on fresh facts. Raises what `make_plan` raises."""
    options = plan.details.get("options", {})
    _refuse_misuse(plan.kind, plan.target, options)
    return await _planned(world, kind_of(plan.kind), plan.target, options)


def _refuse_misuse(kind: str, target: Sequence[str], options: Mapping[str, str]) -> None:
    if wrong := misuse(kind, target, options):
        raise Misused(Refused.QUESTION(why=wrong))


async def _planned(world: World, kind: OperationKind, target: Sequence[str], options: Mapping[str, str]) -> Plan:
    plan = await kind.plan(world, target, options)
    room = journal_room(store_of(world.pool, world.base).root)
    rival, more = ((), {}) if "over" in plan.details else await rivalry(world, kind.name)  # that takes it from anybody
    return replace(plan, checks=(*rival, *plan.checks, room),
                   details={**plan.details, **more, "options": dict(options)})


def journal_room(root: Path) -> Check:
    """Room for the journal on this host: an operation must not end half-way because nothing can be written down."""
    there = next(folder for folder in (root, *root.parents) if folder.is_dir())
    try:
        free: int | None = shutil.disk_usage(there).free
    except OSError:
        free = None
    good = free is not None and free >= _ROOM
    found = Found.UNKNOWN() if free is None else Found.FREE_MB(mb=free // _MB)
    verdict = CheckVerdict.OK if good else CheckVerdict.WARNING if free is None else CheckVerdict.BAD
    return Check(CheckId.STATE_FOLDER, "this host", found, Wanted.JOURNAL_ROOM(mb=_ROOM // _MB, folder=there), verdict,
                 None if good else Mend.JOURNAL_ROOM(folder=there))
