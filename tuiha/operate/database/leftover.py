"""What an operation left half-way in the pair's roles, worked out from facts: which way leads out, and its steps.

Neither needs the operation's journal. The ledger's phase tells which kind it was; the databases tell what they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tuiha.model.operations.evidence import Loses, StepId
from tuiha.model.operations.judgements import Found, Mend, Wanted
from tuiha.model.operations.plans import CheckId, CheckVerdict, Loss, nothing, something
from tuiha.model.operations.statements import Statement
from tuiha.model.reports import STEADY, LedgerRecord, Standby
from tuiha.operate.database import checks
from tuiha.operate.database.failover import Failover
from tuiha.operate.database.sight import NodeSight, Sight
from tuiha.operate.database.steps.base import Job, PairStep
from tuiha.operate.database.steps.epochs import Announce
from tuiha.operate.database.steps.roles import Promote
from tuiha.operate.database.switchover import Switchover
from tuiha.operate.plans.kinds import Progress
from tuiha.operate.plans.plan import Check
from tuiha.operate.reach.world import World

_SKETCHES = {kind.phase: kind.sketch for kind in (Switchover, Failover)}
_NO_RETURN = {phase: sketch.index(Promote) + 1 for phase, sketch in _SKETCHES.items()}


class LeftoverWay(StrEnum):
    """How an operation that nobody can go on with is brought to an end."""

    RELEASE = "release"  # no role is half changed: give the pool back, what was done stays
    BACK = "back"  # the former primary serves again
    FINISH = "finish"  # its secondary takes its place


class NodeRole(StrEnum):
    """What a database is by its own word."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class LeftoverScene:
    """All that the way out depends on."""

    phase: str  # the ledger's
    standby: Standby  # SYNC: the partner has every acknowledged write
    active: NodeRole  # of the database that the ledger names
    startable: bool  # it has an agent
    partner: NodeRole
    past: bool  # the partner may have been told to promote itself


def scene(sight: Sight, past: bool) -> LeftoverScene:
    """The scene, from what was seen."""
    return LeftoverScene(sight.ledger.phase, sight.ledger.standby, _role(sight.active), sight.active.agent,
                         _role(sight.partner), past)


def perhaps_past(phase: str, step: int, undoing: bool, past: bool | None) -> bool:
    """Whether the promotion may have been asked for, by the ledger's intent; one of an earlier version says less."""
    if undoing:
        return False
    return step >= _NO_RETURN.get(phase, 0) > 0 if past is None else past


def way_out(scene: LeftoverScene) -> LeftoverWay:
    """Which way leads out of a scene; the checks judge whether it may be gone."""
    if scene.phase == STEADY:
        return LeftoverWay.RELEASE
    if scene.partner is NodeRole.PRIMARY:
        return LeftoverWay.FINISH
    if scene.partner is NodeRole.SILENT:
        return LeftoverWay.BACK
    if scene.past:
        return LeftoverWay.FINISH
    back = scene.active is NodeRole.PRIMARY or scene.startable or scene.standby is not Standby.SYNC
    return LeftoverWay.BACK if back else LeftoverWay.FINISH


class LeftoverBack(PairStep):
    """A step of the operation that was left, taken back. It has no way back of its own."""

    undoable = False

    def __init__(self, step: PairStep, number: int) -> None:
        super().__init__(step.job, number)
        self.step = step
        self.limit = step.limit  # type: ignore[misc]

    @property
    def says(self) -> Statement:
        """Which step is taken back."""
        return StepId.TAKE_BACK(step=self.step.says)

    @property
    def where(self) -> str:
        """Where the step is."""
        return self.step.where

    async def run(self, world: World, progress: Progress) -> Statement:
        """Take it back, whether or not it was done."""
        return await self.step.undo(world, progress)


def steps(way: LeftoverWay, job: Job) -> list[PairStep]:
    """The steps of a way, in order. None is taken back: half of a way is where it began, or worse."""
    if way is LeftoverWay.FINISH:
        made = [step(job, number) for number, step in enumerate(Failover.sketch, 1)]
        for one in made:
            one.undoable = False  # type: ignore[misc]
        return made
    if way is LeftoverWay.RELEASE:
        return []
    sketch = _SKETCHES.get(job.phase, (Announce,))
    taken = [step(job, 0) for step in sketch if step.undoable and step.undo is not PairStep.undo]
    return [LeftoverBack(step, number) for number, step in enumerate(reversed(taken), 1)]


def judged(way: LeftoverWay, scene: LeftoverScene, sight: Sight) -> Iterator[Check]:
    """The checks of a way."""
    active, partner = sight.active, sight.partner
    if way is LeftoverWay.RELEASE:
        return
    serves = partner if way is LeftoverWay.FINISH else active
    if serves.report is not None:  # one that is stopped is started on the way, and asked by its steps
        yield checks.identity(sight, serves)
    if way is LeftoverWay.FINISH:
        yield checks.check(scene.partner is not NodeRole.SILENT, CheckId.ANSWERS, partner.name, scene.partner,
                           Found.ANSWERS(), Mend.START_OR_BACK(partner=partner.name), CheckVerdict.NEVER)
        yield checks.check(
            scene.partner is NodeRole.PRIMARY or scene.standby is Standby.SYNC,
            CheckId.PROTECTION,
            "ledger",
            scene.standby,
            Standby.SYNC,
            Mend.BACK(partner=partner.name),
        )
        yield checks.leases(sight)
    else:
        yield _promoted(scene, partner)
        yield checks.check(
            scene.active is NodeRole.PRIMARY or scene.startable,
            CheckId.ANSWERS,
            active.name,
            scene.active,
            Wanted.PRIMARY_OR_AGENT(),
            Mend.START_FIRST(database=active.name),
        )


def _promoted(scene: LeftoverScene, partner: NodeSight) -> Check:
    """The former primary is used again only when the partner was surely not promoted, or somebody answers for it."""
    if scene.partner is NodeRole.PRIMARY:
        return checks.check(False, CheckId.PROMOTION, partner.name, Found.PROMOTED(), Found.NOT_PROMOTED(),
                            Mend.FINISH(), CheckVerdict.NEVER)
    sure = not scene.past
    found = Found.NOT_PROMOTED() if sure else Found.PERHAPS_PROMOTED(partner=scene.partner)
    return checks.check(sure, CheckId.PROMOTION, partner.name, found, Found.NOT_PROMOTED(),
                        Mend.BRING_BACK_OR_OVERRIDE(partner=partner.name))


def loses(way: LeftoverWay, sight: Sight) -> Loss:
    """What can be lost."""
    active, partner = sight.active.name, sight.partner.name
    if way is LeftoverWay.BACK:
        return nothing(Loses.SERVES_AGAIN(active=active, partner=partner))
    return nothing(Loses.ON_PARTNER(partner=partner)) if sight.ledger.standby is Standby.SYNC else (
        something(Loses.AT_PROMOTION(active=active, partner=partner)))


def job_of(sight: Sight) -> Job:
    """What the steps work on, by the ledger."""
    record: LedgerRecord = sight.ledger
    return Job(record.active, sight.partner.name, record.epoch, record.timeline, record.system_identifier,
               str(record.standby), record.phase, sight.told)


def _role(node: NodeSight) -> NodeRole:
    if node.report is None:
        return NodeRole.SILENT
    return NodeRole.PRIMARY if node.writable else NodeRole.SECONDARY if node.secondary else NodeRole.SILENT
