"""How a secondary receives the log, as PostgreSQL says it in pg_stat_replication."""

from __future__ import annotations

from enum import StrEnum


class Replication(StrEnum):
    """The state of a connection that receives the log."""

    STARTUP = "startup"
    BACKUP = "backup"
    CATCHUP = "catchup"
    STREAMING = "streaming"
    STOPPING = "stopping"
