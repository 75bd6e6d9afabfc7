"""Checks of a pair under Patroni: what it says of itself, and whom it counts on."""

from __future__ import annotations

from collections.abc import Iterator

from tuiha.model.databases.durability import IN_STEP, same_name
from tuiha.model.databases.replication import Replication
from tuiha.model.operations.judgements import Found, Mend, Wanted
from tuiha.model.operations.plans import CheckId, CheckVerdict
from tuiha.model.reports import LEADERLESS, Managed
from tuiha.operate.database.checks import check
from tuiha.operate.database.sight import NodeSight, Sight
from tuiha.operate.plans.plan import Check
from tuiha.words.states import in_words

MANAGER = "manager"  # in a plan's details, who changes the roles; of a node, what it says


def said_of(node: NodeSight) -> Managed | None:
    """What Patroni says of a node, when both could be asked."""
    return node.report.managed if node.report is not None else None


def leads(sight: Sight) -> Iterator[Check]:
    """Patroni answers, and knows the leader that the pool is on."""
    for node in sight.nodes.values():
        said = said_of(node)
        if said is None:
            continue  # PostgreSQL does not answer there: another check says so, with Patroni's words
        nobody = sight.ledger.phase == LEADERLESS and said.leader is None
        good = said.error is None and (nobody or said.leader == sight.ledger.active)
        yield check(good, CheckId.PATRONI, node.name, said.error or Found.LEADER(leader=said.leader),
                    Wanted.LEADER(leader=sight.ledger.active), Mend.LOOK_AT_PATRONI(node=node.name))


def asked(partner: NodeSight) -> Check:
    """The partner's Patroni is there to do it."""
    said = partner.obstacles.get(MANAGER)
    good = isinstance(said, Managed) and said.error is None
    return check(good, CheckId.PATRONI, partner.name,
                 in_words(said) if isinstance(said, Managed) else Found.NOT_ASKED(), Found.ANSWERS(),
                 Mend.START_PATRONI(partner=partner.name))


def patroni(sight: Sight) -> Iterator[Check]:
    """Patroni knows the leader, does by itself what it should, and has nothing else to do."""
    yield from leads(sight)
    known = [said for node in sight.nodes.values() if (said := said_of(node)) is not None and said.error is None]
    paused = any(said.paused for said in known)
    yield check(not paused, CheckId.MAINTENANCE, "Patroni", Found.PAUSED(paused=paused), Found.PAUSED(paused=False),
                Mend.RESUME_PATRONI(),
                CheckVerdict.WARNING)
    scheduled = next((said.scheduled for said in known if said.scheduled), None)
    yield check(scheduled is None, CheckId.SCHEDULED, "Patroni", scheduled or Found.NONE(), Wanted.NO_SWITCHOVER(),
                Mend.FLUSH_SWITCHOVER())
    synchronous = all(said.synchronous for said in known if said.synchronous is not None)
    yield check(synchronous, CheckId.SYNCHRONOUS_MODE, "Patroni", Found.IS_ON(on=synchronous), Found.IS_ON(on=True),
                Mend.SYNCHRONOUS_MODE())
    restart = [node.name for node in sight.nodes.values() if (said := said_of(node)) and said.pending_restart]
    yield check(not restart, CheckId.PENDING_RESTART, "Patroni", Found.NAMES(names=restart), Found.NONE(),
                Mend.RESTART_FOR_SETTINGS(), CheckVerdict.WARNING)


def streaming(sight: Sight, name: str) -> bool:
    """Whether the active database sends it the log."""
    report = sight.active.report
    return any(same_name(row.name, name) and row.state == Replication.STREAMING
               for row in (report.replication if report else ()))


def follows(sight: Sight) -> Check:
    """Commits wait for the partner; for others as well, if Patroni is set so."""
    report, partner = sight.active.report, sight.partner
    rows = () if report is None else report.replication
    waited = any(same_name(row.name, partner.name) and row.sync_state in IN_STEP for row in rows)
    receiving = partner.report is not None and bool(partner.report.receiving)
    return check(waited and streaming(sight, partner.name) and receiving, CheckId.SYNCHRONOUS, sight.active.name,
                 Found.FOLLOWERS(rows=[f"{row.name} {row.sync_state}" for row in rows]),
                 Wanted.IN_STEP(partner=partner.name),
                 Mend.WAIT_FOR_PATRONI(partner=partner.name))


def candidate(sight: Sight) -> Check:
    """The partner is one that Patroni may promote."""
    partner, said = sight.partner, said_of(sight.partner)
    return check(partner.in_step, CheckId.CANDIDATE, partner.name, Found.UNKNOWN() if said is None else in_words(said),
                 "sync_standby", Mend.WAIT_FOR_PATRONI_TO_COUNT())
