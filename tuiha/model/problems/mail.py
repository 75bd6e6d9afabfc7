"""Problems of mail servers."""

from __future__ import annotations

from collections.abc import Iterator

from tuiha.model.facts import MailFacts, NodeKind, Problem, Severity
from tuiha.model.problems.mail_trouble import UNTOLD, TroubleReport, explained
from tuiha.model.rows import DOWN, OUT, UP
from tuiha.model.scene import Scene
from tuiha.model.words import count, names


def mail_problems(scene: Scene) -> Iterator[Problem]:
    """Each mail server's one problem, and the users without mail."""
    yield from _without(scene)
    failing = {m.name: m.failing_since for m in scene.look.mail}
    for facts in scene.mail:
        partners = [m.name for m in scene.mail
                    if m.cluster == facts.cluster and m.name != facts.name and m.state == UP]
        if facts.state == DOWN:
            yield _down(facts, partners, failing[facts.name])
        elif facts.state == UP and facts.closed:
            yield Problem(Severity.WARNING, NodeKind.MAIL, facts.name, f"CLOSED  lets nobody in: {facts.closed}",
                          "Users that are connected stay. "
                          + (f"The others are monitored through {names(partners)}" if partners
                             else "No other server of its cluster takes the others"), None, "tuiha check")
        elif facts.state == OUT:
            yield Problem(Severity.WARNING, NodeKind.MAIL, facts.name, "OUT  out of service, though it answers",
                          f"its users are monitored through {names(partners)}" if partners
                          else "no other server of its cluster answers: its users' mail is not monitored",
                          None, f"tuiha plan return-mail {facts.name}", "f")


def _without(scene: Scene) -> Iterator[Problem]:
    """A problem for each cluster and reason for which users have no mail, or have it late."""
    for cluster in scene.without_mail:
        if cluster.late:
            yield Problem(Severity.WARNING, NodeKind.MAIL, cluster.cluster,
                          f"LATE  {cluster.ahead:,} mailboxes ahead of their cursors",
                          f"Devices get new mail up to a minute late. {UNTOLD.then}", None, "tuiha check")
        for trouble in cluster.troubles:
            said = explained(trouble.reason)
            yield Problem(Severity.WARNING, NodeKind.MAIL, cluster.cluster,
                          f"{said.what.upper()}  {count(trouble.users, 'user')} without mail",
                          f"Their devices get no new mail: {_named(trouble)}. {said.then}", trouble.since,
                          "tuiha users --without-mail")


def _named(trouble: TroubleReport) -> str:
    more = trouble.users - len(trouble.examples)
    named = ", ".join(trouble.examples) + (f" and {more} more" if more > 0 and trouble.examples else "")
    return f"{named or count(trouble.users, 'user')}{f' ({trouble.text})' if trouble.text else ''}"


def _down(facts: MailFacts, partners: list[str], since: float | None) -> Problem:
    """A mail server is gone: what that means depends on the rest of its cluster."""
    if not partners:
        means, then, key = (f"no server of cluster {facts.cluster} answers: its users' mail is not monitored",
                            "tuiha check", None)
    elif facts.in_service is False:
        means, then, key = (f"it is out of service; its users are monitored through {names(partners)}",
                            "tuiha check", None)
    else:
        left = f", {count(facts.users, 'user')} still to move" if facts.users else ""
        means = f"its users are monitored through {names(partners)}{left}; it would be used again when it comes back"
        then, key = f"tuiha plan failover-mail {facts.name}", "f"
    return Problem(Severity.BAD, NodeKind.MAIL, facts.name, f"DOWN  {facts.error}", means, since, then, key)
