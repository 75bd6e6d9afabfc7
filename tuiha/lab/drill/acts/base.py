"""What a scenario is made of: faults, moments and waits. One class each; a scenario lists them in order."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from typing import Protocol

from tuiha.lab.drill.stage import NotReached, Stage


class Act(Protocol):
    """One thing that a scenario does."""

    async def do(self, stage: Stage) -> None:
        """Do it. Raises NotReached or ControlError."""

    @property
    def text(self) -> str:
        """What it does, in a few words."""


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL parts, at once: a power cut."""

    names: tuple[str, ...]

    @property
    def text(self) -> str:
        """In words."""
        return f"kill -9 {' and '.join(self.names)}"

    async def do(self, stage: Stage) -> None:
        """Kill them; this is the moment of the drill."""
        stage.mark()
        await asyncio.gather(*(stage.pool.kill(name) for name in self.names))


@dataclass(frozen=True, slots=True)
class KillMain:
    """SIGKILL a part's main process alone, as the kernel does when memory is short."""

    name: str

    @property
    def text(self) -> str:
        """In words."""
        return f"kill -9 of {self.name}'s main process alone"

    async def do(self, stage: Stage) -> None:
        """Kill it; this is the moment of the drill."""
        stage.mark()
        os.kill(await main_process(stage, self.name), signal.SIGKILL)


async def main_process(stage: Stage, name: str) -> int:
    """Process id of a part. Raises NotReached when it does not run."""
    pid = (await stage.pool.state()).part(name).pid
    if pid is None:
        raise NotReached(f"{name} does not run")
    return pid


@dataclass(frozen=True, slots=True)
class Pause:
    """SIGSTOP a part: it is there and answers nothing."""

    name: str

    @property
    def text(self) -> str:
        """In words."""
        return f"stop {self.name} (SIGSTOP)"

    async def do(self, stage: Stage) -> None:
        """Pause it; this is the moment of the drill."""
        stage.mark()
        await stage.pool.pause(self.name)


@dataclass(frozen=True, slots=True)
class Resume:
    """Let a paused part go on."""

    name: str

    @property
    def text(self) -> str:
        """In words."""
        return f"{self.name} goes on"

    async def do(self, stage: Stage) -> None:
        """Resume it."""
        await stage.pool.resume(self.name)


@dataclass(frozen=True, slots=True)
class Start:
    """Start a part again that was killed or ended."""

    name: str

    @property
    def text(self) -> str:
        """In words."""
        return f"start {self.name}"

    async def do(self, stage: Stage) -> None:
        """Start it."""
        await stage.pool.start(self.name)


@dataclass(frozen=True, slots=True)
class RestartPart:
    """End a part by a signal (SIGTERM, as a host that shuts down does), and start it again."""

    name: str
    seconds: float = 15.0
    number: signal.Signals = signal.SIGTERM

    @property
    def text(self) -> str:
        """In words."""
        return f"{self.number.name} to {self.name}, then start it"

    async def do(self, stage: Stage) -> None:
        """End it, wait for its end, start it."""
        stage.mark()
        os.kill(await main_process(stage, self.name), self.number)
        async with asyncio.timeout(self.seconds):
            while (await stage.pool.state()).part(self.name).state == "running":  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        await stage.pool.start(self.name)


@dataclass(frozen=True, slots=True)
class Join:
    """One more pool server joins."""

    @property
    def text(self) -> str:
        """In words."""
        return "one more server joins"

    async def do(self, stage: Stage) -> None:
        """Start it and look at it too."""
        stage.mark()
        name = await stage.pool.add_server()
        port = (await stage.pool.state()).part(name).port
        stage.observer.add_server(name, f"http://127.0.0.1:{port}")


@dataclass(frozen=True, slots=True)
class Wait:
    """Let time pass."""

    seconds: float

    @property
    def text(self) -> str:
        """In words."""
        return f"wait {self.seconds:g} s"

    async def do(self, stage: Stage) -> None:
        """Wait."""
        await asyncio.sleep(self.seconds)


@dataclass(frozen=True, slots=True)
class Leased:
    """Wait until every running server holds a lease on a database."""

    database: str
    seconds: float = 60.0  # a process that starts needs its time on a very busy machine

    @property
    def text(self) -> str:
        """In words."""
        return f"every running server on {self.database}"

    async def do(self, stage: Stage) -> None:
        """Wait for it."""
        await stage.leased(self.database, self.seconds)
