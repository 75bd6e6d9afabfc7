"""A full disk: the files of a part are put on a small file system of their own before the load, and it is filled.

Only root can mount one. It is a tmpfs over the part's folder, and is taken away when the drill ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from tuiha.lab.account import unprivileged
from tuiha.lab.drill.faults.database import connected
from tuiha.lab.drill.stage import NotReached, Stage
from tuiha.lab.embedded import EmbeddedPool
from tuiha.lab.layout import Layout

_BALLAST = "ballast"
_ROOM = 192  # megabytes beyond what is there: a secondary that comes back needs all segments that were begun meanwhile
_CHUNK = bytes(65536)
_END = 15.0
_SWITCHES = 8  # segments of the write-ahead log that are begun until there is no room for one


class NoDisk(Exception):
    """A small file system could not be made. The text is for people."""


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
            await asyncio.to_thread(_fill, ballast)
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


async def put_on_disks(pool: EmbeddedPool, names: Iterable[str]) -> list[Path]:
    """Put the files of parts on small file systems; returns where they are mounted. Raises NoDisk."""
    mounted: list[Path] = []
    layout = Layout(pool.folder, unprivileged())
    try:
        for name in names:
            mounted.append(await _put(pool, layout, name))
    except BaseException:
        await take_disks_away(mounted)
        raise
    return mounted


async def take_disks_away(mounted: Iterable[Path]) -> None:
    """Detach them; whoever has files open there keeps them."""
    for folder in mounted:
        await _run("umount", "-l", str(folder))


async def _put(pool: EmbeddedPool, layout: Layout, name: str) -> Path:
    folder = layout.folder / name
    pid = (await pool.state()).part(name).pid
    if pid is not None:
        os.kill(pid, signal.SIGINT)
    async with asyncio.timeout(_END):
        while (await pool.state()).part(name).pid is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    size = await asyncio.to_thread(_size, folder)
    beside = folder.with_name(f"{name}.aside")
    owner = folder.stat()
    await asyncio.to_thread(folder.rename, beside)
    folder.mkdir(mode=0o700)
    await _mount(folder, (size >> 20) + _ROOM, owner.st_uid, owner.st_gid)
    await _run("cp", "-a", f"{beside}/.", str(folder))
    await asyncio.to_thread(shutil.rmtree, beside)
    await pool.start(name)
    return folder


async def _mount(folder: Path, megabytes: int, uid: int, gid: int) -> None:
    await _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700,uid={uid},gid={gid}", "tuiha-drill",
               str(folder))


async def _run(*words: str) -> None:
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.DEVNULL,
                                                   stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    if process.returncode != 0:
        raise NoDisk(f"{words[0]} failed: {said.decode(errors='replace').strip() or process.returncode}")


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*"))


def _fill(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        while True:
            os.write(descriptor, _CHUNK)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise NotReached(f"the disk at {path.parent} could not be filled: {error}") from None
    finally:
        os.close(descriptor)


async def _want_more(connection: Any) -> None:
    """Begin one segment of the write-ahead log after the other, until there is no room for the next."""
    with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
        for _ in range(_SWITCHES):
            # Something in the log, so that there is something to switch away from; it waits for no secondary.
            await connection.execute("SELECT pg_logical_emit_message(false, 'drill', 'full'), pg_switch_wal()",
                                     timeout=3.0)
