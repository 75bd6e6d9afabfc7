"""Drills of many devices that come back at once, and of servers that return: no living server is taken for dead."""

from __future__ import annotations

from tuiha.lab.drill.acts.base import Kill, Leased, Pause, Resume, Start, Wait
from tuiha.lab.drill.acts.operate import Operate
from tuiha.lab.drill.faults.herd import AllAlive, BusyLoops, Even
from tuiha.lab.drill.scenario import STEADY, Scenario

_SPRAYERS = ("spray1", "spray2")
_SERVERS = ("s1", "s2", "s3")


def _started(names: tuple[str, ...]) -> tuple[Start, ...]:
    return tuple(Start(name) for name in names)


_HERD = (
    Scenario("herd-sprayers", "both sprayers are gone for half a second; all devices return together", STEADY,
             (Kill(_SPRAYERS), Wait(0.5), *_started(_SPRAYERS), Wait(8), AllAlive()),
             failed=None, outage=2.0, users=120, devices=5),
    Scenario("herd-primary", "db1 hangs for three leases and goes on; then all devices ask at once", STEADY,
             (Pause("db1"), Wait(15), Resume("db1"), Leased("db1"), Wait(8), AllAlive()),
             failed=None, users=120, devices=5),
    Scenario("herd-servers", "all servers die and are started at once", STEADY,
             (Kill(_SERVERS), Wait(1), *_started(_SERVERS), Leased("db1"), Wait(8), Even(_SERVERS)),
             failed=None, users=120, devices=5),
    Scenario("herd-everything", "sprayers, a mail server and a server die while db1 hangs; all return at once", STEADY,
             (Pause("db1"), Kill((*_SPRAYERS, "mail1", "s3")), Wait(8), *_started(_SPRAYERS), Start("mail1"),
              Start("s3"), Resume("db1"), Leased("db1"), Wait(10), AllAlive(but=("s3",))),
             failed=None, users=120, devices=5),
)

_BUSY = (
    Scenario("busy-failovers", "two failovers in a row on a machine with three busy loops beside the pool", STEADY,
             (BusyLoops(3), Wait(3), Kill(("db1",)), Operate("failover"), AllAlive(), Leased("db2"), Wait(3),
              Kill(("db2",)), Operate("failover"), Wait(5), AllAlive()), users=120, devices=1.7),
)

_RETURN = (
    Scenario("servers-return", "three of four servers die and are started: users are even again by themselves", STEADY,
             (Kill(("s2", "s3", "s4")), Wait(16), *_started(("s2", "s3", "s4")), Leased("db1"),
              Even(("s1", "s2", "s3", "s4"))), failed=None, servers=4, users=120),
)

ALL = (*_HERD, *_BUSY, *_RETURN)
