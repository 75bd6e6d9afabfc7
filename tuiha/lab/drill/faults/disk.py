"""A full disk: the small one that a part's files were put on is filled."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import time
from dataclasses import dataclass
from pathlib import Path

from tuiha.drivers.databases.commands import SWITCH_LOG
from tuiha.lab.drill.faults.database import connected
from tuiha.lab.drill.stage import NotReached, Stage
from tuiha.lab.pool.layout import Layout
from tuiha.pooldb.connection import OwnConnection
from tuiha.pooldb.errors import UNREAD

_BALLAST = "ballast"
_CHUNK = bytes(65536)
_SWITCHES = 8  # segments of the write-ahead log that are begun until there is no room for one


@dataclass(frozen=True, slots=True)
class Fill:
    """The disk of a part is full from now on."""

    name: str

    @property
    def disks(self) -> tuple[str, ...]:
        """What has to be on a small disk."""
        return (self.name,)

    @property
    def text(self) -> str:
        """In words."""
        return f"the disk of {self.name} is full"

    async def do(self, stage: Stage) -> None:
        """Fill it; a database is brought to want more of it."""
        stage.mark()
        ballast = stage.layout.folder / self.name / _BALLAST
        # Before: a database without room may take no connection.
        connection = await connected(stage, await stage.active(), "postgres")
        try:
            await asyncio.to_thread(_fill, stage.layout, ballast)
            await _want_more(connection)
        finally:
            connection.terminate()


@dataclass(frozen=True, slots=True)
class Free:
    """There is room again."""

    name: str

    @property
    def text(self) -> str:
        """In words."""
        return f"there is room on the disk of {self.name} again"

    async def do(self, stage: Stage) -> None:
        """Remove what fills it."""
        with stage.layout.acting():
            (stage.layout.folder / self.name / _BALLAST).unlink()


@dataclass(frozen=True, slots=True)
class StartIfEnded:
    """Start a part if it has ended by itself, or does so within some seconds."""

    name: str
    seconds: float = 5.0

    @property
    def text(self) -> str:
        """In words."""
        return f"start {self.name}, if it has ended"

    async def do(self, stage: Stage) -> None:
        """Look, and start it."""
        deadline = time.monotonic() + self.seconds
        while time.monotonic() < deadline:
            if (await stage.pool.state()).part(self.name).pid is None:
                await stage.pool.start(self.name)
                return
            await asyncio.sleep(0.2)


@dataclass(frozen=True, slots=True)
class KillIfRunning:
    """SIGKILL a part that has not ended by itself."""

    name: str

    @property
    def text(self) -> str:
        """In words."""
        return f"kill -9 {self.name}, if it has not ended"

    async def do(self, stage: Stage) -> None:
        """Look, and kill it."""
        if (await stage.pool.state()).part(self.name).pid is not None:
            await stage.pool.kill(self.name)


def _fill(layout: Layout, path: Path) -> None:
    with layout.acting():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        while True:
            os.write(descriptor, _CHUNK)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise NotReached(f"the disk at {path.parent} could not be filled: {error}") from None
    finally:
        os.close(descriptor)


async def _want_more(connection: OwnConnection) -> None:
    """Begin one segment of the write-ahead log after the other, until there is no room for the next."""
    with contextlib.suppress(*UNREAD):
        for _ in range(_SWITCHES):
            # Something in the log, so that there is something to switch away from; it waits for no secondary.
            await connection.execute(SWITCH_LOG, timeout=3.0)
