"""degrade, protect and rejoin: with the secondary, without it, and how it comes back."""

from __future__ import annotations

from typing import Any

from tuiha.model.databases.durability import same_name
from tuiha.model.databases.replication import Replication
from tuiha.model.operations.evidence import Loses
from tuiha.model.operations.judgements import Found, Mend, Wanted
from tuiha.model.operations.plans import CheckId, CheckVerdict, Loss, nothing, something
from tuiha.model.operations.refusals import Refused
from tuiha.model.reports import DatabaseRole, Standby
from tuiha.operate.database import checks
from tuiha.operate.database.kinds import PairKind
from tuiha.operate.database.sight import Sight, look
from tuiha.operate.database.steps.rejoin import RejoinHere
from tuiha.operate.database.steps.replication import GiveUp, ProtectHere
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.plans.plan import Check
from tuiha.operate.reach.world import World

_REHEARSAL = 15.0  # seconds for an agent to try the way to the partner


def _active(sight: Sight, stray: CheckVerdict = CheckVerdict.NEVER) -> list[Check]:
    """What every change of the protection needs of the active database; `stray`: the verdict on a promoted partner."""
    active = sight.active
    # Nothing is promoted and nobody is moved here, and it may be what ends a dispute: an operator may go on.
    return [checks.steady(sight), checks.one_primary(sight, stray), checks.undisputed(sight, CheckVerdict.BAD),
            checks.answers(active, writable=True),
            checks.identity(sight, active), checks.epoch_row(sight, active)]


def _follows(sight: Sight) -> bool:
    report = sight.active.report
    rows = () if report is None else report.replication
    return any(same_name(row.name, sight.partner.name) and row.state == Replication.STREAMING for row in rows)


class Degrade(PairKind):
    """The pool goes on without its secondary."""

    name = "degrade"
    sketch = (GiveUp,)

    def refuse(self, sight: Sight) -> None:
        """Refuse when nobody is waited for."""
        report = sight.active.report
        if sight.ledger.standby is Standby.STALE and report is not None and report.synchronous_names == "":
            raise OperationRefused(Refused.DEGRADED(active=sight.active.name))

    def server_facts(self, sight: Sight) -> dict[str, Any]:
        """None: their leases end by themselves while commits wait for the secondary, and it changes nothing here."""
        return {}

    def checks(self, sight: Sight) -> list[Check]:
        """The secondary should really be gone."""
        name = sight.partner.name
        follows = _follows(sight) and not sight.lacking  # who streams is not the partner
        # A partner that somebody promoted is given up all the more: only then can it be made the secondary again.
        return [*_active(sight, CheckVerdict.WARNING),
                checks.check(not follows, CheckId.FOLLOWS, name, Found.STREAMS(streams=follows), Wanted.IS_GONE(),
                             Mend.NOTHING_TO_GIVE_UP(partner=name))]

    def loses(self, sight: Sight) -> Loss:
        """The protection."""
        return (nothing(Loses.PROTECTION(active=sight.active.name, partner=sight.partner.name)))


class ProtectKind(PairKind):
    """Commits wait for the secondary again."""

    name = "protect"
    sketch = (ProtectHere,)

    def refuse(self, sight: Sight) -> None:
        """Refuse when it is so."""
        if sight.ledger.standby is Standby.SYNC and checks.synchronous(sight).verdict is CheckVerdict.OK:
            raise OperationRefused(Refused.PROTECTED(partner=sight.partner.name))

    def checks(self, sight: Sight) -> list[Check]:
        """The secondary follows the active database."""
        name = sight.partner.name
        follows = _follows(sight)
        return [*_active(sight), checks.answers(sight.partner, writable=False), checks.identity(sight, sight.partner),
                checks.lag(sight), checks.only_partner(sight),
                checks.check(follows, CheckId.FOLLOWS, name, Found.STREAMS(streams=follows),
                             Found.STREAMS(streams=True), Mend.REJOIN(database=name), CheckVerdict.NEVER)]

    def loses(self, sight: Sight) -> Loss:
        """Nothing."""
        return nothing(Loses.COMMITS_TAKE_LONGER(partner=sight.partner.name))


class RejoinKind(PairKind):
    """A former primary, or a secondary that lost its way, follows the active database again, and is waited for."""

    name = "rejoin"
    sketch = (RejoinHere, ProtectHere)

    async def see(self, world: World) -> Sight:
        """With the way to the active database tried on the partner's host."""
        return await look(world, rehearse=_REHEARSAL)

    def refuse(self, sight: Sight) -> None:
        """Refuse when it follows."""
        if _follows(sight):
            raise OperationRefused(Refused.FOLLOWS(partner=sight.partner.name, active=sight.active.name))

    def checks(self, sight: Sight) -> list[Check]:
        """The active database works; the ledger does not count on the partner; it can be stopped and started."""
        name = sight.partner.name
        stale = sight.ledger.standby is Standby.STALE
        partner = sight.partner.report
        return [
            *(check for check in _active(sight) if check.name != CheckId.SPLIT),
            checks.check(stale, CheckId.PROTECTION, "ledger", sight.ledger.standby, Standby.STALE,
                         Mend.DEGRADE_FIRST(active=sight.active.name, partner=name)),
            checks.check(sight.partner.agent, CheckId.AGENT, name, Found.ONE() if sight.partner.agent else Found.NONE(),
                         Found.ONE(), Mend.WRITE_AGENT_OF(database=name), CheckVerdict.NEVER),
            checks.replaceable(sight, sight.partner), checks.only_partner(sight),
            *checks.way_back(sight, sight.partner, sight.active),
            checks.disk(sight, sight.partner, sight.active),
            checks.check(partner is None or partner.role is DatabaseRole.SECONDARY, CheckId.ROGUE_PRIMARY, name,
                         sight.partner.error or str(partner and partner.role), Wanted.STOPPED_OR_SECONDARY(),
                         Mend.STOPPED_FIRST(), CheckVerdict.WARNING),
        ]

    def loses(self, sight: Sight) -> Loss:
        """What the partner alone has."""
        return (something(Loses.OF_PARTNER(partner=sight.partner.name, active=sight.active.name)))
