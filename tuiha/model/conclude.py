"""From a look to a snapshot: facts, problems, verdict. Pure."""

from __future__ import annotations

from tuiha.model.databases.active import ActiveStanding, standing
from tuiha.model.databases.split import dispute, split
from tuiha.model.facts import Look, Polled, R, Snapshot
from tuiha.model.problems.mail_sights import closed, sights, with_sights
from tuiha.model.problems.mail_trouble import summed
from tuiha.model.problems.operation import running_in
from tuiha.model.problems.ranked import problems
from tuiha.model.rates import backends, requests, transactions
from tuiha.model.rows import backup_facts, database_facts, down, mail_facts, server_facts, sprayer_facts
from tuiha.model.rules import Rules
from tuiha.model.scene import Scene
from tuiha.model.since import unserved_since
from tuiha.model.verdict import protection, verdict
from tuiha.model.words import natural

_RULES = Rules()


def conclude(look: Look, previous: Snapshot | None = None, earlier: Look | None = None, rules: Rules = _RULES,
             ) -> Snapshot:
    """Conclude on a look. `previous` is the snapshot and `earlier` the look before this one, when there are any.

    Without an earlier look there are no rates, and every contradiction counts as a split: look again then.
    """
    look = with_sights(look, rules)
    stand, told = standing(look, previous), sights(look)
    commits, asked = transactions(look, earlier, previous), requests(look, earlier, previous)
    behind = backends(look, earlier, previous)
    intent = stand.ledger.intent if stand.ledger is not None else None
    since, seen_at = _intent_since(intent, look.at, previous), look.ledger.seen_at if look.ledger is not None else None
    servers = tuple(server_facts(s, stand, rules) for s in sorted(look.servers, key=_order))
    scene = Scene(
        look=look,
        stand=stand,
        rules=rules,
        servers=servers,
        databases=tuple(database_facts(d, stand, rules, commits.get(d.name)) for d in look.databases),
        sprayers=tuple(sprayer_facts(s, rules, asked.get(s.name), behind.get(s.name, {})) for s in look.sprayers),
        mail=tuple(mail_facts(m, stand, rules, closed(told.get(m.name, {}))) for m in look.mail),
        split=split(look, earlier),
        dispute=dispute(look, earlier, stand, rules),
        without_mail=summed((s.name, one) for s in look.servers if s.report is not None and not down(s, rules)
                            for one in s.report.mail or ()),
        running=running_in(intent, look.at if seen_at is None else seen_at, since),
        backup=backup_facts(look.backup, rules),
        unserved_since=unserved_since(look, servers, stand, rules, previous),
    )
    found = problems(scene, previous)
    return Snapshot(
        pool=look.pool,
        at=look.at,
        number=look.number,
        interval=look.interval,
        verdict=verdict(scene, found),
        epoch=stand.epoch,
        active=stand.active,
        protection=protection(scene),
        users=_users(stand),
        problems=found,
        servers=scene.servers,
        databases=scene.databases,
        sprayers=scene.sprayers,
        mail=scene.mail,
        intent=intent,
        intent_since=since,
        intent_seen_at=seen_at,
        manager=rules.manager,
        without_mail=scene.without_mail,
        unserved_since=scene.unserved_since,
        backup=scene.backup,
        held_by=None if scene.held_by is None else scene.held_by.kind,
        guard=None if look.guard is None else look.guard.report,
    )


def _order(polled: Polled[R]) -> tuple[tuple[int, int, str], ...]:
    return natural(polled.name)


def _intent_since(intent: str | None, at: float, previous: Snapshot | None) -> float | None:
    """When the ledger's intent was seen to change; None on the first look, which cannot tell."""
    if previous is None or intent is None:
        return None
    return previous.intent_since if previous.intent == intent else at


def _users(stand: ActiveStanding) -> int | None:
    """Users of the pool: the rows of app_user, else those that are bound to a server."""
    report = stand.primary.report if stand.primary is not None else None
    if report is not None and report.users is not None:
        return report.users
    return sum(m.users for m in stand.members.values()) if stand.members else None
