"""Advisory locks, by which processes of the pool take turns."""

from __future__ import annotations

TRY_LOCK_TRANSACTION = "SELECT pg_try_advisory_xact_lock($1)"

LOCK = "SELECT pg_advisory_lock($1)"

UNLOCK = "SELECT pg_advisory_unlock($1)"

LOCK_TRANSACTION = "SELECT pg_advisory_xact_lock($1)"
