"""An embedded pool from Python: real servers on this machine for the demo, the tests and the drills.

    async with EmbeddedPool(servers=2, users=20, load=False) as pool:
        await pool.kill("s1")

Everything is gone when the block ends, and when the process that runs it is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO

from tuiha.lab.pool.control import LabControl
from tuiha.lab.pool.layout import Layout

_START = 120.0  # seconds for all parts to answer, on a very busy machine
_END = 20.0


class StartError(Exception):
    """The embedded pool did not start. The text is for people."""


class RunningAlready(StartError):
    """This user's embedded pool runs already, and only one can be the one that commands find."""


class EmbeddedPool(LabControl):
    """A pool of real servers, as an asynchronous context manager.

    `announce` makes it the pool that `tuiha status` and its like find; there can be one. `say` is called with a
    line of text at each step of the start. In the background (`background=True`) it outlives this process, and
    `stop()` or `tuiha down` ends it. With `ledger="etcd"` the ledger is in an etcd of its own, the part `etcd`.
    Guards are the parts g1, g2, ...
    """

    def __init__(self, servers: int = 4, users: int = 200, load: bool = False, *, announce: bool = False,
                 background: bool = False, say: Callable[[str], None] | None = None, ledger: str = "file",
                 guards: int = 0) -> None:
        super().__init__(Path())  # known when the supervisor has made it
        self._arguments = ["--servers", str(servers), "--users", str(users), "--ledger", ledger,
                           "--guards", str(guards)]
        self._arguments += ["--announce"] if announce else []
        self._arguments += [] if load else ["--no-load"]
        self._arguments += [] if background else ["--lifeline"]
        self._background = background
        self._say = say
        self._process: asyncio.subprocess.Process | None = None

    def log(self, name: str) -> Path:
        """The log file of one part."""
        return Layout(self.folder).logs / f"{name}.log"

    async def open(self) -> None:
        """Start the pool; returns when every part answers. Raises StartError, RunningAlready."""
        with tempfile.TemporaryFile() as errors:
            self._process = process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tuiha.lab.pool.supervisor", *self._arguments,
                stdin=asyncio.subprocess.DEVNULL if self._background else asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE, stderr=errors, start_new_session=True, env=_environment(),
            )
            try:
                async with asyncio.timeout(_START):
                    await self._follow(process, errors)
            except TimeoutError:
                await self.close()
                raise StartError(f"the embedded pool did not start within {_START:g} s") from None
            except BaseException:
                await self.close()
                raise

    async def _follow(self, process: asyncio.subprocess.Process, errors: IO[bytes]) -> None:
        """Read the supervisor's progress until the pool is ready."""
        assert process.stdout is not None
        while line := await process.stdout.readline():
            told = json.loads(line)
            if "folder" in told:
                self.folder = Path(told["folder"])
            if "step" in told and self._say is not None:
                self._say(told["step"])
            if "ready" in told:
                return
            if "failed" in told:
                raise (RunningAlready if told["running"] else StartError)(told["failed"])
        errors.seek(0)
        last = errors.read().decode(errors="replace").strip().splitlines()[-1:]
        raise StartError(f"the embedded pool's supervisor ended while it started: {''.join(last) or 'no message'}")

    async def close(self) -> None:
        """Stop the pool; returns when nothing of it is left. Raises ControlError when something is."""
        await self._end()
        if self.folder != Path():
            await self.until_gone()

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(_END):
                await process.wait()
        except TimeoutError:
            process.kill()  # the watchdog cleans up all the same
            await process.wait()

    async def __aenter__(self) -> EmbeddedPool:
        await self.open()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        await self.close()


def _environment() -> dict[str, str]:
    """This process's environment, and this very package for the supervisor to import."""
    package = str(Path(__file__).resolve().parents[2])
    known = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": package if not known else f"{package}{os.pathsep}{known}"}
