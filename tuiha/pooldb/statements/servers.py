"""The pool servers: their heartbeats, their targets, which of them live, and the locks by which they take turns."""

from __future__ import annotations

from tuiha.pooldb.leases import LEASED

MEMBERS = f"""
SELECT name, address, state, target, availability_index, epoch, users, {LEASED} AS leased,
       greatest(0, extract(epoch FROM clock_timestamp() - heartbeat))::float8 AS heartbeat_age
  FROM server s ORDER BY name
"""

# The target belongs to the operators: a heartbeat reads it and never writes it.
BEAT = """
INSERT INTO server (name, address, version, state, availability_index, capacity, users, epoch, started_at, heartbeat)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, to_timestamp($9), clock_timestamp())
ON CONFLICT (name) DO UPDATE SET address = excluded.address, version = excluded.version, state = excluded.state,
    availability_index = excluded.availability_index, capacity = excluded.capacity, users = excluded.users,
    epoch = excluded.epoch, started_at = excluded.started_at, heartbeat = excluded.heartbeat
RETURNING target
"""

NOTE_TARGET = "UPDATE server SET target = $2 WHERE name = $1 AND target <> $2 RETURNING name"

SET_TARGET = "UPDATE server SET target = $2 WHERE name = $1"

COUNT_SERVER = "SELECT count(*)::int FROM server WHERE name = $1"

MARK_LEFT = "UPDATE server SET state = 'LEFT' WHERE name = $1"

DELETE_WITHOUT_USERS = """
DELETE FROM server s WHERE name = $1 AND target = 'UP'
   AND NOT EXISTS (SELECT FROM binding b WHERE b.server = s.name AND b.expires_at > clock_timestamp())
"""

FORGET_SILENT = """
DELETE FROM server s WHERE heartbeat < clock_timestamp() - interval '24 hours'
   AND NOT EXISTS (SELECT FROM binding b WHERE b.server = s.name)
"""

FORGET_SERVER = f"""
DELETE FROM server s WHERE name = $1 AND heartbeat < clock_timestamp() - make_interval(secs => $2) AND NOT {LEASED}
   AND NOT EXISTS (SELECT FROM binding b WHERE b.server = s.name AND b.expires_at > clock_timestamp())
RETURNING name
"""

TARGET = "SELECT target FROM server WHERE name = $1"

CAPACITIES = "SELECT name, capacity FROM server ORDER BY name"

ADDRESSES = "SELECT name, address FROM server WHERE state <> 'LEFT'"

PEERS = "SELECT name, address FROM server WHERE name <> $1 ORDER BY heartbeat DESC LIMIT $2"

CANDIDATES_SEEN = f"""
SELECT name, address, availability_index, users, capacity,
       state <> 'LEFT' AND (heartbeat > clock_timestamp() - make_interval(secs => $1) OR {LEASED}) AS alive
  FROM server s
"""

# Advisory locks.
TRY_LOCK_FOR_TRANSACTION = "SELECT pg_try_advisory_xact_lock($1)"

TAKE_LOCK = "SELECT pg_advisory_lock($1)"

RELEASE_LOCK = "SELECT pg_advisory_unlock($1)"

TAKE_LOCK_FOR_TRANSACTION = "SELECT pg_advisory_xact_lock($1)"
