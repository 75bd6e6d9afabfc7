"""Protected means protected: whatever lets a commit be acknowledged without the secondary is seen, and told.

One embedded pool for all of it: each hole is planted by a superuser, as a DBA would, and mended by the remedy.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import asyncpg
import pytest

from tests.operate.support import Told, planned
from tests.until import until
from tuiha.config.load import load
from tuiha.drivers.databases.durability import QUESTION, read
from tuiha.lab.embedded import EmbeddedPool
from tuiha.lab.pool.layout import Layout
from tuiha.lab.runtime.binaries import find
from tuiha.model.databases import durability as rule
from tuiha.model.databases.durability import Gap, gaps
from tuiha.model.facts import Snapshot, Verdict
from tuiha.model.operations.plans import CheckVerdict
from tuiha.model.quotes import literal, slot
from tuiha.model.reports import ServerState, Standby
from tuiha.operate.database import KINDS, sight
from tuiha.operate.reach.world import World, open_world
from tuiha.watch.once import look_once
from tuiha.words.next import command
from tuiha.words.problems import what

pytestmark = pytest.mark.pool
PATIENCE = 60.0  # seconds, on a busy machine


@dataclass(frozen=True)
class Hole:
    """What a DBA does, what the screen says of it, and what mends it beside `protect`."""

    statement: str = ""
    says: str = ""
    remedy: str = ""
    shows: str = ""  # where the screen says it otherwise than the plan
    archivers: tuple[str, ...] = ()  # application names of programs that receive, and confirm at once


NAMES = "ALTER SYSTEM SET synchronous_standby_names = "
HOLES = {
    "quorum with an archiver": Hole(f"{NAMES}'ANY 1 (*)'", "synchronous_standby_names is ANY 1 (*)",
                                    archivers=("archive",)),
    "anybody": Hole(f"{NAMES}'*'", "synchronous_standby_names is *"),
    "a list": Hole(f"{NAMES}'FIRST 1 (db2, archive)'", "FIRST 1 (db2, archive)"),
    "a quorum of two": Hole(f"{NAMES}'ANY 1 (db2, archive)'", "ANY 1 (db2, archive)"),
    "nobody": Hole(f"{NAMES}''", "synchronous_standby_names is empty", shows="UNPROTECTED"),
    "somebody else": Hole(f"{NAMES}'archive'", "synchronous_standby_names is archive", archivers=("archive",)),
    "two of one name": Hole(says="two connections use the name db2", archivers=("db2",)),
    "a role's setting": Hole("ALTER ROLE tuiha_pool SET synchronous_commit = local", "role tuiha_pool (local)",
                             "ALTER ROLE tuiha_pool RESET synchronous_commit"),
    "the database's setting": Hole("ALTER DATABASE tuiha SET synchronous_commit = remote_write",
                                   "database tuiha (remote_write)",
                                   'ALTER DATABASE "tuiha" RESET synchronous_commit'),
    "a role's setting in the database": Hole(
        "ALTER ROLE tuiha_coordinator IN DATABASE tuiha SET synchronous_commit = off", "role tuiha_coordinator in",
        'ALTER ROLE tuiha_coordinator IN DATABASE "tuiha" RESET synchronous_commit'),
}


@dataclass
class Scene:
    """The pool, and its superuser."""

    pool: EmbeddedPool
    world: World
    admin: asyncpg.Connection

    async def look(self) -> Snapshot:
        """What the screen shows."""
        return await look_once(load(self.pool.config_path), self.pool.folder)

    async def do(self, statement: str) -> None:
        """As the superuser; settings are reloaded."""
        if statement:
            await self.admin.execute(statement)
        await self.admin.execute("SELECT pg_reload_conf()")

    async def standby(self) -> Standby:
        """What operations go by: the ledger, and what servers wrote into the databases."""
        return (await sight.look(self.world)).ledger.standby

    async def protect(self) -> None:
        """As the operator does."""
        await self.operate("protect")

    async def operate(self, name: str) -> None:
        """Carry out an operation whose checks are all good."""
        kind = KINDS[name]()
        plan = await planned(self.world, kind)
        bad = [check for check in plan.checks if check.verdict not in (CheckVerdict.OK, CheckVerdict.WARNING)]
        assert not bad, bad
        for step in kind.steps(plan):
            await step.run(self.world, Told())


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    """A protected pool of two servers."""
    async with EmbeddedPool(servers=2, users=5) as pool:
        settings = load(pool.config_path)
        host, _, port = settings.database.nodes[0].address.rpartition(":")
        admin = await asyncpg.connect(host=host, port=int(port), user="postgres", database="tuiha", ssl=False,
                                      password=Layout(pool.folder).read_secret("postgres"))
        try:
            async with open_world(settings, pool.folder) as world:
                yield Scene(pool, world, admin)
        finally:
            await admin.close()


@contextmanager
def archiver(here: Scene, name: str, *options: str, of: str | None = None) -> Iterator[None]:
    """pg_receivewal --synchronous under a name, as an archive on another host would run it; `of`: another address."""
    layout = Layout(here.pool.folder)
    settings = load(here.pool.config_path)
    folder = here.pool.folder / f"archive-{name}"
    folder.mkdir(exist_ok=True)
    port = (of or settings.database.nodes[0].address).rpartition(":")[2]
    process = subprocess.Popen(
        [str(find().postgres / "pg_receivewal"), "--synchronous", "--no-loop", "-D", str(folder),
         "-d", f"host=127.0.0.1 port={port} user=tuiha_replica application_name={name}", *options],
        env={**os.environ, "PGPASSWORD": layout.read_secret("tuiha_replica")},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def _connected(here: Scene, name: str, count: int) -> None:
    async def there() -> bool:
        found = await here.admin.fetchval("SELECT count(*) FROM pg_stat_replication WHERE application_name = $1", name)
        return bool(found == count)

    await until(there, f"{count} connections called {name}")


async def test_each_hole_makes_the_pool_unprotected_and_its_remedy_protects_it_again() -> None:
    async with scene() as here:
        await until(lambda: _protection(here, "protected"), "protected at first")
        for name, hole in HOLES.items():
            with ExitStack() as running:
                for one in hole.archivers:
                    running.enter_context(archiver(here, one))
                    await _connected(here, one, 2 if one == "db2" else 1)
                await here.do(hole.statement)
                await until(partial(_told, here, hole), f"{name}: told")
                await until(lambda: _stale(here), f"{name}: the ledger says STALE")
                seen = await here.look()
                assert seen.protection == "UNPROTECTED", name
                assert {one.state for one in seen.servers} == {ServerState.UP}, f"{name}: the pool goes on"
                lost = (await planned(here.world, KINDS["failover"]())).loses
                assert hole.says in lost, f"{name}: the plan tells what can be lost"
                recorded = await here.admin.fetchval("SELECT text FROM event WHERE severity = 'bad' ORDER BY id DESC")
                assert hole.says in recorded, name
                if hole.remedy:
                    assert any(hole.remedy in command(problem.next) for problem in seen.problems), (
                        name, seen.problems)
                    with pytest.raises(AssertionError, match="acknowledged"):
                        await here.protect()
                    await here.do(hole.remedy)
            if "db2" in hole.archivers:
                await _connected(here, "db2", 1)
            await here.protect()
            await until(lambda: _protection(here, "protected"), f"{name}: protected again")


async def _told(here: Scene, hole: Hole) -> bool:
    return any((hole.shows or hole.says) in what(problem) for problem in (await here.look()).problems)


async def _stale(here: Scene) -> bool:
    return await here.standby() is Standby.STALE


async def _protection(here: Scene, wanted: str) -> bool:
    return (await here.look()).protection == wanted


@contextmanager
def beginner(here: Scene) -> Iterator[None]:
    """A connection of the secondary's name that has asked for nothing yet, as each new one is for a moment.

    While the network is cut and the connection of before still has the slot, one begins every few seconds.
    """
    port = load(here.pool.config_path).database.nodes[0].address.rpartition(":")[2]
    process = subprocess.Popen(
        [str(find().postgres / "psql"), "-qX",
         f"host=127.0.0.1 port={port} user=tuiha_replica application_name=db2 replication=true"],
        env={**os.environ, "PGPASSWORD": Layout(here.pool.folder).read_secret("tuiha_replica")},
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def test_a_connection_that_begins_makes_no_pool_unprotected(monkeypatch: pytest.MonkeyPatch) -> None:
    async with scene() as here:
        await until(lambda: _protection(here, "protected"), "protected at first")
        with beginner(here):
            await _connected(here, "db2", 2)
            found = read(await here.admin.fetchrow(QUESTION))
            assert sorted(one.state for one in found.followers or ()) == ["startup", "streaming"]
            assert not gaps(found, "db2", slot("db2"))
            with monkeypatch.context() as before:
                before.setattr(rule, "_SILENT", frozenset())
                assert gaps(found, "db2", slot("db2")) == {Gap.TWINS}  # and the servers gave the secondary up
            for _ in range(3):  # renewals of every server
                last = await here.admin.fetchval("SELECT max(renewed_at) FROM lease")
                await until(partial(_renewed, here, last), "all servers renew their leases")
            assert await here.standby() is Standby.SYNC


async def test_the_secondary_named_twice_is_waited_for_and_two_of_it_are_waited_for_in_vain() -> None:
    async with scene() as here:
        await until(lambda: _protection(here, "protected"), "protected at first")
        for names in ("db2, DB2", "ANY 1 (db2, db2)"):
            await here.do(f"{NAMES}'{names}'")
            for _ in range(2):  # renewals of every server
                last = await here.admin.fetchval("SELECT max(renewed_at) FROM lease")
                await until(partial(_renewed, here, last), "all servers renew their leases")
            assert (await here.standby(), await _protection(here, "protected")) == (Standby.SYNC, True)
        await here.do(f"{NAMES}'2 (db2)'")
        await until(lambda: _says(here, "WAITING  synchronous_standby_names is 2 (db2)"), "no commit is acknowledged")
        await here.protect()
        await until(lambda: _protection(here, "protected"), "protected again")
        await until(lambda: _all_up(here), "all servers serve")


async def _says(here: Scene, text: str) -> bool:
    return any(text in what(problem) for problem in (await here.look()).problems)


async def test_the_secondary_under_another_name_is_no_sign_of_a_copy() -> None:
    """Nobody called db2 follows db1, and yet db2 receives: from db1, which has all that db2 received."""
    async with scene() as here:
        await until(lambda: _protection(here, "protected"), "protected at first")
        conninfo = await _second(here, "SHOW primary_conninfo")
        await _follow(here, f"{conninfo} application_name=other", "")
        await _connected(here, "other", 1)
        await until(lambda: _without_leases(here), "no server has a lease")
        for _ in range(20):  # each server looks more than twice
            seen = await here.look()
            assert seen.verdict is not Verdict.SPLIT, seen.problems
            await asyncio.sleep(0.3)
        await _follow(here, conninfo, slot("db2"))
        await until(lambda: _protection(here, "protected"), "protected again")
        await until(lambda: _all_up(here), "all servers serve")


async def _follow(here: Scene, conninfo: str, its_slot: str) -> None:
    await _second(here, f"ALTER SYSTEM SET primary_slot_name = {literal(its_slot)}")
    await _second(here, f"ALTER SYSTEM SET primary_conninfo = {literal(conninfo)}")
    await _second(here, "SELECT pg_reload_conf()")


async def _without_leases(here: Scene) -> bool:
    return all(one.state is ServerState.CUT_OFF for one in (await here.look()).servers)


async def test_what_takes_the_name_and_the_slot_of_the_secondary_gets_no_lease_confirmed() -> None:
    """As a clone of the secondary would: the primary by itself sees nothing wrong. When it has gone, all goes on."""
    async with scene() as here:
        await until(lambda: _protection(here, "protected"), "protected at first")
        await here.admin.execute("CREATE TABLE written (id int)")
        name, conninfo = slot("db2"), await _second(here, "SHOW primary_conninfo")
        await _second(here, "ALTER SYSTEM SET primary_conninfo = ''")  # db2 hangs, or the way to it does
        await _second(here, "SELECT pg_reload_conf()")
        with archiver(here, "db2", "--slot", name):
            await _connected(here, "db2", 1)
            await here.admin.execute("INSERT INTO written VALUES (1)")
            found = read(await here.admin.fetchrow(QUESTION))
            assert not gaps(found, "db2", name)  # the control: by the rule of before this is a protected pool
            await until(lambda: _refused(here), "no lease, and why")
            for kind in ("switchover", "failover", "protect"):
                bad = (await planned(here.world, KINDS[kind]())).stopped_by
                assert any("a copy of db2 confirms commits" in check.value for check in bad), (kind, bad)
                assert kind == "failover" or any("stop the copy of db2" in check.remedy for check in bad), (kind, bad)
            await here.operate("degrade")  # the way out that the servers name
            await until(lambda: _protection(here, "UNPROTECTED"), "the pool goes on without db2")
            await until(lambda: _all_up(here), "all servers serve")
        await _second(here, f"ALTER SYSTEM SET primary_conninfo = {literal(conninfo)}")
        await _second(here, "SELECT pg_reload_conf()")
        await until(lambda: _has_written(here), "db2 has what its copy confirmed")
        await here.protect()
        await until(lambda: _protection(here, "protected"), "protected again")
        await until(lambda: _all_up(here), "all servers serve")


async def _all_up(here: Scene) -> bool:
    return all(one.state is ServerState.UP for one in (await here.look()).servers)


async def _has_written(here: Scene) -> bool:
    return bool(await _second(here, "SELECT count(*) FROM written") == 1)


async def _refused(here: Scene) -> bool:
    seen = await here.look()
    return (all(one.state is not ServerState.UP for one in seen.servers)
            and any("a copy of db2 confirms commits in its place" in what(problem) for problem in seen.problems))


async def _second(here: Scene, statement: str) -> Any:
    """Ask the secondary as its superuser."""
    port = load(here.pool.config_path).database.nodes[1].address.rpartition(":")[2]
    second = await asyncpg.connect(host="127.0.0.1", port=int(port), user="postgres", database="tuiha", ssl=False,
                                   password=Layout(here.pool.folder).read_secret("postgres"))
    try:
        return await second.fetchval(statement)
    finally:
        await second.close()


async def _renewed(here: Scene, since: object) -> bool:
    return bool(await here.admin.fetchval("SELECT min(renewed_at) > $1 FROM lease", since))


async def test_under_the_old_rule_acknowledged_rows_are_lost_and_the_plan_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The negative control, in the checks that a plan makes: the name that is in step was enough."""
    async with scene() as here:
        await here.admin.execute("CREATE TABLE written (id int)")
        with archiver(here, "archive"):
            await _connected(here, "archive", 1)
            await here.do(f"{NAMES}'ANY 1 (*)'")
            await until(lambda: _stale(here), "the ledger says STALE")
            sender = await here.admin.fetchval("SELECT pid FROM pg_stat_replication WHERE application_name = 'db2'")
            os.kill(sender, signal.SIGSTOP)  # db2 hangs, or the way to it does
            for number in range(0, 1000, 100):
                await here.admin.execute("INSERT INTO written SELECT generate_series($1::int, $2::int)",
                                         number, number + 99)
            await here.pool.kill("db1")
            with suppress(ProcessLookupError):
                os.kill(sender, signal.SIGKILL)
        plan = await planned(here.world, KINDS["failover"]())
        assert "STALE" in plan.loses
        assert any(check.name == "protection" and check.verdict is CheckVerdict.BAD for check in plan.checks)
        monkeypatch.setattr(sight, "_doubted", lambda ledger, nodes: ledger)  # the old rule: the ledger alone
        plan = await planned(here.world, KINDS["failover"]())
        assert plan.loses.startswith("Nothing is lost")
        assert await _second(here, "SELECT count(*) FROM written") < 1000
