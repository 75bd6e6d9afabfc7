"""Problems of mail servers."""

from __future__ import annotations

from collections.abc import Iterator

from tuiha.model.codes import CHECK, Action, Ahead, LostMail, Next, NoMail, ProblemCode, plan
from tuiha.model.facts import MailFacts, NodeKind, Problem, Severity
from tuiha.model.reports import MailState
from tuiha.model.scene import Scene


def mail_problems(scene: Scene) -> Iterator[Problem]:
    """Each mail server's one problem, and the users without mail."""
    yield from _without(scene)
    failing = {m.name: m.failing_since for m in scene.look.mail}
    for facts in scene.mail:
        partners = tuple(m.name for m in scene.mail
                         if m.cluster == facts.cluster and m.name != facts.name and m.state is MailState.UP)
        if facts.state is MailState.DOWN:
            told = LostMail(facts.cluster, partners, facts.error, facts.users, facts.in_service)
            then = plan("failover-mail", facts.name) if partners and facts.in_service is not False else CHECK
            yield Problem(Severity.BAD, NodeKind.MAIL, facts.name, ProblemCode.MAIL_DOWN, told, failing[facts.name],
                          next=then)
        elif facts.state is MailState.UP and facts.closed:
            yield _warned(facts, ProblemCode.MAIL_CLOSED, LostMail(facts.cluster, partners, facts.closed), CHECK)
        elif facts.state is MailState.OUT:
            yield _warned(facts, ProblemCode.MAIL_OUT, LostMail(facts.cluster, partners),
                          plan("return-mail", facts.name))


def _warned(facts: MailFacts, code: ProblemCode, told: LostMail, then: Next) -> Problem:
    return Problem(Severity.WARNING, NodeKind.MAIL, facts.name, code, told, next=then)


def _without(scene: Scene) -> Iterator[Problem]:
    """A problem for each cluster and reason for which users have no mail, or have it late."""
    for cluster in scene.without_mail:
        if cluster.late:
            yield Problem(Severity.WARNING, NodeKind.MAIL, cluster.cluster, ProblemCode.MAIL_LATE,
                          Ahead(cluster.ahead), next=CHECK)
        for trouble in cluster.troubles:
            yield Problem(Severity.WARNING, NodeKind.MAIL, cluster.cluster, ProblemCode.WITHOUT_MAIL, NoMail(trouble),
                          trouble.since, next=Next(Action.USERS_WITHOUT_MAIL))
