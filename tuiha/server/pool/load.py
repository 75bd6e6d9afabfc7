"""What this process and its machine use: the raw material of the availability index and of /metrics."""

from __future__ import annotations

import asyncio
import resource
from collections import deque
from dataclasses import dataclass, field

import psutil

from tuiha.model.users.availability import Load

_DISK = "."  # the file system that this process runs on
_SMOOTH = 0.2  # weight of a new measurement: one noisy second must not move users


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open files to the hard one; returns it. Each user and device needs a descriptor."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


@dataclass(frozen=True, slots=True)
class Host:
    """The machine, as of the last heartbeat; percents are of the whole."""

    cpu_percent: float | None = None  # None until there are two measurements
    memory_percent: float | None = None
    disk_percent: float | None = None
    load: float | None = None
    processors: int | None = None


@dataclass(slots=True)
class Figures:
    """Measures this process. `measure` is called once per heartbeat, `watch_loop` runs beside it."""

    capacity: int
    cpu: float = 0.0
    loop_lag: float = 0.0
    database_latency: float = 0.0
    host: Host = field(default_factory=Host)
    _process: psutil.Process = field(default_factory=psutil.Process)
    _descriptors: int = field(default_factory=raise_descriptor_limit)

    async def watch_loop(self) -> None:
        """Measure how late the event loop runs what is ready, four times a second, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            wanted = loop.time() + 0.25
            await asyncio.sleep(0.25)
            self.loop_lag = _smooth(self.loop_lag, max(0.0, loop.time() - wanted))

    def committed(self, seconds: float) -> None:
        """Note how long a heartbeat's commit took."""
        self.database_latency = _smooth(self.database_latency, seconds)

    def measure(self, users: int, queue: int) -> Load:
        """Measure now."""
        self.cpu = _smooth(self.cpu, self._process.cpu_percent() / 100)
        memory = psutil.virtual_memory().percent
        self.host = self._look_at_host(memory)
        return Load(
            cpu=self.cpu,
            memory=memory / 100,
            descriptors=self._process.num_fds() / self._descriptors,
            loop_lag=self.loop_lag,
            database_latency=self.database_latency,
            queue=queue,
            users=users,
            capacity=self.capacity,
        )

    def _look_at_host(self, memory: float) -> Host:
        used = psutil.cpu_percent()  # since the last call; the first one says 0.0, which is not known
        cpu = None if self.host.memory_percent is None else round(used, 1)
        try:
            disk: float | None = psutil.disk_usage(_DISK).percent
        except OSError:
            disk = None  # no figure; the folder went away
        return Host(cpu, memory, disk, round(psutil.getloadavg()[0], 2), psutil.cpu_count())

    def memory_bytes(self) -> int:
        """Resident memory of this process."""
        return int(self._process.memory_info().rss)


def _smooth(old: float, new: float) -> float:
    return old + _SMOOTH * (new - old)


@dataclass(slots=True)
class Meter:
    """Rate and 95th percentile of the last ten seconds' requests, long polls' waiting left out; counts since the start.
    """

    span: float = 10.0
    answered: int = 0  # device requests, those that another server forwarded left out
    failed: int = 0  # of these, with 5xx and no time to ask again
    delayed: int = 0  # waited here for a database, or were told when to ask again (503 with Retry-After)
    _taken: deque[tuple[float, float]] = field(default_factory=deque)
    _looked: float = 0.0  # when the percentile was worked out
    _p95: float | None = None

    def note(self, now: float, seconds: float) -> None:
        """Note a request that ended at `now` and worked for `seconds`."""
        self._taken.append((now, seconds))
        self._forget(now)

    def count(self, status: int, *, again: bool, forwarded: bool, waited: bool) -> None:
        """Count one answer. One that another server forwarded is an answer to a device only there.

        `again`: it said when to ask again; whoever does gets the same answer as if nothing had been.
        """
        later = status == 503 and again
        if not forwarded:
            self.answered += 1
            self.failed += status >= 500 and not later
        self.delayed += waited or (later and not forwarded)

    def rate(self, now: float) -> float:
        """Requests per second."""
        self._forget(now)
        return round(len(self._taken) / self.span, 1)

    def p95_ms(self, now: float) -> float | None:
        """95th percentile of the work, in milliseconds; None without requests.

        Half a second old at most: each look of a sprayer asks for it, and ten thousand requests are to be sorted.
        """
        self._forget(now)
        if not self._taken:
            return None
        if not self._looked <= now < self._looked + 0.5 or self._p95 is None:
            worked = sorted(seconds for _, seconds in self._taken)
            self._p95 = round(worked[min(len(worked) - 1, int(len(worked) * 0.95))] * 1000, 1)
            self._looked = now
        return self._p95

    def _forget(self, now: float) -> None:
        while self._taken and self._taken[0][0] < now - self.span:
            self._taken.popleft()
