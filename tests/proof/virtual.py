"""Virtual time: an event loop that never waits, and processes whose clocks run at speeds of their own."""

from __future__ import annotations

import asyncio
import selectors
from contextvars import ContextVar
from dataclasses import dataclass


class _Jumping(selectors.SelectSelector):
    """Instead of waiting, moves the time to when the wait would have ended."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everything waits for ever")
        self.now += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


@dataclass
class Process:
    """A pool server's process as the world sees it: its clock's speed and when it is stopped."""

    name: str
    speed: float = 1.0
    stopped: tuple[float, float] = (0.0, 0.0)  # from, to


PROCESS: ContextVar[Process] = ContextVar("process")


class Clock:
    """Stands in for the module `time` in `tuiha.pooldb.leases`: each process has a clock of its own speed."""

    CLOCK_BOOTTIME = 0

    @staticmethod
    def clock_gettime(_: int) -> float:
        return asyncio.get_running_loop().time() * PROCESS.get().speed
