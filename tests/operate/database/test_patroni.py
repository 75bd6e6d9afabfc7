"""A pool whose pair Patroni manages, all of it real: status, a switchover, a failover of Patroni's own, a rebalance.

Takes a minute, and needs more than the tests do otherwise: pip install 'tuiha[patroni]'.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.drivers.patronipair import QUICK, PatroniPair, missing
from tests.drivers.patronipool import USERS, Books, PatroniPool
from tests.lab.remains import Traces, until_nothing_is_left
from tests.operate.pools import bind, bound, monitored_once
from tests.until import until
from tuiha.config.load import load
from tuiha.lab.pool import reaper
from tuiha.operate.reach.world import open_world
from tuiha.operate.records.journal import read_records

pytestmark = [
    pytest.mark.pool, pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[PatroniPool]:
    async with PatroniPair(QUICK) as pair:
        made = PatroniPool(pair)
        try:
            await made.open()
            yield made
        finally:
            made.close()


def tell(what: str, books: Books) -> None:
    """Figures for who runs this by hand (-s)."""
    print(f"{what}: {len(books.acknowledged)} registered, none lost, {books.gap():.1f} s without one, "  # noqa: T201
          f"answers {dict(books.answers)}")


_PARENT = """
import asyncio
from tests.drivers.patronipair import QUICK, PatroniPair

async def main():
    pair = PatroniPair(QUICK)
    print(pair.folder, flush=True)
    async with pair:
        await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_after_kill_9_nothing_is_left() -> None:
    """PostgreSQL is not Patroni's child, nor anybody's."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PARENT, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3])
    try:
        assert parent.stdout is not None
        folder = Path((await parent.stdout.readline()).decode().strip())

        async def databases() -> frozenset[tuple[int, int]]:
            table = reaper.processes()
            return frozenset((pid, table[pid][1]) for pid in reaper.strays(str(folder), table))

        noted = Traces(folder, await until(databases, met=lambda found: len(found) > 4),
                       frozenset(reaper.shared_memory(str(folder))))
        assert noted.segments
    finally:
        parent.kill()
        await parent.wait()
    await until_nothing_is_left(noted)


async def test_status_and_check(pool: PatroniPool) -> None:
    seen = await pool.settled()
    leader = await pool.pair.leader()
    assert (seen["verdict"], seen["protection"], seen["epoch"]) == ("HEALTHY", "protected", 1)
    assert {server["database"] for server in seen["servers"]} == {leader}
    assert seen["manager"] == "Patroni"
    assert {d["managed"]["role"] for d in seen["databases"]} == {"leader", "sync_standby"}
    text = (await pool.run("status")).out
    assert "Patroni: leader, running" in text
    assert "Patroni: sync_standby, streaming" in text
    checked = await pool.run("check")
    assert checked.code == 0, checked.out
    assert "Patroni  synchronous_mode is on" in checked.out


@pytest.mark.parametrize("kind", ["degrade", "protect"])
async def test_what_patroni_does_itself_is_refused(pool: PatroniPool, kind: str) -> None:
    refused = await pool.run("plan", kind)
    assert refused.code == 4
    assert "Patroni does it by itself" in refused.err


async def test_a_switchover_through_patroni(pool: PatroniPool) -> None:
    before = await pool.settled()
    old = await pool.pair.leader()
    async with pool.registering() as books:
        done = await pool.operate("switchover")
    tell("switchover", books)
    assert books.unasked == 0
    assert done["result"] == "done", done
    new = await pool.pair.leader()
    assert new != old
    after = await pool.settled()
    assert {server["database"] for server in after["servers"]} == {new}
    assert after["epoch"] == before["epoch"] + 1
    assert after["protection"] == "protected"
    assert done["outage_ms"] is not None
    assert done["requests_failed"] == 0


async def test_a_runner_that_dies_while_patroni_works_is_followed_by_another(pool: PatroniPool) -> None:
    await pool.pair.whole()
    await pool.settled()
    old = await pool.pair.leader()
    plan = (await pool.run("plan", "switchover", "--json")).json()
    begun = await pool.run("apply", plan["id"], "--confirm", plan["confirm"], "--detach", "--json")
    name = begun.json()["operation"]
    journal = pool.folder / "operations" / name / "journal.jsonl"

    async def asking() -> list[int]:
        """The runner's process id, once Patroni was asked."""
        records = read_records(journal)
        asked = any(record["record"] == "step" and record["step"] == 3 for record in records)
        return [record["pid"] for record in records if "pid" in record] if asked else []

    os.kill((await until(asking))[0], signal.SIGKILL)
    done = (await pool.run("resume", name, "--json")).json()
    assert done["result"] == "done", done
    assert await pool.pair.leader() != old
    await pool.settled()


