"""The drill's checker finds what is planted, and nothing where nothing is: pure, over recorded samples."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.lab.drill.recordings import LEASE, ack, read, sample, status, switched, ticks
from tuiha.lab.drill.observation import judge
from tuiha.lab.drill.observation.records import DrillRecording, LeaseRow, Status


def test_a_good_change_of_database_is_neither_split_nor_late() -> None:
    recording = switched()
    assert judge.split(recording) == []
    assert judge.late(recording, LEASE) == []
    assert judge.begun(recording.samples) == {1: 0.0, 2: pytest.approx(10.05)}


def test_a_server_that_stays_on_the_old_database_is_a_split() -> None:
    recording = switched()
    recording.statuses.append(status("s1", 15.0, "db1", 1))
    found = judge.split(recording)
    assert len(found) == 1
    assert "s1 was on db1 in epoch 1 after epoch 2" in found[0]


def test_two_databases_in_one_epoch_are_a_split() -> None:
    recording = DrillRecording(statuses=[status("s1", 1.0, "db1", 3), status("s2", 1.0, "db2", 3)])
    assert judge.split(recording) == ["epoch 3: s1 on db1 and s2 on db2"]


def test_looks_that_may_have_been_at_the_same_time_prove_nothing() -> None:
    """s1 was asked before s2 answered: it may have let go before s2 began."""
    slow = Status("s1", 9.9, 10.3, "db1", 1, 0.1)
    recording = DrillRecording(statuses=[status("s2", 10.0, "db2", 2), slow])
    assert judge.split(recording) == []


def test_a_server_without_a_lease_is_on_no_database() -> None:
    recording = switched()
    recording.statuses += [status("s1", 15.0, "db1", 1, lease=0.0), status("s1", 15.2, None, 1, lease=None)]
    assert judge.split(recording) == []


def test_a_server_that_holds_its_requests_uses_nothing() -> None:
    recording = switched()
    late = status("s1", 15.0, "db1", 1)
    recording.statuses.append(replace(late, held=True))
    assert judge.split(recording) == []
    recording.statuses.append(late)  # it goes on with the old database
    assert len(judge.split(recording)) == 1


def test_a_lease_that_the_old_database_renews_is_a_split() -> None:
    recording = switched()
    recording.samples.append(sample("db1", 16.0, leases=[LeaseRow("s2", 1, 15.5)]))
    assert judge.split(recording) == ["db1 renewed the lease of s2 in epoch 1 after epoch 2 began"]


def test_a_renewal_that_nobody_confirmed_is_none() -> None:
    recording = switched()
    recording.samples = [replace(one, waits=True) if one.database == "db1" else one for one in recording.samples]
    alone = replace(sample("db1", 16.0, leases=[LeaseRow("s2", 1, 15.5)]), waits=True)
    recording.samples.append(alone)
    assert judge.split(recording) == []
    recording.samples.append(replace(alone, followers=("db2",)))
    assert len(judge.split(recording)) == 1


def test_a_server_that_let_the_former_leader_go_has_no_lease() -> None:
    recording = switched()
    recording.samples.append(sample("db2", 16.0, leases=[LeaseRow("s2", judge.LET_GO, 15.5)]))
    assert judge.split(recording) == []


def _until(moment: float) -> DrillRecording:
    """s1 renews until a moment; the databases are looked at for much longer."""
    recording = DrillRecording()
    for at in ticks(1, 30):
        row = LeaseRow("s1", 1, float(int(min(at, moment))))
        recording.samples.append(sample("db1", at, leases=[row]))
    return recording


def test_an_answer_inside_the_lease_is_in_time() -> None:
    recording = _until(10.0)
    recording.acks.append(ack("s1", 10.0 + LEASE, "d1"))
    assert judge.late(recording, LEASE) == []


@pytest.mark.parametrize("kind", ["write", "read"])
def test_an_answer_after_the_lease_is_late(kind: str) -> None:
    """As a server without the second look releases it when it wakes."""
    recording = _until(10.0)
    if kind == "write":
        recording.acks.append(ack("s1", 17.0, "d1"))
    else:
        recording.reads.append(read("s1", 9.9, received=17.0))
    found = judge.late(recording, LEASE)
    assert len(found) == 1
    assert "s1 answered 2.0" in found[0]


def test_nothing_is_late_while_nobody_could_look() -> None:
    recording = _until(10.0)
    recording.samples = [s for s in recording.samples if s.received < 12]
    recording.acks.append(ack("s1", 17.0, "d1"))
    assert judge.late(recording, LEASE) == []


def test_a_stalled_recorder_gives_more_slack() -> None:
    recording = _until(10.0)
    recording.acks.append(ack("s1", 10.0 + LEASE + 1.0, "d1"))
    assert judge.late(recording, LEASE)
    recording.stalls = [(12.0, 0.8)]
    assert judge.late(recording, LEASE)  # it was long over by then
    recording.stalls = [(15.9, 0.8)]
    assert judge.late(recording, LEASE) == []


def test_an_answer_from_the_old_epoch_after_the_promotion_is_late() -> None:
    """As without the lease wait: s1's lease of epoch 1 lasts, while db2 is promoted already."""
    recording = _until(30.0)
    recording.samples.append(sample("db2", 12.0, 1, writable=False))
    recording.samples.append(sample("db2", 12.2, 2, changed_at=12.1))
    recording.statuses += [status("s1", at, "db1", 1) for at in ticks(1, 20)]
    recording.acks.append(ack("s1", 11.0, "before"))
    assert judge.late(recording, LEASE) == []
    recording.acks.append(ack("s1", 14.1, "after"))
    found = judge.late(recording, LEASE)
    assert len(found) == 1
    assert "s1 answered from epoch 1, 2.0" in found[0]


