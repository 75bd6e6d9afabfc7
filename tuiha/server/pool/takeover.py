"""Users of a dead or leaving server move to the others, in one transaction by whichever server gets to it first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tuiha.drivers.databases.questions import LEASED
from tuiha.model.users.placement import Candidate, share_out
from tuiha.model.words import count
from tuiha.server.pool.bindings import note_homes, notify

_ONE_AT_A_TIME = 0x7475696862  # advisory lock: one server shares out, the others find nothing left

# $1: the heartbeat window in seconds. A server is dead when its heartbeat is older than that and it holds no lease: one
# that is busy beats late, and renews its lease all the same. Or when two others found its port refused since its heart
# beat last (or the only other one did), and it missed a renewal, of which there are five in a lease.
_WITH = """
WITH fresh AS (
    SELECT name FROM server WHERE state <> 'LEFT' AND heartbeat > clock_timestamp() - make_interval(secs => $1)
), gone AS (
    SELECT s.name FROM server s JOIN refusal r ON r.server = s.name AND r.by <> s.name AND r.at > s.heartbeat
           JOIN fresh f ON f.name = r.by
     WHERE NOT EXISTS (SELECT FROM lease l WHERE l.server = s.name
                          AND l.renewed_at > clock_timestamp() - make_interval(secs => coalesce(l.seconds, 0) / 4))
     GROUP BY s.name HAVING count(*) >= least(2, (SELECT count(*) FROM fresh o WHERE o.name <> s.name))
)
"""
CANDIDATES = f"""{_WITH}
SELECT s.name, address, availability_index, capacity, users,
       state = 'LEFT' OR s.name IN (SELECT name FROM gone) AS gone,
       s.name IN (SELECT name FROM fresh) OR {LEASED} AS heard
  FROM server s
"""
_NOTE_REFUSAL = """
INSERT INTO refusal (server, by) VALUES ($1, $2)
ON CONFLICT (server, by) DO UPDATE SET at = clock_timestamp()
"""
_GONE = f"{_WITH} SELECT EXISTS (SELECT FROM gone WHERE name = $2)"
_ORPHANS = """
SELECT user_id, generation, weight, server FROM binding
WHERE server = ANY($1::text[]) AND expires_at > clock_timestamp() ORDER BY user_id FOR UPDATE
"""
_GIVE = """
UPDATE binding b SET server = t.server, generation = b.generation + 1, since = clock_timestamp()
  FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) AS t (user_id, generation, former, server)
 WHERE b.user_id = t.user_id AND b.generation = t.generation
RETURNING b.user_id, t.former, b.generation
"""


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


async def note_refusal(connection: Any, server: str, by: str, window: float) -> bool:
    """One server found another one's port refused, twice. Whether that server is gone for the pool."""
    await connection.execute(_NOTE_REFUSAL, server, by)
    return bool(await connection.fetchval(_GONE, window, server))


async def take_over(
    connection: Any, window: float, leaving: str | None = None, excused: bool = False
) -> Taken | None:
    """Give the users of every dead server (and of `leaving`) to live ones. None when there was nothing to do.

    Runs inside the caller's transaction. Liveness is judged here, by the database's clock, and not by what a server
    remembers.
    """
    if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", _ONE_AT_A_TIME):
        return None
    rows = await connection.fetch(CANDIDATES, window)
    gone = [c.name for c in candidates(rows, excused).values() if not c.alive or c.name == leaving]
    if not gone:
        return None
    orphans = await connection.fetch(_ORPHANS, gone)
    takers = [c for c in candidates(rows).values() if c.name not in gone]
    given = share_out(((row["user_id"], row["weight"]) for row in orphans), takers)
    if not given:
        return None
    moved = [row for row in orphans if row["user_id"] in given]
    await note_homes(connection, await connection.fetch(
        _GIVE,
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
    await connection.execute(
        "INSERT INTO event (severity, subject, text) VALUES ($1, $2, $3)", "note" if leaving else "bad", whose, text
    )
    return Taken(len(moved), text)
