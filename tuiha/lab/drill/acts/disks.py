"""Small disks for parts whose disk shall be full: a tmpfs over the part's folder, before the load. Only root can."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from tuiha.lab.embedded import EmbeddedPool
from tuiha.lab.pool.account import Account, unprivileged
from tuiha.lab.pool.layout import Layout

_ROOM = 192  # megabytes beyond what is there: a secondary that comes back needs all segments that were begun meanwhile
_END = 15.0


class NoDisk(Exception):
    """A small file system could not be made. The text is for people."""


@asynccontextmanager
async def small_disks(pool: EmbeddedPool, names: Iterable[str]) -> AsyncIterator[None]:
    """The files of these parts are on small file systems, until the end; whoever has some open keeps them.

    Raises NoDisk.
    """
    mounted: list[Path] = []
    layout = Layout(pool.folder, unprivileged())
    try:
        for name in names:
            mounted.append(await _put(pool, layout, name))
        yield
    finally:
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
    await _run("cp", "-a", f"{beside}/.", str(folder), account=layout.account)
    await asyncio.to_thread(shutil.rmtree, beside)
    await pool.start(name)
    return folder


async def _mount(folder: Path, megabytes: int, uid: int, gid: int) -> None:
    await _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700,uid={uid},gid={gid}", "tuiha-drill",
               str(folder))


async def _run(*words: str, account: Account | None = None) -> None:
    """Run a program, as the account if one is named: root copies nothing to where others could put a link."""
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, cwd="/",
        user=None if account is None else account.uid, group=None if account is None else account.gid,
        extra_groups=None if account is None else [])
    _, said = await process.communicate()
    if process.returncode != 0:
        raise NoDisk(f"{words[0]} failed: {said.decode(errors='replace').strip() or process.returncode}")


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*"))
