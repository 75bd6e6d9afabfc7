"""However an embedded pool ends, nothing of it is left: processes, run folder, shared memory."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.lab.remains import Traces, traces, until_nothing_is_left
from tests.until import until
from tuiha.lab.embedded import EmbeddedPool, StartError
from tuiha.lab.pool.control import LabControl

pytestmark = pytest.mark.pool

_PARENT = """
import asyncio
from tuiha.lab.embedded import EmbeddedPool

async def main():
    async with EmbeddedPool(servers=1, users=4) as pool:
        print(pool.folder, flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


async def _parent() -> tuple[asyncio.subprocess.Process, LabControl]:
    """Another process that runs a pool."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PARENT, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert process.stdout is not None
    folder = Path((await process.stdout.readline()).decode().strip())
    return process, LabControl(folder)


def _is_whole(noted: Traces) -> bool:
    """Databases with their own processes, sprayers, mail, store, a server, supervisor and watchdog; two segments."""
    return len(noted.processes) > 15 and len(noted.segments) == 2 and len(noted.left()) > 17


async def test_after_the_block() -> None:
    async with EmbeddedPool(servers=1, users=4) as pool:
        noted = await traces(pool.folder)
        assert _is_whole(noted)
    assert not pool.folder.exists()
    await until_nothing_is_left(noted)  # the watchdog itself ends a moment after the folder


async def test_after_kill_9_of_the_parent_with_paused_parts() -> None:
    process, control = await _parent()
    noted = await traces(control.folder)
    assert _is_whole(noted)
    for name in ("db1", "s1", "spray2", "mail1", "valkey"):
        await control.pause(name)
    process.kill()
    await process.wait()
    await until_nothing_is_left(noted)


async def test_after_kill_9_of_the_supervisor_with_paused_databases() -> None:
    process, control = await _parent()
    noted = await traces(control.folder)
    for name in ("db1", "db2"):
        await control.pause(name)
    os.kill((await control.state()).supervisor, signal.SIGKILL)
    await until_nothing_is_left(noted)
    process.kill()
    await process.wait()


async def test_a_watchdog_that_was_ended_is_replaced() -> None:
    process, control = await _parent()
    first = (await control.state()).watchdog
    assert first is not None
    os.kill(first, signal.SIGKILL)
    for _ in range(1000):
        second = (await control.state()).watchdog
        if second != first:
            break
        await asyncio.sleep(0.02)
    assert second is not None
    assert second != first
    noted = await traces(control.folder)
    os.kill((await control.state()).supervisor, signal.SIGKILL)
    await until_nothing_is_left(noted)
    process.kill()
    await process.wait()


async def test_after_a_start_that_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder without room for what is to come: the message says what, and nothing is left."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    # The supervisor's children get their modules from the package, the supervisor itself from here first.
    (tmp_path / "sitecustomize.py").write_text(
        "import tuiha.lab.parts.postgres as p\np._SETTINGS += \"\\nno_such_setting = 1\\n\"\n")
    pool = EmbeddedPool(servers=1, users=4)
    with pytest.raises(StartError, match=r"db[12] ended while the pool started.*no_such_setting"):
        await pool.open()
    assert not pool.folder.exists()


async def test_after_cancelling_the_start() -> None:
    pool = EmbeddedPool(servers=1, users=4)
    starting = asyncio.create_task(pool.open())
    await until(lambda: pool.folder != Path(), "the run folder is made")
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not pool.folder.exists()
