"""Checks of a pair under Patroni: what it says of itself, and whom it counts on."""

from __future__ import annotations

from collections.abc import Iterator

from tuiha.model.databases.durability import IN_STEP, same_name
from tuiha.model.reports import LEADERLESS, Managed
from tuiha.operate.database.checks import check
from tuiha.operate.database.sight import NodeSight, Sight
from tuiha.operate.plans.plan import Check, CheckVerdict
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
        yield check(good, "patroni", node.name, said.error or f"leader {said.leader or 'none'}",
                    f"leader {sight.ledger.active}", f"look at Patroni on {node.name}, and at its store")


def asked(partner: NodeSight) -> Check:
    """The partner's Patroni is there to do it."""
    said = partner.obstacles.get(MANAGER)
    good = isinstance(said, Managed) and said.error is None
    return check(good, "patroni", partner.name, in_words(said) if isinstance(said, Managed) else "not asked",
                 "answers", f"start Patroni on {partner.name}: it may be all that is needed")


def patroni(sight: Sight) -> Iterator[Check]:
    """Patroni knows the leader, does by itself what it should, and has nothing else to do."""
    yield from leads(sight)
    known = [said for node in sight.nodes.values() if (said := said_of(node)) is not None and said.error is None]
    paused = any(said.paused for said in known)
    yield check(not paused, "maintenance", "Patroni", "paused" if paused else "not paused", "not paused",
                "`patronictl resume`: while it is paused, Patroni starts and rejoins nothing by itself",
                CheckVerdict.WARNING)
    scheduled = next((said.scheduled for said in known if said.scheduled), None)
    yield check(scheduled is None, "scheduled", "Patroni", scheduled or "none", "no switchover to come",
                "`patronictl flush CLUSTER switchover`")
    synchronous = all(said.synchronous for said in known if said.synchronous is not None)
    yield check(synchronous, "synchronous-mode", "Patroni", "on" if synchronous else "off", "on",
                "`patronictl edit-config`: synchronous_mode: true; without it a failover loses writes")
    restart = [node.name for node in sight.nodes.values() if (said := said_of(node)) and said.pending_restart]
    yield check(not restart, "pending-restart", "Patroni", ", ".join(restart) or "none", "none",
                "`patronictl restart`: settings wait for it", CheckVerdict.WARNING)


def streaming(sight: Sight, name: str) -> bool:
    """Whether the active database sends it the log."""
    report = sight.active.report
    return any(same_name(row.name, name) and row.state == "streaming" for row in (report.replication if report else ()))


def follows(sight: Sight) -> Check:
    """Commits wait for the partner; for others as well, if Patroni is set so."""
    report, partner = sight.active.report, sight.partner
    rows = () if report is None else report.replication
    waited = any(same_name(row.name, partner.name) and row.sync_state in IN_STEP for row in rows)
    receiving = partner.report is not None and bool(partner.report.receiving)
    return check(waited and streaming(sight, partner.name) and receiving, "synchronous", sight.active.name,
                 ", ".join(f"{row.name} {row.sync_state}" for row in rows) or "nobody follows",
                 f"{partner.name} in step, and receiving",
                 f"wait until Patroni counts on {partner.name}: `patronictl list`")


def candidate(sight: Sight) -> Check:
    """The partner is one that Patroni may promote."""
    partner, said = sight.partner, said_of(sight.partner)
    return check(partner.in_step, "candidate", partner.name, "unknown" if said is None else in_words(said),
                 "sync_standby", "wait until Patroni counts on it: `patronictl list`")
