"""What check concludes from a look."""

from __future__ import annotations

from dataclasses import replace

from tests.model.looks import (
    SERVERS,
    SYSTEM,
    failing,
    healthy,
    member,
    primary,
    record,
    secondary,
    server,
    sprayer,
    with_database,
    with_members,
    with_server,
)
from tuiha.model.check.facts import FindingCode, Tried
from tuiha.model.check.finding import Finding, Level
from tuiha.model.check.findings import Attempt, ExpectedPool, findings
from tuiha.model.databases.active import standing
from tuiha.model.facts import Look
from tuiha.model.reports import BackendReport, BackendState, ReplicationRow, Standby
from tuiha.words.findings import said

EXPECTED = ExpectedPool(frozenset(SERVERS), SYSTEM, ledger=True, operator=True)


def found(look: Look, expected: ExpectedPool = EXPECTED) -> dict[str, list[Finding]]:
    """Findings that are not ok, by subject; each must say what it means and what to do."""
    result: dict[str, list[Finding]] = {}
    for finding in findings(look, standing(look, None), expected):
        if finding.level != Level.OK:
            assert said(finding).means, finding
            assert said(finding).fix, finding
            result.setdefault(finding.subject, []).append(finding)
    return result


def what(look: Look, subject: str, expected: ExpectedPool = EXPECTED) -> str:
    return "; ".join(said(f).what for f in found(look, expected)[subject])


def test_a_whole_pool_has_no_finding_but_says_what_it_looked_at() -> None:
    assert found(healthy()) == {}
    ok = findings(healthy(), standing(healthy(), None), EXPECTED)
    assert {f.subject for f in ok} == {"db1", "db2", "ledger", *SERVERS, "spray1", "spray2", "mail1", "mail2"}


def test_tokens() -> None:
    assert "same" in what(healthy(), "control", replace(EXPECTED, same_tokens=True))
    assert found(healthy(), replace(EXPECTED, operator=False))["control"][0].level == Level.WARNING
    refused = Attempt("s1", FindingCode.OPERATOR_TOKEN, Tried("the server does not accept the token", None))
    assert what(healthy(), "s1", replace(EXPECTED, attempts=(refused,))) == \
        "the operator's token: the server does not accept the token"


def test_what_cannot_be_reached() -> None:
    look = replace(with_database(with_server(healthy(), failing(server("s1"))), failing(secondary())),
                   sprayers=(failing(sprayer("spray1")), sprayer("spray2")), ledger=failing(record(), "is damaged"))
    assert found(look).keys() == {"db2", "ledger", "s1", "spray1"}
    assert {f.level for every in found(look).values() for f in every} == {Level.BAD}
    assert what(look, "s1") == "does not answer at http://127.0.0.1:801: connection refused"


def test_the_physical_database() -> None:
    assert "the configuration expects 5" in what(healthy(), "db2", replace(EXPECTED, system_identifier="5"))
    other = with_database(healthy(), secondary(system_identifier="6"))
    assert "the ledger expects" in what(other, "db2", replace(EXPECTED, system_identifier=None))
    assert "the active database expects" in what(replace(other, ledger=None), "db2",
                                                       replace(EXPECTED, system_identifier=None))
    attached = with_server(healthy(), server("s2", system_identifier="7"))
    assert f"it uses the physical database 7, not {SYSTEM}" in what(attached, "s2")
    assert "it uses db2, although db1 is active" in what(with_server(healthy(), server("s2", database="db2")), "s2")


def test_roles_and_replication() -> None:
    row = ReplicationRow("db2", "streaming", "async", 0, 0.0)
    assert what(with_database(healthy(), primary(replication=(row,))), "db1") == "replication to db2 is async"
    assert what(with_database(healthy(), primary(replication=())), "db1") == "replication to db2 is not streaming"
    assert "it accepts writes, although db1 is active" in what(with_database(healthy(), primary("db2")), "db2")
    assert "not writable" in what(with_database(healthy(), primary(writable=False)), "db1")
    assert "versions differ" in what(with_database(healthy(), secondary(version="17.2")), "PostgreSQL")


def test_the_ledger() -> None:
    assert "epoch 9" in what(replace(healthy(), ledger=record(epoch=9)), "ledger")
    assert "STALE" in what(replace(healthy(), ledger=record(standby=Standby.STALE)), "ledger")
    assert "'west'" in what(replace(healthy(), ledger=record(pool="west")), "ledger")
    assert "RUNNING" in what(replace(healthy(), ledger=record(intent="{}")), "ledger")
    assert "none is configured" in what(replace(healthy(), ledger=None), "ledger", replace(EXPECTED, ledger=False))


def test_what_a_server_saw_of_the_pair_is_told_once() -> None:
    """A server that may only read the ledger writes it into the database."""
    report = primary().report
    assert report is not None
    assert report.epoch is not None
    doubted = with_database(healthy(), primary(epoch=replace(report.epoch, standby="DOUBTED")))
    assert "a server saw it acknowledge writes without db2" in what(doubted, "db1")
    known = found(replace(doubted, ledger=record(standby=Standby.STALE)))
    assert [*known] == ["ledger"]


def test_servers() -> None:
    assert "'west'" in what(with_server(healthy(), server("s1", pool="west")), "s1")
    assert "its epoch is 11, the pool's is 12" in what(with_server(healthy(), server("s1", epoch=11)), "s1")
    assert "no lease" in what(with_server(healthy(), server("s1", lease_seconds=0.0)), "s1")
    joined = with_members(healthy(), *(member(s) for s in SERVERS[1:]))
    assert "not in the database's table" in what(joined, "s1")
    assert what(with_server(healthy(), server("s1", version="0.0.9")), "tuiha") == \
        "versions differ: s1: 0.0.9; s2, s3, s4: 0.1.0"
    assert "no pool server is known" in what(replace(healthy(), servers=()), "east")


def test_sprayers_and_mail_that_stand_alone_or_do_not_know_the_servers() -> None:
    backends = tuple(BackendReport(s, BackendState.UP, 1, 0, 1) for s in ("s1", "s2", "s3", "old"))
    look = replace(healthy(), sprayers=(sprayer("spray1", backends=backends),), mail=healthy().mail[:1])
    assert what(look, "spray1") == ("it is the only sprayer; it has no backend for s4; "
                                    "its backend names old, which the pool does not have")
    assert what(look, "mail1") == "it is alone in cluster east"
