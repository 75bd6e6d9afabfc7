"""A load as a child process that ends with its parent, however that ends."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_FINISH = 60.0  # seconds for draining and verifying after the load's time is over


class LoadFailed(Exception):
    """The load ended without a report; the text is for people."""


@dataclass(frozen=True, slots=True)
class LoadProcess:
    """A running load. Start it on the main thread: the kernel ends it when the thread that started it ends."""

    stats: Path
    _process: asyncio.subprocess.Process

    @classmethod
    async def start(cls, config: Path, users: Path, *arguments: str, stats: Path | None = None) -> LoadProcess:
        """Start `python -m tuiha.lab.load` with further arguments; its narration goes to this process's stderr."""
        stats = stats or config.parent / "load-figures.json"
        stats.unlink(missing_ok=True)  # of an earlier load
        argv = ["-m", "tuiha.lab.load", "--config", str(config), "--users", str(users), "--stats", str(stats)]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *argv, *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            preexec_fn=_ends_with(os.getpid()), start_new_session=True,
        )
        return cls(stats, process)

    @property
    def process_id(self) -> int:
        """The load's process id."""
        return self._process.pid

    def figures(self) -> dict[str, Any] | None:
        """The live figures; None before the first."""
        try:
            read: dict[str, Any] = json.loads(self.stats.read_text())
        except FileNotFoundError:
            return None
        return read

    async def report(self, seconds: float = 0.0) -> dict[str, Any]:
        """The report, waited for: the load's `seconds` and the time to finish. Raises LoadFailed without one."""
        try:
            async with asyncio.timeout(seconds + _FINISH):
                out, _ = await self._process.communicate()
        except TimeoutError:
            await self.kill()
            raise LoadFailed(f"the load did not end {_FINISH:g} s after its time") from None
        if not out.strip():
            raise LoadFailed(f"the load ended without a report (exit code {self._process.returncode})")
        report: dict[str, Any] = json.loads(out)
        return report

    async def stop(self) -> dict[str, Any]:
        """End the load now: it drains, verifies and reports. Raises LoadFailed without a report."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        return await self.report()

    async def kill(self) -> None:
        """End the load without a report."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


def _ends_with(parent: int) -> Callable[[], None]:
    libc = ctypes.CDLL(None, use_errno=True)

    def before_exec() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # it went while we were starting
            os._exit(1)

    return before_exec
