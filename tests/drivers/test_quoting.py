"""A pair whose secondary has a name that is a word of PostgreSQL's language: it streams, sync, and is read back so."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.drivers.daemons import PASSWORD, Account, PostgresNode, free_port
from tests.until import until
from tuiha.drivers.databases.commands import DROP_SLOT_ITSELF, MAKE_SLOT_ITSELF
from tuiha.drivers.databases.postgres import Postgres
from tuiha.model.quotes import Standbys, conninfo, identifier, literal, pgpass, setting, slot, standbys
from tuiha.operate.database.steps.base import followers, set_parameter
from tuiha.operate.database.stream import streams
from tuiha.operate.plans.kinds import StepFailed
from tuiha.operate.reach.sql import Coordinator

NAMES = ("first", "any", "all", "public", "1", "a-b", "a.b", "FIRST", "none", "0x1", "DB_2")
FOLLOWS = "SELECT application_name, sync_state FROM pg_stat_replication"


@pytest.fixture(scope="module")
def pair(folder: Path, binaries: Path) -> Iterator[tuple[PostgresNode, PostgresNode]]:
    path = folder / f"it's a pair-{free_port()}"
    path.mkdir()
    path.chmod(0o777)
    primary, secondary = (PostgresNode(name, path, binaries, Account()) for name in ("any", "first"))
    primary.create()
    primary.start()
    secondary.copy(primary)
    secondary.start()
    yield primary, secondary
    secondary.stop()
    primary.stop()
    shutil.rmtree(path, ignore_errors=True)


def coordinator(node: PostgresNode) -> Coordinator:
    return Coordinator(node.name, node.address, "postgres", "postgres", PASSWORD, None)


@pytest.fixture
async def both(pair: tuple[PostgresNode, PostgresNode]) -> AsyncIterator[tuple[Coordinator, Coordinator]]:
    primary, secondary = map(coordinator, pair)
    yield primary, secondary
    await set_parameter(primary, "synchronous_standby_names", "")
    await primary.close()
    await secondary.close()


async def called(pair: tuple[PostgresNode, PostgresNode], secondary: Coordinator, name: str) -> None:
    """The secondary follows under this name. The password comes from a file whose path has to be quoted."""
    primary = pair[0]
    passwords = primary.folder / "the secondary's.pgpass"
    passwords.write_text(pgpass("127.0.0.1", str(primary.port), "*", "postgres", PASSWORD) + "\n")
    passwords.chmod(0o600)
    os.chown(passwords, Account().uid, Account().gid)
    await set_parameter(secondary, "primary_conninfo", conninfo({
        "host": "127.0.0.1", "port": str(primary.port), "user": "postgres", "application_name": name,
        "passfile": str(passwords)}))


@pytest.mark.parametrize("name", NAMES)
async def test_it_streams_sync_and_reads_back(
    pair: tuple[PostgresNode, PostgresNode], both: tuple[Coordinator, Coordinator], name: str
) -> None:
    primary, secondary = both
    await called(pair, secondary, name)
    await until(lambda: streams(primary, name), met=lambda seen: seen is True)
    await set_parameter(primary, "synchronous_standby_names", followers(name))

    async def seen() -> list[Any]:
        return [tuple(row) for row in await primary.fetch(FOLLOWS)]

    await until(seen, met=lambda rows: rows == [(name, "sync")])
    await primary.fetch("CREATE TABLE IF NOT EXISTS committed (n int)")  # a commit that waits for it
    watching = Postgres(pair[0].name, pair[0].address, "postgres", "postgres", PASSWORD, 10.0)
    report = await watching.poll()
    await watching.close()
    assert [(row.name, row.sync_state) for row in report.replication] == [(name, "sync")]
    assert standbys(report.synchronous_names or "") == Standbys(1, (name,))


async def test_without_quotes_it_is_refused(both: tuple[Coordinator, Coordinator]) -> None:
    """Negative control."""
    for name in ("first", "any", "a-b"):
        with pytest.raises(StepFailed, match="refuses"):
            await set_parameter(both[0], "synchronous_standby_names", f"FIRST 1 ({name})")


@pytest.mark.parametrize("name", NAMES)
async def test_slots_and_roles(both: tuple[Coordinator, Coordinator], name: str) -> None:
    primary, _ = both
    await primary.fetch(MAKE_SLOT_ITSELF, slot(name))
    await primary.fetch(MAKE_SLOT_ITSELF, slot(name))
    await primary.fetch(DROP_SLOT_ITSELF, slot(name))
    if name in ("public", "none"):  # which PostgreSQL calls no role by
        return
    role = identifier(name)
    await primary.fetch(f"CREATE ROLE {role} LOGIN PASSWORD {literal(chr(39) + chr(92))}")
    try:
        assert await primary.value("SELECT count(*)::int FROM pg_roles WHERE rolname = $1", name) == 1
    finally:
        await primary.fetch(f"DROP ROLE {role}")


async def test_settings_files(pair: tuple[PostgresNode, PostgresNode], both: tuple[Coordinator, Coordinator]) -> None:
    """PostgreSQL's own reading of a file with quotes and backslashes."""
    texts = ["it's", "back\\slash", "a\\'b", "\\n", "tab\tand space", "#no comment"]
    file = pair[0].data / "postgresql.conf"
    before = file.read_text()
    for text in texts:
        file.write_text(f"{before}cluster_name = {setting(text)}\nlog_line_prefix = {setting(text)}\n")
        connection = await asyncpg.connect(host="127.0.0.1", port=pair[0].port, user="postgres", password=PASSWORD,
                                           database="postgres", ssl=False)
        found = await connection.fetchval(
            "SELECT setting FROM pg_file_settings WHERE name = 'log_line_prefix' ORDER BY seqno DESC LIMIT 1")
        await connection.close()
        assert found == text
    file.write_text(before)