async def test_patroni_fails_over_by_itself_and_servers_follow(pool: PatroniPool) -> None:
    await pool.pair.whole()
    before = await pool.settled()
    old = await pool.pair.leader()
    other = next(name for name in pool.pair.nodes if name != old)
    async with pool.registering() as books:
        await asyncio.to_thread(pool.pair.nodes[old].kill)  # Patroni and PostgreSQL, as if the host were lost
        seen = await until(pool.status, met=lambda now: {s["database"] for s in now["servers"]} == {other}, seconds=90)
    tell("the leader's host lost", books)
    assert seen["epoch"] == before["epoch"] + 1
    assert seen["verdict"] == "DEGRADED"
    pool.pair.nodes[old].start()
    await pool.pair.whole(120)
    assert (await pool.settled())["protection"] == "protected"


async def test_the_leaders_postgresql_is_killed(pool: PatroniPool) -> None:
    """Patroni starts it again, or promotes the other one: servers end on whoever leads."""
    await pool.pair.whole()
    old = await pool.pair.leader()
    async with pool.registering() as books:
        pool.pair.nodes[old].kill_postgres()
        await asyncio.sleep(2.0)
        await pool.pair.whole(120)
        seen = await pool.settled()
    tell("kill -9 of the leader's PostgreSQL", books)
    assert {server["database"] for server in seen["servers"]} == {await pool.pair.leader()}
    assert books.unasked == 0


async def test_what_patroni_leaves_to_the_operator(pool: PatroniPool) -> None:
    """Paused, it does nothing by itself: not when its leader's host is lost, and not when a secondary dies."""
    await pool.pair.whole()
    before = await pool.settled()
    old = await pool.pair.leader()
    other = next(name for name in pool.pair.nodes if name != old)
    await pool.pair.tune({"pause": True})
    await until(pool.status, met=lambda now: any(p["what"].startswith("PAUSED") for p in now["problems"]))
    await asyncio.to_thread(pool.pair.nodes[old].kill)
    await until(pool.status, met=lambda now: any(p["what"].startswith("NO LEADER") for p in now["problems"]))
    done = await pool.operate("failover")
    assert done["result"] == "done", done
    after = await pool.status()
    assert {server["database"] for server in after["servers"]} == {other}
    assert after["epoch"] == before["epoch"] + 1
    pool.pair.nodes[old].start()
    await until(lambda: pool.pair.answers(old))
    done = await pool.operate("rejoin")
    assert done["result"] == "done", done
    await pool.pair.tune({"pause": False})
    assert (await pool.settled())["protection"] == "protected"


async def test_a_rebalance(pool: PatroniPool) -> None:
    await pool.settled()
    async with open_world(load(pool.config), pool.folder) as world:
        await bind(world, dict.fromkeys(USERS, "s1"))
        plan = (await pool.run("plan", "rebalance", "--json")).json()
        done = (await pool.run("apply", plan["id"], "--confirm", plan["confirm"], "--json")).json()
        assert done["result"] == "done", done
        await monitored_once(world)
        servers = list((await bound(world)).values())
    assert sorted((servers.count("s1"), servers.count("s2"))) == [5, 5]
