"""Bring the enterprise database's schema up to date: numbered SQL files, applied once each, under an advisory lock."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

_LOCK = 0x7475696861  # "tuiha": the advisory lock that all migrating servers share

# UPDATE on the epoch row's constant column is what `FOR SHARE` asks for; it lets a server change nothing.
_GRANTS = """
GRANT USAGE ON SCHEMA public TO tuiha_pool, tuiha_watch;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO tuiha_pool;
REVOKE INSERT, UPDATE, DELETE ON pool_epoch, schema_version FROM tuiha_pool;
GRANT UPDATE (only_row) ON pool_epoch TO tuiha_pool;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO tuiha_pool;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO tuiha_watch;
REVOKE SELECT ON app_user FROM tuiha_watch;
GRANT SELECT (id, name, mail_cluster, last_seq, created_at) ON app_user TO tuiha_watch;
"""

_COORDINATOR_GRANTS = """
GRANT USAGE ON SCHEMA public TO tuiha_coordinator;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO tuiha_coordinator;
REVOKE SELECT ON app_user FROM tuiha_coordinator;
GRANT SELECT (id, name, mail_cluster, last_seq, created_at) ON app_user TO tuiha_coordinator;
GRANT UPDATE ON pool_epoch TO tuiha_coordinator;
GRANT INSERT, UPDATE ON operation, event TO tuiha_coordinator;
"""


class WrongPool(Exception):
    """The database belongs to another pool."""


def migrations() -> list[tuple[int, str]]:
    """The numbered SQL files as (number, text), lowest first."""
    folder = files("tuiha.server.schema")
    found = [(int(entry.name[:4]), entry) for entry in folder.iterdir() if entry.name.endswith(".sql")]
    return [(number, entry.read_text(encoding="utf-8")) for number, entry in sorted(found, key=lambda f: f[0])]


async def migrate(connection: Any, pool: str, active: str) -> None:
    """Create or update the schema, and give an empty database its epoch row (epoch 1, ACTIVE, `active`).

    `connection` is an asyncpg connection of the role that owns the schema. Raises WrongPool when the database
    holds another pool. Grants go to the roles that exist; a pool with a single role needs none.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_version ("
            "number integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        await connection.execute("COMMENT ON TABLE schema_version IS 'Which numbered SQL files have been applied'")
        applied = {row["number"] for row in await connection.fetch("SELECT number FROM schema_version")}
        for number, text in migrations():
            if number not in applied:
                await connection.execute(text)
                await connection.execute("INSERT INTO schema_version (number) VALUES ($1)", number)
        await connection.execute(
            "INSERT INTO pool_epoch (pool, epoch, active, state) VALUES ($1, 1, $2, 'ACTIVE') ON CONFLICT DO NOTHING",
            pool,
            active,
        )
        owner = await connection.fetchval("SELECT pool FROM pool_epoch")
        if owner != pool:
            raise WrongPool(f"this database holds the pool '{owner}', not '{pool}'")
        roles = await connection.fetch("SELECT FROM pg_roles WHERE rolname IN ('tuiha_pool', 'tuiha_watch')")
        if len(roles) == 2:
            await connection.execute(_GRANTS)
        if await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = 'tuiha_coordinator'"):
            await connection.execute(_COORDINATOR_GRANTS)


async def is_current(connection: Any) -> bool:
    """Whether every numbered file of this version has been applied to the database."""
    if await connection.fetchval("SELECT to_regclass('public.schema_version')") is None:
        return False
    applied = {row["number"] for row in await connection.fetch("SELECT number FROM schema_version")}
    return {number for number, _ in migrations()} <= applied
