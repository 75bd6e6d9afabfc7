"""What a look says of mail: users without it, and mail servers as the pool servers' probes see them."""

from __future__ import annotations

from dataclasses import replace

from tests.model.looks import NOW, healthy, server
from tuiha.model.check.finding import Level
from tuiha.model.check.findings import ExpectedPool, findings
from tuiha.model.conclude import conclude
from tuiha.model.databases.active import standing
from tuiha.model.events import events
from tuiha.model.facts import Look, MailFacts, Severity, Snapshot, Verdict
from tuiha.model.problems.mail_trouble import (
    MOST_EXAMPLES,
    MOST_REASONS,
    ClusterReport,
    MailSight,
    TroubleReport,
    ranked,
    summed,
)
from tuiha.model.reports import MailState
from tuiha.words.events import text
from tuiha.words.findings import said
from tuiha.words.next import command
from tuiha.words.problems import means, what

WELL = ClusterReport("east", 250, 250, 0, 0)


def refused(users: int, *names: str, since: float = NOW - 60.0) -> ClusterReport:
    return ClusterReport("east", 250, 250 - users, 0, users, (
        TroubleReport("login-refused", users, since, names, "who are you?"),))


def look(*reports: ClusterReport | None, sights: tuple[tuple[MailSight, ...] | None, ...] = ()) -> Look:
    """A healthy pool of which s1, s2, ... report so of users, and so of mail servers."""
    made = healthy()
    every = [server(s.name, mail=None if place >= len(reports) or reports[place] is None else (reports[place],),
                    mail_servers=sights[place] if place < len(sights) else None)
             for place, s in enumerate(made.servers)]
    return replace(made, servers=tuple(every))


def mail(snapshot: Snapshot, name: str) -> MailFacts:
    return next(one for one in snapshot.mail if one.name == name)


def test_a_pool_whose_users_all_have_mail_is_healthy() -> None:
    snapshot = conclude(look(WELL, WELL))
    assert snapshot.verdict is Verdict.HEALTHY
    assert snapshot.without_mail[0].connected == 500


def test_servers_of_an_earlier_version_say_nothing_and_nothing_is_made_of_it() -> None:
    snapshot = conclude(look())
    assert snapshot.verdict is Verdict.HEALTHY
    assert snapshot.without_mail == ()


def test_users_without_mail_are_a_problem_for_each_cluster_and_reason() -> None:
    snapshot = conclude(look(refused(9, "anna"), refused(3, "bob", since=NOW - 90.0), WELL))
    assert snapshot.verdict is Verdict.DEGRADED
    problem, = snapshot.problems
    assert (problem.severity, problem.subject) == (Severity.WARNING, "east")
    assert what(problem) == "LOG-IN REFUSED  12 users without mail"
    assert problem.since == NOW - 90.0
    assert "anna, bob and 10 more (who are you?)" in means(problem)
    assert command(problem.next) == "tuiha users --without-mail"
    assert snapshot.without_mail[0].servers == ("s1", "s2")


def test_mailboxes_ahead_of_their_cursors_are_a_problem_with_their_number() -> None:
    late = replace(WELL, ahead=4)
    snapshot = conclude(look(late, replace(WELL, ahead=3)))
    problem, = snapshot.problems
    assert (snapshot.verdict, problem.severity) == (Verdict.DEGRADED, Severity.WARNING)
    assert what(problem) == "LATE  7 mailboxes had unreported mail"
    hurt = look(late, late)
    expected = ExpectedPool(frozenset(), None, ledger=True, operator=True)
    assert [one.level for one in findings(hurt, standing(hurt, None), expected)
            if said(one).what.startswith("8 mailboxes had unreported mail")] == [Level.WARNING]


def test_few_that_are_ahead_may_be_chance() -> None:
    """A mail arrives in the moment between IDLE and a look."""
    for reports in ([replace(WELL, ahead=1)], [replace(WELL, ahead=2), WELL]):
        assert conclude(look(*reports)).problems == ()


def test_a_reason_that_a_newer_server_names_is_shown_as_it_is() -> None:
    odd = ClusterReport("east", 2, 1, 0, 1, (TroubleReport("eclipse", 1, None),))
    problem, = conclude(look(odd)).problems
    assert what(problem) == "ECLIPSE  1 user without mail"


