"""switchover: the planned change of the active database, with both databases working."""

from __future__ import annotations

from collections.abc import Mapping

from tuiha.model.operations.evidence import Loses
from tuiha.model.operations.plans import Loss, Moment, nothing
from tuiha.model.operations.statements import Statement
from tuiha.model.reports import Standby
from tuiha.operate.database import checks
from tuiha.operate.database.kinds import PairKind, outage
from tuiha.operate.database.sight import Sight, look
from tuiha.operate.database.steps.epochs import Announce, BeginEpoch, RecordStep
from tuiha.operate.database.steps.rejoin import RejoinClean
from tuiha.operate.database.steps.replication import Protect
from tuiha.operate.database.steps.roles import CatchUp, FenceStep, Prepare, Promote, Stop
from tuiha.operate.database.steps.servers import Attach, HoldStep, Verify
from tuiha.operate.plans.plan import Check, Plan
from tuiha.operate.reach.world import World

_REHEARSAL = 15.0  # seconds for each agent to try the way to the partner


class Switchover(PairKind):
    """The secondary becomes the active database; nothing is lost, requests wait meanwhile."""

    name = "switchover"
    phase = "SWITCHING"
    sketch = (Announce, Prepare, HoldStep, FenceStep, Stop, CatchUp, Promote, BeginEpoch, RecordStep, Attach, Verify,
              RejoinClean, Protect)

    async def see(self, world: World) -> Sight:
        """With a probe of every server to the secondary, and the way back tried on both hosts."""
        return await look(world, partner=True, rehearse=_REHEARSAL)

    def checks(self, sight: Sight) -> list[Check]:
        """All of both databases, every server, every sprayer."""
        active, partner = sight.active, sight.partner
        return [
            checks.steady(sight), checks.one_primary(sight), checks.undisputed(sight), checks.protected(sight),
            checks.answers(active, writable=True), checks.answers(partner, writable=False),
            checks.identity(sight, active), checks.identity(sight, partner),
            checks.epoch_row(sight, active), checks.epoch_row(sight, partner),
            checks.synchronous(sight), checks.lag(sight), checks.version(sight), checks.agents(sight),
            checks.disk(sight, active, partner),
            *checks.rights(active), *checks.rights(partner),
            *checks.way_back(sight, active, partner), *checks.way_back(sight, partner, active),
            *checks.obstacles(sight), checks.leases(sight), *checks.servers(sight), *checks.sprayers(sight),
        ]

    def loses(self, sight: Sight) -> Loss:
        """Nothing."""
        if sight.ledger.standby is Standby.SYNC:
            return nothing(Loses.STOPPED_CLEANLY(active=sight.active.name, partner=sight.partner.name))
        return nothing(Loses.IF_CAUGHT_UP(partner=sight.partner.name, standby=sight.ledger.standby))

    def outcome(self, plan: Plan, evidence: Mapping[int, Statement]) -> Mapping[str, object]:
        """The time for which writes were held."""
        return outage(evidence, Moment.HELD)
