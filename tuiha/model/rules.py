"""The few figures that conclusions depend on, taken from the configuration."""

from __future__ import annotations

from dataclasses import dataclass

from tuiha.model.databases.obstacles import LONG

BEATS = 3  # heartbeats that may be missed before a server's row alone no longer proves that it runs


@dataclass(frozen=True, slots=True)
class Rules:
    """Limits by which a look is judged. Times in seconds."""

    down_after: int = 3  # failed polls in a row
    heartbeat: float = 1.0  # between two heartbeats of a server
    lease: float = 5.0  # a lease's whole length
    hold: float = LONG  # that requests are held while the pool changes its database
    manager: str | None = None  # who decides which database is active: "Patroni"; None: this project's operations
    unverified: tuple[str, ...] = ()  # places in the configuration where any certificate is accepted

    backup_older: float = 26 * 3600.0  # an older backup of the pair is a problem

    @property
    def beating(self) -> float:
        """Up to this age a heartbeat says that the server runs right now."""
        return BEATS * self.heartbeat