def test_events_tell_when_it_begins_and_when_it_ends_and_not_in_between() -> None:
    well, few, more = conclude(look(WELL)), conclude(look(refused(1, "anna"))), conclude(look(refused(2, "anna")))
    assert [text(e) for e in events(well, few)] == [
        "HEALTHY -> DEGRADED", "1 user without mail: log-in refused (anna)"]
    assert [text(e) for e in events(few, more)] == []
    assert [text(e) for e in events(more, well)] == [
        "DEGRADED -> HEALTHY", "log-in refused: no user is affected any more"]


def test_what_is_summed_is_bounded() -> None:
    many = ranked(TroubleReport(f"r{n:02}", n, None) for n in range(50))
    assert len(many) == MOST_REASONS
    assert many[0].users == 49
    total, = summed(("s", refused(5, *"abcde")) for _ in range(9))
    assert total.troubles[0].users == 45
    assert len(total.troubles[0].examples) == MOST_EXAMPLES


GONE = "probe: connection refused"


def test_a_mail_server_that_any_pool_server_hears_is_up() -> None:
    lost = replace(look(WELL), mail=tuple(replace(m, error="no answer", failures=9) for m in look(WELL).mail))
    assert mail(conclude(lost), "mail1").state == MailState.DOWN, "the watcher's own polls"
    told = look(
        WELL, WELL, sights=((MailSight("mail1", 0.4, 1.5, "ready"),), (MailSight("mail1", 30.0, 1.5, "", GONE),))
    )
    facts = mail(conclude(replace(told, mail=lost.mail)), "mail1")
    assert (facts.state, facts.latency_ms) == (MailState.UP, 1.5)


def test_a_mail_server_that_no_pool_server_hears_is_down_and_says_why() -> None:
    told = look(
        WELL, WELL, sights=((MailSight("mail1", 8.0, 1.5, "", GONE),), (MailSight("mail1", 7.0, 1.5, "", GONE),))
    )
    snapshot = conclude(told)
    facts = mail(snapshot, "mail1")
    assert (facts.state, facts.error, facts.failing_since) == (MailState.DOWN, GONE, NOW - 7.0)
    assert what(snapshot.problems[0]) == f"DOWN  {GONE}"
    assert mail(snapshot, "mail2").state == MailState.UP, "nobody reports of it: the watcher's own poll"


def test_one_that_never_answered_is_down_when_a_probe_says_so() -> None:
    gone, begun = MailSight("mail1", None, None, "", GONE), MailSight("mail1", None)
    assert mail(conclude(look(WELL, sights=((gone,),))), "mail1").state == MailState.DOWN
    assert mail(conclude(look(WELL, sights=((begun,),))), "mail1").state == MailState.UP, "it has just begun"


def test_a_closed_one_is_a_problem() -> None:
    snapshot = conclude(look(WELL, sights=((MailSight("mail1", 0.1, 1.0, "", None, "the directory is away"),),)))
    assert mail(snapshot, "mail1").state == MailState.UP
    problem, = snapshot.problems
    assert what(problem) == "CLOSED  refuses log-ins: the directory is away"
    assert "mail2" in means(problem)


def test_what_a_server_that_does_not_answer_said_before_counts_no_more() -> None:
    told = look(WELL, sights=((MailSight("mail1", 9.0, 1.0, "", GONE),),))
    silent = replace(told, servers=tuple(replace(s, error="no answer", failures=1) for s in told.servers))
    assert mail(conclude(silent), "mail1").state == MailState.UP, "the watcher's own poll"


def test_check_names_users_without_mail_and_mail_servers_that_a_pool_server_does_not_use() -> None:
    hurt = look(refused(2, "anna", "bob"), sights=((MailSight("mail1", 9.0, 1.0, "", GONE),),))
    found = [
        f
        for f in findings(hurt, standing(hurt, None), ExpectedPool(frozenset(), None, ledger=True, operator=True))
        if f.subject in ("east", "mail1") and f.level != Level.OK
    ]
    assert [said(f).what for f in found] == [
        f"pool server s1 does not use it: {GONE}", "2 users without mail: log-in refused"]
    assert all(said(f).means and said(f).fix for f in found)
