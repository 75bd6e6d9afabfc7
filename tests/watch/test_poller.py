"""Polling: in parallel, each with its own deadline, none waiting for another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from tests.doubles.drivers import Fleet, settings
from tests.model.looks import SERVERS, member
from tests.until import until
from tuiha.drivers.protocols import DriverError
from tuiha.model.facts import Event, Snapshot, Verdict
from tuiha.watch.once import first_look
from tuiha.watch.poller import Poller
from tuiha.words.events import text


class Seen:
    """Everything that was published."""

    def __init__(self) -> None:
        self.snapshots: list[Snapshot] = []
        self.events: list[Event] = []

    def publish(self, snapshot: Snapshot, found: tuple[Event, ...]) -> None:
        self.snapshots.append(snapshot)
        self.events.extend(found)

    @property
    def last(self) -> Snapshot:
        return self.snapshots[-1]

    async def until(self, true: Callable[[Snapshot], bool]) -> Snapshot:
        """The first snapshot of which `true` holds."""
        await until(lambda: bool(self.snapshots) and true(self.last), pause=0.005)
        return self.last


@asynccontextmanager
async def running(poller: Poller) -> AsyncIterator[Seen]:
    seen = Seen()
    task = asyncio.create_task(poller.run(seen.publish, asyncio.Event()))
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def state(snapshot: Snapshot, name: str) -> str:
    nodes = {n.name: n.state for n in snapshot.servers} | {n.name: n.state for n in snapshot.mail}
    return nodes.get(name, "absent")


async def test_a_hung_target_delays_neither_the_snapshots_nor_another_target() -> None:
    fleet = Fleet()
    fleet.mail1.hang = True
    async with running(fleet.poller(settings(interval="50ms", timeout="10m"))) as seen:
        await seen.until(lambda s: s.number >= 10)
        assert fleet.s1.polls >= 9
        assert fleet.mail1.polls == 1  # and no second poll is started beside the first
        assert state(seen.last, "mail1") == "UNKNOWN"
        assert state(seen.last, "mail2") == "UP"


async def test_every_poll_has_its_own_deadline_and_down_needs_failures_in_a_row() -> None:
    fleet = Fleet()
    async with running(fleet.poller(settings(down_after=3))) as seen:
        await seen.until(lambda s: state(s, "mail1") == "UP")
        fleet.mail1.hang = True
        snapshot = await seen.until(lambda s: state(s, "mail1") == "DOWN")
        assert fleet.mail1.most_under_way == 1
        facts = snapshot.mail[0]
        assert (facts.error, facts.latency_ms) == ("no answer in 0.1s", None)
        stale = [s.mail[0] for s in seen.snapshots if s.mail[0].error and s.mail[0].state == "UP"]
        assert stale
        assert stale[-1].note == "no answer in 0.1s"
        fleet.mail1.hang = False
        await seen.until(lambda s: state(s, "mail1") == "UP")
        changes = [text(e) for e in seen.events if e.subject == "mail1"]
        assert changes == ["UP -> DOWN  no answer in 0.1s", "DOWN -> UP"]


async def test_a_flapping_target_is_never_called_down() -> None:
    fleet = Fleet()
    fleet.mail1.flaps = 3  # two failures, then an answer
    async with running(fleet.poller(settings(down_after=3))) as seen:
        await seen.until(lambda s: fleet.mail1.polls >= 15)
    assert "DOWN" not in {s.mail[0].state for s in seen.snapshots}
    assert {s.mail[0].error for s in seen.snapshots} == {None, "connection reset"}
    assert not [e for e in seen.events if e.subject == "mail1"]


async def test_a_fault_in_a_driver_is_that_targets_failure_only() -> None:
    fleet = Fleet()
    fleet.spray1.error = KeyError("secret value")
    async with running(fleet.poller(settings())) as seen:
        snapshot = await seen.until(lambda s: s.sprayers[0].state == "DOWN")
        assert snapshot.sprayers[0].error == "unexpected KeyError in its driver"
        assert state(snapshot, "s1") == "UP"


async def test_servers_in_the_database_are_found_polled_and_given_up() -> None:
    fleet = Fleet()
    async with running(fleet.poller(settings())) as seen:
        snapshot = await seen.until(lambda s: state(s, "s4") == "UP")
        assert [s.name for s in snapshot.servers] == list(SERVERS)
        assert [text(e) for e in seen.events if e.subject == "s3"] == ["server joined, UP"]
        fleet.db1.report = replace(fleet.db1.report, members=tuple(member(s) for s in SERVERS if s not in ("s2", "s4")))
        snapshot = await seen.until(lambda s: state(s, "s4") == "absent")
        assert state(snapshot, "s2") == "UP"  # it is in the configuration
        assert "server left" in [text(e) for e in seen.events if e.subject == "s4"]
        fleet.db1.error = DriverError("connection refused")  # a lost database takes no server away
        await seen.until(lambda s: s.databases[0].state == "DOWN")
        assert state(seen.last, "s3") != "absent"
    assert fleet.found["s4"].closed


async def test_a_server_that_moved_to_another_address_is_opened_again() -> None:
    fleet = Fleet()
    async with running(fleet.poller(settings())) as seen:
        await seen.until(lambda s: state(s, "s4") == "UP")
        old = fleet.found["s4"]
        rows = tuple(member(s, address="http://127.0.0.1:9999") if s == "s4" else member(s) for s in SERVERS)
        fleet.db1.report = replace(fleet.db1.report, members=rows)
        await seen.until(lambda s: any(n.address == "http://127.0.0.1:9999" for n in s.servers))
        assert old is not fleet.found["s4"]


async def test_all_drivers_are_closed_at_the_end() -> None:
    fleet = Fleet()
    async with running(fleet.poller(settings())) as seen:
        await seen.until(lambda s: s.number > 2)
    every = [fleet.s1, fleet.s2, fleet.db1, fleet.db2, fleet.spray1, fleet.mail1, fleet.ledger]
    assert all(double.closed for double in every)  # type: ignore[attr-defined]


async def test_one_look_finds_servers_too_and_one_failure_is_enough() -> None:
    fleet = Fleet()
    fleet.mail2.error = DriverError("connection refused")
    poller = fleet.poller(settings())
    poller.rules = replace(poller.rules, down_after=1)
    snapshot = await first_look(poller, 5.0)
    assert [(s.name, s.state) for s in snapshot.servers] == [(s, "UP") for s in SERVERS]
    assert (state(snapshot, "mail2"), snapshot.verdict) == ("DOWN", Verdict.DEGRADED)
    assert fleet.s1.polls == 1
    assert fleet.s1.closed


async def test_one_look_finds_servers_in_the_secondary_when_the_active_database_is_lost() -> None:
    fleet = Fleet()
    fleet.db1.error = DriverError("connection refused")
    snapshot = await first_look(fleet.poller(settings(down_after=1)), 5.0)
    assert [s.name for s in snapshot.servers] == list(SERVERS)
    assert snapshot.databases[0].state == "DOWN"


async def test_one_look_confirms_a_split_by_looking_again() -> None:
    fleet = Fleet()
    fleet.s2.report = replace(fleet.s2.report, database="db2", epoch=13)
    snapshot = await first_look(fleet.poller(settings()), 5.0)
    assert fleet.s2.polls == 2
    assert snapshot.verdict == Verdict.SPLIT
