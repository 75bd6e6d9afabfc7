"""`tuiha check` on a real pool into which a dozen faults were planted: each of them is named."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import trustme
import yaml
from aiohttp import web

from tuiha.config.load import load
from tuiha.lab.embedded import EmbeddedPool
from tuiha.model.check.finding import Level
from tuiha.model.reports import ServerReport, ServerState, ServerTarget
from tuiha.watch.check import check
from tuiha.words.findings import said

pytestmark = pytest.mark.pool
HOUR = 3600.0


async def wrong(config: Path) -> list[str]:
    """What check says that is not ok, each with its subject."""
    checked = await check(load(config), config.parent, config)
    return [f"{one.subject}: {said(one).what}" for one in checked.findings if one.level is not Level.OK]


@asynccontextmanager
async def skewed(pool: str, authority: trustme.CA) -> AsyncIterator[int]:
    """A double of a pool server, on a host whose clock is an hour ahead; its certificate ends in three days."""

    async def status(_: web.Request) -> web.Response:
        report = ServerReport("s9", pool, "0.1.0", ServerState.UP, ServerTarget.UP, clock=time.time() + HOUR)
        return web.json_response(asdict(report))

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ending = datetime.now(UTC) + timedelta(days=3, hours=1)
    authority.issue_cert("localhost", not_after=ending).configure_cert(context)
    app = web.Application()
    app.router.add_get("/control/status", status)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "localhost", 0, ssl_context=context).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def spoil_the_database(address: str, password: str) -> None:
    """Settings and rights as no one should have them."""
    host, _, port = address.rpartition(":")
    connection = await asyncpg.connect(host=host, port=int(port), user="postgres", password=password,
                                       database="tuiha", ssl=False)
    try:
        for statement in ("ALTER SYSTEM SET synchronous_commit = 'local'", "SELECT pg_reload_conf()",
                          "ALTER ROLE tuiha_pool CREATEROLE", "GRANT INSERT ON binding TO tuiha_watch",
                          "ALTER ROLE tuiha_coordinator REPLICATION", "GRANT pg_read_server_files TO tuiha_owner",
                          "GRANT UPDATE (epoch) ON pool_epoch TO tuiha_pool",
                          "GRANT TRUNCATE ON event TO tuiha_coordinator",
                          "GRANT CREATE ON SCHEMA public TO tuiha_watch",
                          "GRANT EXECUTE ON FUNCTION pg_read_file(text) TO tuiha_coordinator"):
            await connection.execute(statement)
    finally:
        await connection.close()


def spoil_the_configuration(pool: EmbeddedPool, port: int) -> Path:
    """The same pool, with a server that it does not have, one token for everything, and a wrong password."""
    settings: dict[str, Any] = yaml.safe_load(pool.config_path.read_text())
    settings["servers"].append({"name": "s9", "address": f"https://localhost:{port}", "tls": {"ca": "ca.pem"}})
    settings["control"]["operator"] = settings["control"]["viewer"]
    settings["mail"][1]["monitor"]["password"] = settings["control"]["viewer"]
    settings["mail"][0]["tls"] = {"verify": False}
    path = pool.folder / "spoilt.yaml"
    path.write_text(yaml.safe_dump(settings))
    path.chmod(0o666)
    return path


async def test_every_planted_fault_is_named() -> None:
    authority = trustme.CA()
    async with EmbeddedPool(servers=2, users=10) as pool, skewed("demo", authority) as port:
        assert await wrong(pool.config_path) == []
        authority.cert_pem.write_to_path(str(pool.folder / "ca.pem"))
        db1 = load(pool.config_path).database.nodes[0].address
        await spoil_the_database(db1, (pool.folder / "secrets" / "postgres").read_text().strip())
        with (pool.folder / "db1" / "pg_hba.conf").open("a") as rules:
            rules.write("host tuiha tuiha_pool 192.0.2.0/24 trust\n")
        ledger = pool.folder / "ledger.json"
        ledger.write_text(json.dumps(json.loads(ledger.read_text()) | {"epoch": 7}))
        (pool.folder / "ledger.json.lock").chmod(0o644)  # as an earlier version made it
        (pool.folder / "secrets" / "tuiha_replica").unlink()
        for name in ("s2", "spray2", "mail1"):
            await pool.kill(name)
        found = await wrong(spoil_the_configuration(pool, port))
    planted = (
        "s2: does not answer", "spray2: its runtime socket does not answer", "mail1: the probe user cannot use it",
        "db1: synchronous_commit is local", "db1: role tuiha_pool has CREATEROLE",
        "db1: role tuiha_watch may write binding", "db1: role tuiha_coordinator has REPLICATION",
        "db1: role tuiha_owner is a member of pg_read_server_files", "db1: role tuiha_coordinator may TRUNCATE event",
        "db1: role tuiha_watch may create objects in schema public",
        "db1: role tuiha_pool may UPDATE pool_epoch.epoch",
        "db1: role tuiha_coordinator may call pg_read_file(text)",
        "db1: pg_hba.conf line 6 lets tuiha_pool in by trust",
        "s9: its clock is ",
        "s9: its certificate at localhost", "control: the viewer's and the operator's token are the same",
        "mail3: tuiha-monitor, acting as probe,", "ledger: it shows epoch 7", "configuration: ",
        "db2: the agent's rehearsal", "ledger's lock: ", "mail.east.tls: verify is false",
    )
    missed = [fault for fault in planted if not any(one.startswith(fault) for one in found)]
    assert not missed, found
