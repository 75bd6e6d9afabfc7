"""A confirmation says when a guard is about to do the same, and when it has begun."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.model.looks import NOW, record
from tests.model.test_guard import primary_gone
from tests.words.test_guard import FAILOVER, REPORT
from tests.words.test_operations_language import a_plan
from tuiha.model.conclude import conclude
from tuiha.model.facts import Polled, Snapshot
from tuiha.model.guard.report import GuardOrder, GuardRecord
from tuiha.model.operations.intent import Intent
from tuiha.tui.draw.spans import plain
from tuiha.tui.operations.lines.confirm import ConfirmSight, above_entry


def shown(snapshot: Snapshot, kind: str = "failover") -> str:
    plan = replace(a_plan(), kind=kind)
    return "\n".join(plain(line) for line in above_entry(ConfirmSight(plan, snapshot, "db1 DOWN", "ctrl+r"), 80, 30))


def seen(order: GuardOrder = GuardOrder.FAILOVER, intent: Intent | None = None) -> Snapshot:
    report = replace(REPORT, outlook=(replace(FAILOVER, order=order),))
    ledger = record(intent=None if intent is None else intent.text())
    return conclude(replace(primary_gone(), ledger=ledger,
                            guard=Polled("guard", "ledger.json", GuardRecord(report=report), NOW)))


def test_a_guard_is_about_to_do_the_same() -> None:
    assert "guard g1: failover to db2 in 2s unless db1 answers" in shown(seen())


@pytest.mark.parametrize("kind", ["failover", "degrade"])
def test_a_guard_has_begun_the_same(kind: str) -> None:
    snapshot = seen(GuardOrder.REJOIN, Intent("20260101-000000-cafe", "failover", "guard g1", "h1", NOW, beat=NOW))
    told = "guard g1 has begun failover: operation 20260101-000000-cafe"
    assert (told in shown(snapshot, kind)) is (kind == "failover")


def test_what_a_guard_thinks_of_besides_is_not_said() -> None:
    assert "guard" not in shown(seen(GuardOrder.PROTECT))
