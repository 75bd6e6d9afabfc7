"""What hinders a change of roles, and what is odd at sprayers: check and the screen say the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.model.looks import SERVERS, healthy, primary, secondary, sprayer, with_database
from tuiha.model.check.finding import Level
from tuiha.model.check.findings import ExpectedPool, findings
from tuiha.model.check.manager import managed_findings
from tuiha.model.conclude import conclude
from tuiha.model.databases.active import standing
from tuiha.model.facts import Look, Verdict
from tuiha.model.reports import BackendReport, BackendState, Obstacles, ReplicationRow, SlotRow, Transaction
from tuiha.words.findings import said
from tuiha.words.problems import what as what_of

EXPECTED = ExpectedPool(frozenset(SERVERS), None, True, True)


def on_primary(**found: object) -> Look:
    return with_database(healthy(), primary(obstacles=Obstacles(**found)))  # type: ignore[arg-type]


def slots(*rows: SlotRow) -> Look:
    return with_database(healthy(), primary(slots=rows))


def at_spray1(change: Callable[[BackendReport], BackendReport]) -> Look:
    look = healthy()
    seen = look.sprayers[0].report
    assert seen is not None
    backends = tuple(change(one) if one.server == "s1" else one for one in seen.backends)
    return replace(look, sprayers=(sprayer("spray1", backends=backends), look.sprayers[1]))


CASES = [
    (on_primary(backups=1), "db1", "1 base backup running", "BACKUP"),
    (on_primary(prepared=("it's",)), "db1", "1 prepared transaction", "PREPARED"),
    (on_primary(long=(Transaction(4711, 11.0, "psql"),)), "db1", "transactions are open: process 4711 (psql)",
     "LONG-TRANSACTION"),
    (with_database(healthy(), secondary(obstacles=Obstacles(paused=True))), "db2", "replay is paused", "REPLAY"),
    (slots(SlotRow("forgotten", "physical", False, 1 << 30, "reserved")), "db1", "unused slot forgotten keeps",
     "SLOT"),
    (slots(SlotRow("db2", "physical", False, 1 << 30, "extended")), "db1", "slot db2 of the secondary keeps", "SLOT"),
    (slots(SlotRow("db2", "physical", False, None, "lost")), "db1", "slot db2 of the secondary has lost", "SLOT"),
    (at_spray1(lambda one: replace(one, checked=False)), "spray1", "no health check of s1", "UNCHECKED"),
    (at_spray1(lambda one: replace(one, state=BackendState.DOWN, check="L4CON")), "spray1", "cannot reach s1 (L4CON)",
     "CUT OFF"),
    (at_spray1(lambda one: replace(one, state=BackendState.MAINT)), "spray1", "sends no new users to s1", "DIFFERS"),
]


@pytest.mark.parametrize(("look", "subject", "what", "word"), CASES)
def test_check_and_the_screen_say_the_same(look: Look, subject: str, what: str, word: str) -> None:
    found = [one for one in findings(look, standing(look, None), EXPECTED)
             if one.subject == subject and said(one).what.startswith(what)]
    assert len(found) == 1
    assert found[0].level is not Level.OK
    assert said(found[0]).fix
    problems = [one for one in conclude(look).problems if one.subject == subject]
    assert [what_of(one).split("  ")[0] for one in problems] == [word]
    assert what in what_of(problems[0])


@pytest.mark.parametrize("look", [
    healthy(), on_primary(long=(Transaction(1, 9.0, "psql"),)),
    slots(SlotRow("db2", "physical", True, 1 << 40, "reserved"), SlotRow("archive", "physical", True, 0, "reserved")),
    slots(SlotRow("db2", "physical", False, 1 << 20, "reserved")),
    replace(healthy(), sprayers=tuple(sprayer(name, backends=tuple(
        BackendReport(server, BackendState.DRAIN if server == "s1" else BackendState.UP, 1, 0, 1)
        for server in SERVERS)) for name in ("spray1", "spray2"))),
])
def test_what_is_as_it_should_be_is_not_told(look: Look) -> None:
    assert not [one for one in findings(look, standing(look, None), EXPECTED) if one.level is not Level.OK]
    assert conclude(look).verdict is Verdict.HEALTHY


def test_what_is_not_serious_does_not_make_the_pool_degraded() -> None:
    assert conclude(on_primary(backups=1)).verdict is Verdict.HEALTHY
    assert conclude(with_database(healthy(), secondary(obstacles=Obstacles(paused=True)))).verdict is Verdict.DEGRADED


def test_a_member_that_commits_wait_for_and_nobody_here_knows() -> None:
    rows = (ReplicationRow("db2", "streaming", "sync", 0, 0.0), ReplicationRow("p3", "streaming", "quorum", 0, 0.0))
    look = with_database(healthy(), primary(replication=rows))
    assert [said(one).what for one in managed_findings(look, "Patroni") if one.level is Level.BAD] == [
        "commits wait for p3, which is not at database.nodes"]
    assert not [one for one in managed_findings(healthy(), "Patroni") if "p3" in said(one).what]
