"""What must hold when many come back: who lived was not taken for dead, and users are even again."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass

from tuiha.lab.drill.faults.database import connected
from tuiha.lab.drill.stage import NotReached, Stage
from tuiha.pooldb.statements.audit import SERVERS_TAKEN_OVER
from tuiha.pooldb.statements.bindings import SPREAD


@dataclass(frozen=True, slots=True)
class BusyLoops:
    """Programs beside the pool that each want a processor for themselves, until the end."""

    count: int

    @property
    def text(self) -> str:
        """In words."""
        return f"{self.count} busy loops beside the pool"

    async def do(self, stage: Stage) -> None:
        """Start them; the stage ends them."""
        for _ in range(self.count):
            stage.programs.append(await asyncio.create_subprocess_exec(
                sys.executable, "-c", "while True: pass", stdin=asyncio.subprocess.DEVNULL))


@dataclass(frozen=True, slots=True)
class AllAlive:
    """No server was taken for dead since the fault, but those that were killed."""

    but: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """In words."""
        return "no living server was taken for dead"

    async def do(self, stage: Stage) -> None:
        """Look. Raises NotReached."""
        connection = await connected(stage, await stage.active())
        try:
            told = [row["told"] for row in await connection.fetch(SERVERS_TAKEN_OVER, stage.since)]
        finally:
            await connection.close(timeout=5.0)
        wrong = [text for text in told if not text.startswith(tuple(f"{name} " for name in self.but))]
        if wrong:
            raise NotReached(f"taken for dead: {'; '.join(wrong)}")


@dataclass(frozen=True, slots=True)
class Even:
    """Every server has its share of the users again, and no operator moved them."""

    servers: tuple[str, ...]
    seconds: float = 60.0
    band: float = 0.15  # of the mean

    @property
    def text(self) -> str:
        """In words."""
        return f"every server has its share of the users again (within {self.band:.0%})"

    async def do(self, stage: Stage) -> None:
        """Look until it is so. Raises NotReached."""
        began = time.monotonic()
        connection = await connected(stage, await stage.active())
        try:
            while True:
                spread = dict.fromkeys(self.servers, 0)
                spread |= {row["server"]: row["users"] for row in await connection.fetch(SPREAD)}
                mean = sum(spread.values()) / len(self.servers)
                if all(abs(users - mean) <= max(1.0, self.band * mean) for users in spread.values()):
                    return
                if time.monotonic() - began > self.seconds:
                    raise NotReached(f"after {self.seconds:g} s users are {spread}")
                await asyncio.sleep(1.0)
        finally:
            await connection.close(timeout=5.0)
