"""Recordings made by hand: two servers, two databases, a lease of five seconds."""

from __future__ import annotations

from collections.abc import Sequence

from tuiha.lab.drill.observation.records import Ack, DrillRecording, LeaseRow, Read, Sample, Status

LEASE = 5.0
TICK = 0.2


def status(server: str, at: float, database: str | None = "db1", epoch: int = 1, lease: float | None = 4.0) -> Status:
    return Status(server, at, at + 0.01, database, epoch, lease)


def sample(database: str, at: float, epoch: int = 1, changed_at: float = 0.0, writable: bool = True,
           leases: Sequence[LeaseRow] = ()) -> Sample:
    return Sample(database, at, at + 0.01, writable, epoch, f"db{epoch}", "ACTIVE", changed_at, tuple(leases), {})


def ack(server: str, at: float, device: str, user: str = "anna") -> Ack:
    return Ack(server, user, device, at, at + 0.01)


def read(server: str, at: float, *devices: str, user: str = "anna", received: float | None = None) -> Read:
    return Read(server, user, frozenset(devices), at, at + 0.01 if received is None else received)


def ticks(begin: float, end: float) -> list[float]:
    return [begin + TICK * number for number in range(round((end - begin) / TICK))]


def switched() -> DrillRecording:
    """A good change of database: both servers are on db1 until 10, on db2 from 10.1, renewing every second."""
    recording = DrillRecording()
    for at in ticks(1, 20):
        old = at < 10
        base = 0.0 if old else 10.1
        rows = [LeaseRow(server, 1 if old else 2, max(base, float(int(at)))) for server in ("s1", "s2")]
        ended = [LeaseRow(row.server, 1, min(row.renewed_at, 9.0)) for row in rows]
        recording.samples.append(sample("db1", at, leases=ended))
        standby = old or at < 10.15
        recording.samples.append(sample("db2", at, 1 if standby else 2, 0.0 if standby else 10.05, not standby, rows))
        for server in ("s1", "s2"):
            on, epoch = ("db1", 1) if old else ("db2", 2)
            recording.statuses.append(status(server, at + 0.05, on, epoch))
            recording.acks.append(ack(server, at + 0.1, f"{server}-{at:.1f}"))
    return recording
