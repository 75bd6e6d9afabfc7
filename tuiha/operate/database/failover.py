"""failover: the active database is gone or cut off, and the secondary takes its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tuiha.model.operations.evidence import Loses
from tuiha.model.operations.judgements import Found, Mend, Wanted
from tuiha.model.operations.plans import CheckId, CheckVerdict, Loss, Moment, nothing, something
from tuiha.model.operations.statements import Statement
from tuiha.model.reports import Standby
from tuiha.operate.database import checks
from tuiha.operate.database.kinds import PairKind, outage, unserved
from tuiha.operate.database.sight import Sight, look
from tuiha.operate.database.steps.epochs import Announce, BeginEpoch, RecordStep
from tuiha.operate.database.steps.rejoin import RejoinIfThere
from tuiha.operate.database.steps.replication import Cut, FenceOld, ProtectAfter, ReplayStep, ResetConnection
from tuiha.operate.database.steps.roles import Promote
from tuiha.operate.database.steps.servers import Attach, LetGo, Verify
from tuiha.operate.plans.plan import Check, Plan
from tuiha.operate.reach.world import World

_REHEARSAL = 3.0  # seconds for an agent whose host may be gone
_SILENT = 3.0  # seconds; each server writes its lease every second


class Failover(PairKind):
    """The secondary becomes the active database without the old one's help."""

    name = "failover"
    phase = "FAILOVER"
    sketch = (
        Announce,
        Cut,
        FenceOld,
        ReplayStep,
        LetGo,
        Promote,
        BeginEpoch,
        RecordStep,
        Attach,
        Verify,
        ResetConnection,
        RejoinIfThere,
        ProtectAfter,
    )

    async def see(self, world: World) -> Sight:
        """Every server tries the active database three times: one that reaches it counts more than all others."""
        return await look(world, partner=True, active=3, rehearse=_REHEARSAL)

    def server_facts(self, sight: Sight) -> dict[str, Any]:
        """Who answers; where they are attached changes by itself while their leases end."""
        return {server.name: "answers" for server in sight.servers if server.report is not None}

    def checks(self, sight: Sight) -> list[Check]:
        """The active one is gone for everybody, the partner is what the ledger means, and has everything."""
        partner = sight.partner
        return [
            checks.steady(sight), checks.one_primary(sight), gone(sight), not_received(sight),
            checks.protected(sight), checks.answers(partner, writable=False), checks.identity(sight, partner),
            checks.epoch_row(sight, partner), *checks.replaying(partner),
            *checks.rights(partner), checks.disk(sight, sight.active, partner), checks.leases(sight),
            # The pool is down: that the old one will not follow is told, and stops nothing.
            *checks.way_back(sight, sight.active, partner, CheckVerdict.WARNING),
            *_servers(sight), *checks.sprayers(sight),
        ]

    def loses(self, sight: Sight) -> Loss:
        """Nothing, or what the secondary lacks."""
        if holes := checks.holes_of(sight):
            return something(Loses.HOLES(partner=sight.partner.name, gaps=holes, why=checks.words_of(sight, holes)))
        if sight.ledger.standby is Standby.SYNC:
            return nothing(Loses.ON_PARTNER(partner=sight.partner.name))
        return something(Loses.SINCE_STALE(partner=sight.partner.name))

    def outcome(self, plan: Plan, evidence: Mapping[int, Statement]) -> Mapping[str, object]:
        """The time from the first step to the last server's lease; and since when nobody was served."""
        return {**outage(evidence, Moment.BEGUN), **unserved(evidence)}


def seen_by(sight: Sight) -> list[str]:
    """Who still reaches the active database."""
    name = sight.active.name
    return [*(["this host"] if sight.active.report is not None else []),
            *(server.name for server in sight.servers if name in server.probes)]


def gone(sight: Sight) -> Check:
    """Nobody reaches the active database; else it is disputed, who sees what is shown, and no override helps.

    Somebody who is sure that it must go can make it so: stopped, it is seen by nobody.
    """
    name, seen = sight.active.name, seen_by(sight)
    asked = [server.name for server in sight.servers if server.report is not None]
    asked = ["this host", *asked]
    found = Found.SEEN_BY(who=seen) if seen else Found.SEEN_BY_NOBODY(asked=asked)
    return checks.check(not seen, CheckId.DISPUTED, name, found, Wanted.SEEN_BY_NOBODY(),
                        Mend.IT_IS_THERE(database=name),
                        CheckVerdict.NEVER)


def not_received(sight: Sight) -> Check:
    """The secondary receives nothing from it: its receiver is gone, or has heard nothing for as long as three leases
    need to be renewed. A primary that hangs keeps its connections."""
    report, silence = sight.partner.report, sight.partner.obstacles.get("silence")
    connected = report is not None and bool(report.receiving)
    receiving = connected and (silence is None or silence < _SILENT)
    found = Found.RECEIVES(receiving=receiving, silence=silence if connected else None)
    return checks.check(not receiving, CheckId.RECEIVING, sight.partner.name, found, Wanted.RECEIVES_NOTHING(),
                        Mend.IT_SENDS(active=sight.active.name))


def _servers(sight: Sight) -> Iterator[Check]:
    """Servers should reach the new primary; one that does not is without a database afterwards."""
    partner, reaching = sight.partner.name, []
    for server in sight.servers:
        if sight.ledger.system_identifier == server.probes.get(partner):
            reaching.append(server.name)
        why = None if server.name in reaching else server.error or server.failures.get(partner, "not asked")
        yield checks.check(server.name in reaching, CheckId.SERVER, server.name,
                           Found.REACHES(partner=partner, why=why), Wanted.REACHES(partner=partner),
                           Mend.WITHOUT_DATABASE(partner=partner), CheckVerdict.WARNING)
    yield checks.check(bool(reaching), CheckId.SERVERS, "pool", Found.NAMES(names=reaching),
                       Wanted.ONE_REACHES(partner=partner), Mend.OPEN_WAYS(partner=partner))
