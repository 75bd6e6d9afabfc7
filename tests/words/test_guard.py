"""What guards say: one line for each order, the state on line 1, the reason of an operation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.model.looks import NOW, healthy
from tests.model.test_guard import primary_gone
from tuiha.cli.output.documents import status
from tuiha.cli.output.status import status_text
from tuiha.model.codes import ProblemCode
from tuiha.model.conclude import conclude
from tuiha.model.facts import Polled, Snapshot, Verdict
from tuiha.model.guard.report import (
    GuardAct,
    GuardHold,
    GuardNotes,
    GuardOrder,
    GuardOutlook,
    GuardPause,
    GuardRecord,
    GuardReport,
    GuardSign,
    Held,
)
from tuiha.tui.draw.head import head
from tuiha.tui.draw.spans import plain
from tuiha.tui.draw.view import View
from tuiha.tui.views.database.panel import guard_lines
from tuiha.watch.export.exposition import exposition
from tuiha.watch.recording.codec import pack, unpack
from tuiha.words import guard

FAILOVER = GuardOutlook(GuardOrder.FAILOVER, "db1", "db2", (GuardSign.PRIMARY_GONE, GuardSign.NO_LEASE), (), 2.0)
LACKING = replace(FAILOVER, missing=(GuardSign.NO_LEASE,), wait=None, servers=("s1", "s2"))
AGAIN = replace(FAILOVER, wait=0.0, held=(Held(GuardHold.ACKNOWLEDGE, ("g1",), 600.0),))
REPORT = GuardReport("g1", "h1", NOW - 90, tuple(GuardOrder), (FAILOVER,))
PAUSE = GuardPause(NOW + 23 * 60, NOW - 60, "ann@bastion", "disks are changed")


def snapshot(record: GuardRecord | None) -> Snapshot:
    look = healthy()
    return conclude(replace(look, guard=None if record is None else Polled("guard", "ledger.json", record, NOW)))


def test_every_sign_and_hold_has_its_words() -> None:
    assert set(guard.THERE) == set(guard.MISSING) == set(GuardSign)
    assert set(guard._HELD) == set(GuardHold)
    assert set(guard._COUNTDOWN) == set(GuardOrder)


@pytest.mark.parametrize(("outlook", "line"), [
    (FAILOVER, "failover to db2 in 2s unless db1 answers"),
    (replace(FAILOVER, order=GuardOrder.DEGRADE), "degrade in 2s unless db2 follows again"),
    (LACKING, "no failover: s1, s2 still have a lease"),
    (AGAIN, "no failover: a guard has failed over already: acknowledge it, or wait for 10m00s"),
    (replace(AGAIN, held=(Held(GuardHold.REFUSED, ("receiving",), 2.0),)), "no failover: refused: receiving"),
    (replace(AGAIN, held=(Held(GuardHold.PAUSED, ("ann",), 90.0),)),
     "no failover: the guard is paused by ann for 1m30s"),
])
def test_how_it_stands_with_an_order(outlook: GuardOutlook, line: str) -> None:
    assert guard.countdown(outlook) == line


def test_the_reason_is_what_was_seen() -> None:
    assert guard.reason(FAILOVER) == "the guard cannot use db1; no server has a lease"


@pytest.mark.parametrize(("record", "word", "problem"), [
    (GuardRecord(report=REPORT), "guard g1", None),
    (GuardRecord(), "guard OFF", ProblemCode.GUARD_OFF),
    (GuardRecord(GuardNotes(PAUSE), REPORT), "guard PAUSED 23 min", ProblemCode.GUARD_PAUSED),
    (GuardRecord(report=replace(REPORT, outlook=(AGAIN,))), "guard: acknowledge", ProblemCode.GUARD_HELD),
])
def test_the_state_is_on_line_1_in_status_and_among_problems(
    record: GuardRecord, word: str, problem: ProblemCode | None
) -> None:
    found = snapshot(record)
    assert word in plain(head(View("east", NOW, snapshot=found), 120)[0])
    assert word in status_text(found)
    assert [one.code for one in found.problems] == ([] if problem is None else [problem])
    assert found.verdict is (Verdict.DEGRADED if problem is ProblemCode.GUARD_OFF else Verdict.HEALTHY)


def test_without_orders_nothing_is_shown() -> None:
    found = snapshot(None)
    assert "guard" not in "".join(plain(line) for line in head(View("east", NOW, snapshot=found), 120))
    assert "guard" not in status_text(found)
    assert status(found)["guard"] is None
    assert 'tuiha_pool_guard{' not in exposition(found)
    assert guard_lines(found, 120, 5) == []


def test_the_database_view_has_countdown_and_evidence() -> None:
    lines = [plain(line).rstrip() for line in guard_lines(snapshot(GuardRecord(report=REPORT)), 120, 5)]
    assert lines == [" GUARD g1  may failover, degrade, rejoin, protect", "   failover to db2 in 2s unless db1 answers",
                     "   ● the guard cannot use db1, no server has a lease"]


def test_programs_get_codes() -> None:
    notes = GuardNotes(PAUSE, (GuardAct(GuardOrder.DEGRADE, NOW - 50, "g1", 12),))
    found = snapshot(GuardRecord(notes, replace(REPORT, outlook=(LACKING,))))
    document = status(found)["guard"]
    assert document is not None
    assert (document["active"], document["orders"]) == ("g1", ["failover", "degrade", "rejoin", "protect"])
    assert document["paused"] is not None
    assert document["paused"]["who"] == "ann@bastion"
    [outlook] = document["outlook"]
    assert (outlook["order"], outlook["missing"], outlook["wait_seconds"]) == ("failover", ["no-lease"], None)
    text = exposition(found)
    assert 'tuiha_pool_guard{pool="east",state="paused"} 1.0' in text
    assert 'tuiha_pool_guard_acted_timestamp_seconds{order="degrade",pool="east"}' in text


def test_a_recording_keeps_it() -> None:
    found = snapshot(GuardRecord(GuardNotes(PAUSE), REPORT))
    assert unpack(Snapshot, pack(found)).guard == found.guard


@pytest.mark.parametrize("width", [80, 120])
def test_line_2_says_what_the_guard_is_about_to_do(width: int) -> None:
    down = primary_gone()
    for outlook, shown in ((FAILOVER, True), (LACKING, False), (AGAIN, False)):
        record = GuardRecord(report=replace(REPORT, outlook=(outlook,)))
        found = conclude(replace(down, guard=Polled("guard", "ledger.json", record, NOW)))
        line = plain(head(View("east", NOW, snapshot=found), width)[1])
        assert ("failover to db2 in 2s unless db1 answers" in line) is shown
        assert line.startswith(" ! db1 DOWN")
        assert ("next: " in line) is not shown
