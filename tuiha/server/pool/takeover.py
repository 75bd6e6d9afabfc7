"""Users of a dead or leaving server move to the others, in one transaction by whichever server gets to it first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tuiha.model.users.placement import Candidate, share_out
from tuiha.model.words import count
from tuiha.pooldb.connection import Connection
from tuiha.pooldb.statements.events import ADD_EVENT
from tuiha.pooldb.statements.servers import TRY_LOCK_FOR_TRANSACTION
from tuiha.pooldb.statements.takeovers import CANDIDATES, GIVE_USERS, HOLD_ORPHANS, IS_GONE, NOTE_REFUSAL
from tuiha.server.pool.bindings import note_homes, notify

_ONE_AT_A_TIME = 0x7475696862  # advisory lock: one server shares out, the others find nothing left


@dataclass(frozen=True, slots=True)
class Taken:
    """What one takeover did."""

    users: int
    text: str  # for the event


def candidates(rows: Iterable[Any], excused: bool = False) -> dict[str, Candidate]:
    """The rows of `CANDIDATES` as facts.

    `excused`: the database was away until a moment ago, so that nobody's silence means anything yet.
    """
    return {
        row["name"]: Candidate(
            row["name"], row["address"], row["availability_index"], not row["gone"] and (row["heard"] or excused),
            row["users"], row["capacity"],
        )
        for row in rows
    }


async def note_refusal(connection: Connection, server: str, by: str, window: float) -> bool:
    """One server found another one's port refused, twice. Whether that server is gone for the pool."""
    await connection.execute(NOTE_REFUSAL, server, by)
    return bool(await connection.fetchval(IS_GONE, window, server))


async def take_over(
    connection: Connection, window: float, leaving: str | None = None, excused: bool = False
) -> Taken | None:
    """Give the users of every dead server (and of `leaving`) to live ones. None when there was nothing to do.

    Runs inside the caller's transaction. Liveness is judged here, by the database's clock, and not by what a server
    remembers.
    """
    if not await connection.fetchval(TRY_LOCK_FOR_TRANSACTION, _ONE_AT_A_TIME):
        return None
    rows = await connection.fetch(CANDIDATES, window)
    gone = [c.name for c in candidates(rows, excused).values() if not c.alive or c.name == leaving]
    if not gone:
        return None
    orphans = await connection.fetch(HOLD_ORPHANS, gone)
    takers = [c for c in candidates(rows).values() if c.name not in gone]
    given = share_out(((row["user_id"], row["weight"]) for row in orphans), takers)
    if not given:
        return None
    moved = [row for row in orphans if row["user_id"] in given]
    await note_homes(connection, await connection.fetch(
        GIVE_USERS,
        [row["user_id"] for row in moved],
        [row["generation"] for row in moved],
        [row["server"] for row in moved],
        [given[row["user_id"]] for row in moved],
    ))
    counts = Counter(given.values())
    await notify(connection, *counts)
    whose = ", ".join(sorted({row["server"] for row in moved}))
    parts = [f"{name} {users:,}" for name, users in sorted(counts.items())]
    where = ", ".join(parts if len(parts) > 1 else counts)
    if left := len(orphans) - len(moved):
        where += f"; {count(left, 'user')} without room"
    several = "," in whose
    verb = "left" if leaving else ("are gone" if several else "is gone")
    text = f"{verb}: {count(len(moved), 'user')} moved to {where}"
    await connection.execute(ADD_EVENT, "note" if leaving else "bad", whose, text)
    return Taken(len(moved), text)
