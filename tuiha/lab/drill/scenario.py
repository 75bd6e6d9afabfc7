"""What a drill is: a fault under load at a moment, and what must hold."""

from __future__ import annotations

from dataclasses import dataclass

from tuiha.lab.drill.acts import Act

STEADY = "under steady load"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A fault under load, and what must hold. Nothing may ever be lost, late, doubled, monitored twice or split."""

    name: str
    story: str  # one line
    moment: str  # when the fault comes
    acts: tuple[Act, ...]
    failed: int | None = 0  # requests of devices that may fail; None: any number, only reported
    outage: float | None = None  # seconds that no server may go without acknowledging a write; None: only reported
    ends_on: str | None = "db1"  # where every running server is at the end; None: where the ledger says
    protected: bool = True  # every commit waits for the secondary at the end
    grace: float = 40.0  # the longest wait for devices to fetch the rest at the end, seconds; over when they have it
    servers: int = 3
    users: int = 30
    quick: bool = False  # in the subset that runs without --all
