"""A pool server that a drill can hurt from inside: `python -m tuiha.lab.drill.child NAME CONFIGURATION PORT`.

It is the very server that `tuiha serve` runs, with two differences: it listens on PORT of the loopback whatever address
it registers (others reach it through the drill's network), and at SIGUSR1 it does what the file NAME.hurt beside its
configuration says, a JSON object of

    {"block": SECONDS}   the event loop does nothing for so long; other threads go on
    {"shift": SECONDS}   the wall clock of this process jumps by so much: time.time, time.time_ns and
                         clock_gettime(CLOCK_REALTIME), as a wrong clock of the host would show it
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import FrameType


class WallClock:
    """The wall clock, ahead of the real one by `ahead` seconds."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self._time, self._time_ns, self._gettime = time.time, time.time_ns, time.clock_gettime

    def install(self) -> None:
        """Let everything that is imported from now on, and all that says `time.time`, use it."""
        time.time = self.time
        time.time_ns = self.time_ns
        time.clock_gettime = self.gettime

    def time(self) -> float:
        """As time.time."""
        return self._time() + self.ahead

    def time_ns(self) -> int:
        """As time.time_ns."""
        return self._time_ns() + int(self.ahead * 1e9)

    def gettime(self, clock: int) -> float:
        """As time.clock_gettime; the other clocks are never changed."""
        return self._gettime(clock) + (self.ahead if clock == time.CLOCK_REALTIME else 0.0)


def hurt_at_signal(orders: Path, clock: WallClock) -> None:
    """Do what the file says at SIGUSR1. The handler runs in the main thread, wherever that is at the moment."""

    def block(seconds: float) -> None:
        time.sleep(seconds)

    def shift(seconds: float) -> None:
        clock.ahead += seconds

    faults: Mapping[str, Callable[[float], None]] = {"block": block, "shift": shift}

    def obey(number: int, frame: FrameType | None) -> None:
        for name, seconds in json.loads(orders.read_text(encoding="utf-8")).items():
            faults[name](float(seconds))

    signal.signal(signal.SIGUSR1, obey)


def main(name: str, configuration: str, port: str) -> None:
    """Serve."""
    path, clock = Path(configuration), WallClock()
    clock.install()
    hurt_at_signal(path.parent / f"{name}.hurt", clock)
    from tuiha.config.load import load
    from tuiha.server import main as run
    from tuiha.server.setup import identity

    pool = load(path)
    me = replace(identity(pool, path.parent, name, None), port=int(port))
    asyncio.run(run.serve_as(pool, path.parent, me))


if __name__ == "__main__":
    main(*sys.argv[1:])
