"""Drills in which nobody operates: something breaks, and the pool goes on by itself. Data, one entry each.

`table` has the drills of operations and those of `matrix` as well.
"""

from __future__ import annotations

from collections.abc import Mapping

from tuiha.lab.drill.acts.base import Join, Kill, Leased, Pause, RestartPart, Resume, Start, Wait
from tuiha.lab.drill.scenario import STEADY, Scenario

_SERVERS = (
    Scenario("server-killed", "a server dies; the others take its users over", STEADY,
             (Kill(("s2",)), Wait(14)), outage=2.0, quick=True),
    Scenario("two-servers-killed", "two of four servers die at once; the others have room for everybody", STEADY,
             (Kill(("s2", "s3")), Wait(14)), outage=2.0, servers=4, users=15),
    Scenario("server-paused-briefly", "a server stops for less than its lease and goes on", STEADY,
             (Pause("s2"), Wait(3), Resume("s2"), Wait(2)), outage=2.0),
    Scenario("server-paused", "a server stops for longer than its lease, and wakes with answers in its hands", STEADY,
             (Pause("s2"), Wait(8), Resume("s2"), Wait(3)), outage=2.0, quick=True),
    Scenario("server-paused-across-takeover", "a server stops until its users are taken over, and wakes", STEADY,
             (Pause("s2"), Wait(15), Resume("s2"), Wait(4)), outage=2.0),
    Scenario("server-joins", "one more server joins in the middle", STEADY,
             (Join(), Wait(8)), outage=2.0, quick=True),
    Scenario("server-restarts", "a server is told to end (SIGTERM), hands its users over, and comes back", STEADY,
             (RestartPart("s2"), Wait(4)), outage=2.0),
)

_MAIL = (
    Scenario("mail-killed", "a mail server dies; its users are monitored through its partner", STEADY,
             (Kill(("mail1",)), Wait(8)), outage=2.0),
    Scenario("mail-back", "a mail server dies and comes back", STEADY,
             (Kill(("mail1",)), Wait(6), Start("mail1"), Wait(5)), outage=2.0),
    Scenario("mail-store-killed", "the mail servers' store dies and is back: they keep their sessions and tell nobody",
             STEADY, (Kill(("valkey",)), Wait(3), Start("valkey"), Wait(10)), outage=2.0, grace=90.0),
    Scenario("mail-paused", "a mail server hangs and goes on", STEADY,
             (Pause("mail1"), Wait(8), Resume("mail1"), Wait(5)), outage=2.0),
)

_SPRAYERS = (
    Scenario("sprayer-killed", "a sprayer dies; devices use the other one", STEADY,
             (Kill(("spray1",)), Wait(5)), outage=2.0),
    Scenario("sprayer-paused", "a sprayer hangs and goes on", STEADY,
             (Pause("spray1"), Wait(5), Resume("spray1"), Wait(3)), outage=2.0),
)

_DATABASES = (
    Scenario("secondary-killed", "db2 dies: no commit may be acknowledged without it; it comes back", STEADY,
             (Kill(("db2",)), Wait(4), Start("db2"), Leased("db1"), Wait(2)), quick=True),
    Scenario("secondary-paused", "db2 hangs for longer than the lease and goes on", STEADY,
             (Pause("db2"), Wait(8), Resume("db2"), Leased("db1"), Wait(2))),
    Scenario("primary-restarts", "db1 dies and comes back by itself, before anybody fails over", STEADY,
             (Kill(("db1",)), Wait(3), Start("db1"), Leased("db1"), Wait(2)), quick=True),
    Scenario("primary-paused", "db1 hangs for longer than the lease and goes on", STEADY,
             (Pause("db1"), Wait(8), Resume("db1"), Leased("db1"), Wait(2))),
    Scenario("both-killed", "both databases die; db1 returns first, alone, and db2 later", STEADY,
             (Kill(("db1", "db2")), Wait(2), Start("db1"), Wait(5), Start("db2"), Leased("db1"), Wait(2))),
)


def table() -> Mapping[str, Scenario]:
    """Name -> scenario, in the order in which they run."""
    from tuiha.lab.drill.matrix import control, databases, guards, herd, mailboxes, network, operations, servers, users

    every = (*_SERVERS, *_MAIL, *_SPRAYERS, *_DATABASES, *operations.ALL, *network.ALL, *databases.ALL, *servers.ALL,
             *control.ALL, *users.ALL, *mailboxes.ALL, *herd.ALL, *guards.ALL)
    return {scenario.name: scenario for scenario in every}
