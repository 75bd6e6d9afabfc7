"""Faults inside one pool server's process: see `tuiha.lab.drill.child`."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass

from tuiha.lab.drill.stage import NotReached, Stage, until


@dataclass(frozen=True, slots=True)
class Inside:
    """A server's process is told to hurt itself."""

    hurtable: tuple[str, ...]
    fault: str
    seconds: float
    what: str

    @property
    def text(self) -> str:
        """In words."""
        return f"{', '.join(self.hurtable)}: {self.what}"

    async def do(self, stage: Stage) -> None:
        """Write the order, and signal. Raises NotReached when it does not run."""
        stage.mark()
        state = await stage.pool.state()
        for name in self.hurtable:
            pid = state.part(name).pid
            if pid is None:
                raise NotReached(f"{name} does not run")
            orders = stage.layout.folder / f"{name}.hurt"
            stage.layout.publish(orders, json.dumps({self.fault: self.seconds}))
            os.kill(pid, signal.SIGUSR1)


@dataclass(frozen=True, slots=True)
class Fenced:
    """Wait until no database has a session of a server: its thread shut them, as its event loop cannot."""

    server: str
    seconds: float = 7.0  # a lease, and two to notice

    @property
    def text(self) -> str:
        """In words."""
        return f"no session of {self.server} is left in any database"

    async def do(self, stage: Stage) -> None:
        """Wait for it. Raises NotReached."""

        def gone() -> bool:
            last = {sample.database: sample for sample in stage.observer.recording.samples[-50:]}
            return bool(last) and not any(self.server in sample.sessions for sample in last.values())

        await until(gone, self.seconds, f"{self.server} still has sessions")


def block(seconds: float, *servers: str) -> Inside:
    """The event loop does nothing for a while; the fence's thread goes on."""
    return Inside(servers, "block", seconds, f"the event loop is blocked for {seconds:g} s")


def shift(seconds: float, *servers: str) -> Inside:
    """The wall clock jumps."""
    return Inside(servers, "shift", seconds, f"the wall clock jumps by {seconds:+g} s")
