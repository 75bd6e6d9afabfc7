"""Events from the difference of two snapshots."""

from __future__ import annotations

from dataclasses import replace

from tests.model.looks import (
    NOW,
    SERVERS,
    failing,
    healthy,
    mail,
    member,
    primary,
    secondary,
    server,
    with_database,
    with_members,
    with_server,
)
from tuiha.model.codes import EventKind, StateChange
from tuiha.model.conclude import conclude
from tuiha.model.event_groups import grouped
from tuiha.model.events import events
from tuiha.model.facts import Event, Look, Severity
from tuiha.model.reports import EpochRow, EpochState, MailRow, ServerState, ServerTarget
from tuiha.words.events import of_group, subjects, text


def texts(old: Look, new: Look) -> list[tuple[str, str]]:
    before = conclude(old)
    return [(e.subject, text(e)) for e in events(before, conclude(new, before, old))]


def test_nothing_changed() -> None:
    assert texts(healthy(), replace(healthy(), at=NOW + 1)) == []


def test_users_moved_are_one_event() -> None:
    counts = {"s1": 167, "s2": 0, "s3": 167, "s4": 166}
    new = with_members(healthy(), *(member(s, users=counts[s]) for s in SERVERS))
    assert texts(healthy(), new) == [("s2", "125 users moved s2 -> s1, s3, s4")]


def test_new_users_alone_are_no_event_and_an_unknown_number_is_no_move() -> None:
    more = with_members(healthy(), *(member(s, users=130) for s in SERVERS))
    assert texts(healthy(), more) == []
    unknown = with_members(healthy(), *(member(s, users=150) for s in SERVERS if s != "s2"))
    hidden = with_server(unknown, server("s2", users=None))
    assert texts(healthy(), hidden) == []


def test_a_dead_server_with_its_reason() -> None:
    dead = with_members(healthy(), *(member(s, alive=s != "s2", heartbeat_age=9.0 if s == "s2" else 0.1)
                                     for s in SERVERS))
    found = events(conclude(healthy()), conclude(with_server(dead, failing(server("s2")))))
    assert [(e.severity, e.subject, text(e)) for e in found] == [
        (Severity.WARNING, "east", "HEALTHY -> DEGRADED"), (Severity.BAD, "s2", "UP -> DOWN  connection refused")]


def test_servers_join_and_leave() -> None:
    fewer = replace(healthy(), servers=healthy().servers[:3])
    assert texts(fewer, healthy()) == [("s4", "server joined, UP")]
    assert texts(healthy(), fewer) == [("s4", "server left")]


def test_a_change_of_the_active_database() -> None:
    row = EpochRow("east", 13, "db2", EpochState.ACTIVE)
    new = with_database(with_database(healthy(), secondary("db1", epoch=row)), primary("db2", epoch=row))
    found = texts(healthy(), replace(new, ledger=None))
    assert ("east", "epoch 12 -> 13") in found
    assert ("east", "active database db1 -> db2") in found
    assert ("db1", "role PRIMARY -> SECONDARY") in found
    assert ("db2", "role SECONDARY -> PRIMARY") in found


def test_target_state_and_mail() -> None:
    drained = with_server(healthy(), server("s4", target=ServerTarget.DRAIN, state=ServerState.DRAINING))
    assert texts(healthy(), drained) == [("s4", "UP -> DRAINING"), ("s4", "target UP -> DRAIN")]
    rows = (MailRow("mail1", "east", True, 0), MailRow("mail2", "east", True, 500))
    assert ("mail1", "250 users moved mail1 -> mail2") in texts(healthy(), with_database(healthy(), primary(mail=rows)))
    lost = replace(healthy(), mail=(failing(mail("mail1")), mail("mail2")))  # type: ignore[arg-type]
    assert texts(healthy(), lost) == [("east", "HEALTHY -> DEGRADED"), ("mail1", "UP -> DOWN  connection refused")]


def test_replication_lost() -> None:
    found = texts(healthy(), with_database(healthy(), primary(replication=())))
    assert ("db2", "replication sync -> none") in found
    assert ("east", "protected -> UNPROTECTED") in found


def test_a_sprayer_that_is_another_process_now() -> None:
    def with_sprayer(**change: object) -> Look:
        first, *others = healthy().sprayers
        assert first.report is not None
        return replace(healthy(), sprayers=(replace(first, report=replace(first.report, **change)), *others))  # type: ignore[arg-type]

    before = with_sprayer(process=100, uptime_seconds=50, learned=1234)
    name = before.sprayers[0].name
    again = [(name, "restarted; it knew 1,234 users, knows 1")]
    assert texts(before, with_sprayer(process=101, uptime_seconds=0, learned=1)) == again
    assert texts(before, with_sprayer(process=101, uptime_seconds=99, learned=1)) == again, "nobody looked for a while"
    assert texts(before, with_sprayer(process=None, uptime_seconds=3, learned=1)) == again
    assert texts(before, with_sprayer(process=100, uptime_seconds=51, learned=1235)) == []


def test_events_of_one_cause_are_one_group() -> None:
    def lost(name: str, at: float, after: str = "WAITING") -> Event:
        return Event(at, Severity.WARNING, name, EventKind.STATE, StateChange("UP", after, False, f"lost by {name}"))

    other = Event(99.5, Severity.BAD, "db1", EventKind.STATE, StateChange("UP", "DOWN", False, "connection refused"))
    newest_first = (lost("s4", 101.0), lost("s3", 100.0), other, lost("s2", 99.0), lost("s1", 60.0))
    groups = tuple(grouped(newest_first))
    assert [group.subjects for group in groups] == [("s2", "s3", "s4"), ("db1",), ("s1",)]
    assert of_group(groups[0]) == "UP -> WAITING  (3 events)"
    assert subjects(groups[0], 20) == "s2 s3 s4"
    assert subjects(groups[0], 6) == "s2 +2"
    assert tuple(grouped(())) == ()
