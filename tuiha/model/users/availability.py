"""The availability index of a pool server: how much room it has for users, as one number.

0 to 100: available, and how much. -100 to -1: overloaded, it takes no new users. -200: draining, by an operator.

    pressure(users) = users / capacity
    pressure(r)     = max(0, 2 * used(r) / limit(r) - 1)      for every other resource r
    index       = round(100 * (1 - max pressure))            while the highest pressure is below 1
    index       = -1 - round(99 * (max pressure - 1)), not below -100       otherwise

The scarcest resource decides. A mean would let six idle resources hide an exhausted one. A resource that is less than
half used presses nobody: the noise of a few busy milliseconds must not move users between servers that are all well.
"""

from __future__ import annotations

from dataclasses import dataclass

DRAINING = -200


@dataclass(frozen=True, slots=True)
class Load:
    """What a pool server uses, each in the unit of its limit."""

    cpu: float  # share of one core that this process uses, 0..1 (an event loop has one core)
    memory: float  # share of the machine's memory in use, 0..1
    descriptors: float  # share of the process's file descriptors in use, 0..1
    loop_lag: float  # seconds that a ready callback waits for the event loop
    database_latency: float  # seconds of a heartbeat's commit
    queue: int  # requests that wait for the database
    users: int  # users monitored here
    capacity: int  # users that this server is sized for


@dataclass(frozen=True, slots=True)
class LoadLimits:
    """Where a resource counts as exhausted."""

    cpu: float = 0.95
    memory: float = 0.95
    descriptors: float = 0.9
    loop_lag: float = 1.0
    database_latency: float = 2.0
    queue: int = 1000


def pressures(load: Load, limits: LoadLimits | None = None) -> dict[str, float]:
    """The pressure of every resource; 1 is exhausted."""
    most = limits or LoadLimits()
    used = {
        "cpu": load.cpu / most.cpu,
        "memory": load.memory / most.memory,
        "file descriptors": load.descriptors / most.descriptors,
        "event loop": load.loop_lag / most.loop_lag,
        "database latency": load.database_latency / most.database_latency,
        "queue": load.queue / most.queue,
    }
    return {**{name: max(0.0, 2 * share - 1) for name, share in used.items()}, "users": load.users / load.capacity}


def availability_index(load: Load, limits: LoadLimits | None = None) -> int:
    """The index of a server that nobody withdrew: -100..100, see the formula above."""
    highest = max(pressures(load, limits).values())
    if highest < 1:
        return max(0, round(100 * (1 - highest)))
    return max(-100, -1 - round(99 * (highest - 1)))


def scarcest(load: Load, limits: LoadLimits | None = None) -> tuple[str, float]:
    """The resource that decides the index, with its pressure."""
    return max(pressures(load, limits).items(), key=lambda item: item[1])


def fullness(index: int) -> float | None:
    """How full a server is by its index, in percent of its limit; None of one that drains. Over 200 % looks like it."""
    if index <= DRAINING:
        return None
    return 100.0 - index if index >= 0 else 100.0 - (index + 1) * 100 / 99