def test_a_read_without_an_acknowledged_write_is_late() -> None:
    acks = [ack("s1", 1.0, "d1"), ack("s2", 2.0, "d2"), ack("s2", 2.0, "other", user="bert")]
    good = [read("s2", 1.5, "d1"), read("s1", 2.005, "d1"), read("s1", 3.0, "d1", "d2", "more")]
    assert judge.stale(acks, good) == []
    found = judge.stale(acks, [read("s1", 3.0, "d1")])
    assert len(found) == 1
    assert "s1 did not show d2, which s2 had acknowledged 0.99 s before" in found[0]


def test_what_was_shown_once_and_then_no_more_is_late() -> None:
    """As when a primary that dies shows what its secondary does not have; the write is repeated later."""
    reads = [read("s1", 1.0, "d1"), read("s2", 1.5), read("s2", 3.0, "d1")]
    found = judge.stale([ack("s2", 2.0, "d1")], reads)
    assert len(found) == 1
    assert "s2 did not show d1, which s1 had shown 0." in found[0]
    assert judge.stale([], [read("s1", 1.0, "d1"), read("s2", 1.001), read("s2", 3.0, "d1")]) == []


def test_a_lost_write_is_found() -> None:
    acks = [ack("s1", 1.0, "d1"), ack("s2", 2.0, "d2")]
    assert judge.lost(acks, {"anna": frozenset({"d1", "d2", "unacknowledged"})}) == []
    assert judge.lost(acks, {"anna": frozenset({"d1"})}) == ["d2 of anna, acknowledged by s2"]
    assert len(judge.lost(acks, {})) == 2


def test_the_outage_is_the_longest_gap_from_the_moment_on() -> None:
    acks = [ack("s1", at, "d") for at in (1.0, 5.0, 5.2, 7.0, 7.1)]
    assert judge.outage(acks, 4.9, 7.2) == pytest.approx(1.8)
    assert judge.outage(acks, 6.0, 20.0) == pytest.approx(12.89)
    assert judge.outage([], 3.0, 8.0) == pytest.approx(5.0)


def test_leases_over_time_count_servers_per_database() -> None:
    recording = switched()
    assert judge.leases_over_time(recording.statuses, 1.0)[1:] == [
        (0.1, {"db1": 2}), (9.1, {"db1": 1, "db2": 1}), (9.1, {"db2": 2})]
    silent = [status("s1", 1.0, lease=2.0), status("s2", 1.0), status("s2", 2.0), status("s2", 4.0)]
    assert judge.leases_over_time(silent, 1.0)[-1] == (3.0, {"db1": 1})
