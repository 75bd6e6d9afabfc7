"""Orders to a running embedded pool, through its supervisor's socket."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuiha.lab.pool.layout import Layout

_TIMEOUT = 30.0
_GONE = 20.0
_STEP = 0.02


class LabControlError(Exception):
    """An order was refused, or the supervisor does not answer. The text is for people."""


@dataclass(frozen=True, slots=True)
class PoolPart:
    """One part of an embedded pool."""

    name: str
    state: str  # running, paused, killed, ended, absent
    pid: int | None
    port: int | None


@dataclass(frozen=True, slots=True)
class State:
    """All parts, and the processes that look after them."""

    ready: bool
    parts: tuple[PoolPart, ...]
    supervisor: int
    watchdog: int | None

    def part(self, name: str) -> PoolPart:
        """One part by name. Raises KeyError."""
        return {part.name: part for part in self.parts}[name]


class LabControl:
    """A client of one supervisor."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def config_path(self) -> Path:
        """The configuration: what `--config` takes."""
        return Layout(self.folder).config

    @property
    def users_path(self) -> Path:
        """Lines of name, tab, password."""
        return Layout(self.folder).users

    async def kill(self, name: str) -> None:
        """SIGKILL a part. Raises ControlError."""
        await self._order("kill", name)

    async def pause(self, name: str) -> None:
        """SIGSTOP a part: it is there and answers nothing. Raises ControlError."""
        await self._order("pause", name)

    async def resume(self, name: str) -> None:
        """Let a paused part go on. Raises ControlError."""
        await self._order("resume", name)

    async def start(self, name: str, words: Sequence[str] = ()) -> None:
        """Start a part that was killed or ended; a pool server, if wanted, as a module with arguments (`words`).

        Raises ControlError.
        """
        await self._order("start", name, words=list(words))

    async def add_server(self) -> str:
        """Start one more pool server, behind both sprayers; returns its name. Raises ControlError."""
        return str((await self._order("add server"))["name"])

    async def state(self) -> State:
        """What every part is doing. Raises ControlError."""
        told = await self._order("state")
        return State(bool(told["ready"]), tuple(PoolPart(**part) for part in told["parts"]), int(told["pid"]),
                     told["watchdog"])

    async def stop(self) -> None:
        """Stop the pool; returns when nothing of it is left. Raises ControlError."""
        await self._order("stop")
        await self.until_gone()

    async def until_gone(self) -> None:
        """Wait until the run folder is gone, which is the last thing to go. Raises ControlError."""
        deadline = time.monotonic() + _GONE
        while self.folder.exists():
            if time.monotonic() > deadline:
                raise LabControlError(f"the pool was told to stop, but {self.folder} is still there after {_GONE:g} s")
            await asyncio.sleep(_STEP)

    async def _order(self, do: str, name: str = "", **more: Any) -> dict[str, Any]:
        try:
            async with asyncio.timeout(_TIMEOUT):
                reader, writer = await asyncio.open_unix_connection(str(Layout(self.folder).socket), limit=2**20)
                try:
                    writer.write(json.dumps({"do": do, "name": name, **more}).encode() + b"\n")
                    await writer.drain()
                    line = await reader.readline()
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            raise LabControlError(f"the embedded pool at {self.folder} does not answer "
                                  f"({error or 'no answer in time'}); `tuiha down` cleans up") from error
        if not line:
            raise LabControlError(f"the embedded pool at {self.folder} ended before it answered")
        answer: dict[str, Any] = json.loads(line)
        if not answer.pop("ok"):
            raise LabControlError(str(answer["error"]))
        return answer
