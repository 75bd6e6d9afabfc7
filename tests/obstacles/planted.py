"""Obstacles to the way back of a switchover from db1 to db2: each one is planted into a real pool, and taken out."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from tuiha.lab.embedded import EmbeddedPool


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something that keeps, or may keep, db1 from following db2, or the other way round."""

    name: str
    plant: Callable[[Pair], Awaitable[None]]
    check: str | None  # the check that stops the switchover; None: it is none, and the switchover ends protected


class Pair:
    """The two databases of an embedded pool, for hands that spoil them."""

    def __init__(self, pool: EmbeddedPool) -> None:
        self._pool = pool
        self._files: dict[Path, bytes] = {}
        self._undo: list[tuple[str, str]] = []

    def file(self, node: str, name: str) -> Path:
        """A file of one database's settings; it is put back by `mend`."""
        path = self._pool.folder / node / name
        self._files.setdefault(path, path.read_bytes())
        return path

    async def edit(self, node: str, name: str, pattern: str, instead: str) -> None:
        """Change what a pattern finds in a file, and load the settings again."""
        path = self.file(node, name)
        text, count = re.subn(pattern, instead, path.read_text())
        assert count, (name, pattern)
        path.write_text(text)
        await self.sql(node, "SELECT pg_reload_conf()")

    async def add(self, node: str, name: str, line: str) -> None:
        """Add a line to a file. What needs a restart waits for it, as it would."""
        path = self.file(node, name)
        path.write_text(f"{path.read_text()}\n{line}\n")
        await self.sql(node, "SELECT pg_reload_conf()")

    async def sql(self, node: str, statement: str, undo: str = "", database: str = "tuiha") -> None:
        """A statement as the superuser; `undo` is run by `mend`."""
        port = (await self._pool.state()).part(node).port
        password = (self._pool.folder / "secrets" / "postgres").read_text().strip()
        connection: Any = await asyncpg.connect(host="127.0.0.1", port=port, user="postgres", password=password,
                                                database=database, timeout=20, ssl=False)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
        if undo:
            self._undo.append((node, undo))

    async def mend(self) -> None:
        """Take everything out again."""
        for path, text in self._files.items():
            path.write_bytes(text)
            path.chmod(0o600)
            os.chown(path, path.parent.stat().st_uid, path.parent.stat().st_gid)
        self._files.clear()
        for node in ("db1", "db2"):
            await self.sql(node, "SELECT pg_reload_conf()")
        for node, statement in reversed(self._undo):
            await self.sql(node, statement)
        self._undo.clear()


def _edits(node: str, name: str, pattern: str, instead: str) -> Callable[[Pair], Awaitable[None]]:
    return lambda pair: pair.edit(node, name, pattern, instead)


def _adds(line: str, name: str = "node.conf") -> Callable[[Pair], Awaitable[None]]:
    return lambda pair: pair.add("db1", name, line)


def _says(statement: str, undo: str) -> Callable[[Pair], Awaitable[None]]:
    return lambda pair: pair.sql("db1", statement, undo)


async def _no_password_file(pair: Pair) -> None:
    pair.file("db1", "replica.pgpass").unlink()


async def _open_password_file(pair: Pair) -> None:
    """libpq leaves a password file aside that others may read."""
    path = pair.file("db1", "replica.pgpass")
    text = path.read_bytes()
    path.unlink()
    path.write_bytes(text)
    path.chmod(0o644)


async def _to_itself(pair: Pair) -> None:
    own = re.search(r"(?m)^port = (\d+)", pair.file("db1", "node.conf").read_text())
    assert own is not None
    await pair.edit("db1", "node.conf", r"port=\d+", f"port={own[1]}")
    path = pair.file("db1", "replica.pgpass")
    path.write_text(re.sub(r"^([^:]+):\d+", rf"\1:{own[1]}", path.read_text()))


_REPLICATION = r"(?m)^host +replication .*$"
_COORDINATOR = "tuiha_coordinator"

OBSTACLES: tuple[Obstacle, ...] = (
    Obstacle("no line for replication on db2", _edits("db2", "pg_hba.conf", _REPLICATION, ""), "replication"),
    Obstacle("replication rejected on db2", _edits("db2", "pg_hba.conf", _REPLICATION,
             "host replication all all reject"), "replication"),
    Obstacle("no line for replication on db1", _edits("db1", "pg_hba.conf", _REPLICATION, ""), "replication"),
    Obstacle("no line for the rewind on db2", _edits("db2", "pg_hba.conf", r"(?m)^host +all +postgres .*$",
             "host tuiha postgres 127.0.0.1/32 scram-sha-256\nhost postgres postgres 127.0.0.1/32 reject"), "rewind"),
    Obstacle("another application_name", _edits("db1", "node.conf", "application_name=db1", "application_name=standby"),
             "replication"),
    Obstacle("no application_name", _edits("db1", "node.conf", "application_name=db1", ""), None),
    Obstacle("another port", _edits("db1", "node.conf", r"port=\d+", "port=1"), "replication"),
    Obstacle("to itself", _to_itself, "replication"),
    Obstacle("no primary_conninfo", _edits("db1", "node.conf", r"(?m)^primary_conninfo.*$", ""), "replication"),
    Obstacle("a wrong password", _edits("db1", "replica.pgpass", r":[^:]*$", ":wrong\n"), "replication"),
    Obstacle("no password file", _no_password_file, "replication"),
    Obstacle("a password file for all to read", _open_password_file, "replication"),
    Obstacle("another user in the password file", _edits("db1", "replica.pgpass", "tuiha_replica", "replica"),
             "replication"),
    Obstacle("TLS is wanted where there is none", _edits("db1", "node.conf", "application_name=db1",
             "application_name=db1 sslmode=require"), "replication"),
    Obstacle("another slot", _edits("db1", "node.conf", r"(?m)^primary_slot_name.*$", "primary_slot_name = 'mine'"),
             "slot"),
    Obstacle("recovery_target_timeline", _adds("recovery_target_timeline = 'current'"), "recovery"),
    Obstacle("recovery_target_lsn", _adds("recovery_target_lsn = '0/1'"), "recovery"),
    Obstacle("hot_standby is off", _adds("hot_standby = off"), "recovery"),
    Obstacle("fewer connections in its file", _adds("max_connections = 40"), "recovery"),
    Obstacle("fewer senders in its file", _adds("max_wal_senders = 5"), "recovery"),
    Obstacle("a file that cannot be read", _adds("this is no setting"), "rehearsal"),
    Obstacle("the role replicates no more", _says("ALTER ROLE tuiha_replica NOREPLICATION",
             "ALTER ROLE tuiha_replica REPLICATION"), "replication"),
    Obstacle("the role logs in no more", _says("ALTER ROLE tuiha_replica NOLOGIN", "ALTER ROLE tuiha_replica LOGIN"),
             "replication"),
    Obstacle("the role is past its day", _says("ALTER ROLE tuiha_replica VALID UNTIL '2000-01-01'",
             "ALTER ROLE tuiha_replica VALID UNTIL 'infinity'"), "replication"),
    Obstacle("the coordinator sets nothing",
             _says(f"REVOKE ALTER SYSTEM ON PARAMETER synchronous_standby_names FROM {_COORDINATOR}",
                   f"GRANT ALTER SYSTEM ON PARAMETER synchronous_standby_names TO {_COORDINATOR}"), "rights"),
    Obstacle("the coordinator makes no checkpoint", _says(f"REVOKE pg_checkpoint FROM {_COORDINATOR}",
             f"GRANT pg_checkpoint TO {_COORDINATOR}"), "rights"),
)
