"""What `tuiha check` finds of guards and their orders."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.model.looks import NOW, healthy, primary, with_database
from tuiha.model.check.facts import FindingCode
from tuiha.model.check.finding import Level
from tuiha.model.check.guard import guard_findings
from tuiha.model.check.inspection import Inspection
from tuiha.model.facts import Look, Polled
from tuiha.model.guard.report import GuardOrder, GuardRecord, GuardReport, StandingOrders
from tuiha.words.findings import said

REPORT = GuardReport("g1", "h1", NOW - 90, (GuardOrder.FAILOVER,))


def watched(report: GuardReport | None = REPORT) -> Look:
    return replace(healthy(), guard=Polled("guard", "ledger.json", GuardRecord(report=report), NOW))


def ordered(after: float = 3.0, *, lease: float = 5.0, file: bool = False) -> Inspection:
    return Inspection(orders=StandingOrders({GuardOrder.FAILOVER: after}), lease=lease, ledger_file=file)


@pytest.mark.parametrize(("look", "seen", "codes"), [
    (watched(), ordered(), [FindingCode.GUARD]),
    (watched(None), ordered(), [FindingCode.GUARD_OFF]),
    (healthy(), ordered(), [FindingCode.GUARD_OFF]),
    (watched(), ordered(2.9), [FindingCode.GUARD_SHORT]),  # a lease is renewed every second, and a third is enough
    (watched(), ordered(2.9, lease=4.0), [FindingCode.GUARD]),
    (watched(), ordered(file=True), [FindingCode.GUARD_ONE_HOST, FindingCode.GUARD]),
    (watched(), Inspection(orders=StandingOrders()), []),
    (watched(), Inspection(), []),
])
def test_each_finding(look: Look, seen: Inspection, codes: list[FindingCode]) -> None:
    assert [finding.code for finding in guard_findings(look, seen)] == codes


def test_an_order_must_outlast_ten_of_the_slowest_answers() -> None:
    slow = with_database(watched(), replace(primary(), duration_ms=400.0))
    [finding] = guard_findings(slow, ordered())
    assert finding.level is Level.WARNING
    assert said(finding).what == "failover after 3 s; the slowest answer took 0.400 s"
    assert said(finding).fix == "write at least 4.0 s at guard.failover.after"
    assert [one.code for one in guard_findings(slow, ordered(4.0))] == [FindingCode.GUARD]


def test_what_is_well_names_the_guard() -> None:
    [finding] = guard_findings(watched(), ordered())
    assert said(finding).what == "g1 is active, and may failover"
