"""An embedded pool under load, and looks at it from outside, for scenes that hurt it."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tuiha.config.load import load
from tuiha.config.secrets import resolve
from tuiha.drivers.factory import open_drivers
from tuiha.drivers.protocols import DriverError
from tuiha.lab.embedded import EmbeddedPool
from tuiha.lab.load.database import NoDatabase, Records
from tuiha.lab.load.process import LoadProcess
from tuiha.lab.load.setup import setting
from tuiha.model.reports import SprayerReport

STEP = 0.1


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    figure: str
    reach: str = ""
    lost: int | None = None
    doubled: int | None = None
    failures: int | None = None
    delayed: int | None = None
    note: str = ""
    good: bool = True


class Stage:
    """The pool, its load, and who asks them."""

    def __init__(
        self, pool: EmbeddedPool, running: LoadProcess, others: Path, arguments: list[str],
        session: aiohttp.ClientSession,
    ) -> None:
        """`others`: the file of the users who come later, `arguments`: of their load."""
        self.pool = pool
        self.load = running
        self._others = others
        self._arguments = arguments
        self._session = session
        self.settings = load(pool.config_path)
        self.records = Records(setting(self.settings, pool.folder).databases, timeout=2.0)
        self._drivers = open_drivers(self.settings, pool.folder)
        self._token = resolve(self.settings.control.viewer, pool.folder)

    async def monitored(self) -> Counter[str]:
        """User -> on how many servers it is monitored, as the servers that answer say."""
        counted: Counter[str] = Counter()
        for names in await asyncio.gather(*(self._users(address) for address in (await self.servers()).values())):
            counted.update(names)
        return counted

    async def _users(self, address: str) -> list[str]:
        timeout = aiohttp.ClientTimeout(total=1.0)
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            async with self._session.get(f"{address}/control/users", timeout=timeout, headers=headers) as answer:
                answer.raise_for_status()
                return [user["user"] for user in (await answer.json())["users"]]
        except (aiohttp.ClientError, TimeoutError):
            return []

    async def servers(self) -> dict[str, str]:
        """Server -> address, of the servers that both sprayers find healthy, added ones too."""
        found: list[set[str]] = []
        for report in (await self._sprayer_reports()).values():
            found.append({backend.server for backend in report.backends if backend.state == "UP"})
        up = set.intersection(*found) if found else set()
        try:
            return {name: address for name, address in (await self.records.servers()).items() if name in up}
        except NoDatabase:
            return {}

    async def spread(self) -> dict[str, int]:
        """Server -> users, {} while no database answers."""
        try:
            return await self.records.spread()
        except NoDatabase:
            return {}

    async def through(self) -> dict[str, int]:
        """Mail server -> users, {} while no database answers."""
        try:
            return await self.records.through()
        except NoDatabase:
            return {}

    async def close(self) -> None:
        """Drop what is open."""
        await self._drivers.close()

    def figures(self) -> dict[str, Any]:
        """The load's live figures; {} before the first."""
        return self.load.figures() or {}

    async def status(self) -> tuple[dict[str, Any], float]:
        """`tuiha status --json`, and how long it took."""
        began = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tuiha", "status", "--json", "--config", str(self.pool.config_path),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )
        out, _ = await process.communicate()
        took = time.monotonic() - began
        told: dict[str, Any] = json.loads(out)
        return told, took

    async def healthy(self, limit: float = 45.0) -> tuple[str, bool]:
        """Wait until the status is HEALTHY: how long that took, or what it says in the end; whether it was reached."""
        status: dict[str, Any] = {}

        async def whole() -> bool:
            nonlocal status
            status, _ = await self.status()
            return bool(status["verdict"] == "HEALTHY")

        took = await until(whole, limit, step=0.5)
        if took is not None:
            return f"whole again after {took:.1f} s", True
        problems = ", ".join(f"{problem['subject']} {problem['what']}" for problem in status["problems"][:3])
        return f"still {status['verdict']} after {limit:g} s: {problems}", False

    async def sessions(self) -> dict[str, int]:
        """Sprayer -> device connections, of the sprayers that answer."""
        return {name: report.sessions for name, report in (await self._sprayer_reports()).items()}

    async def _sprayer_reports(self) -> dict[str, SprayerReport]:
        found = {}
        for name, driver in self._drivers.sprayers.items():
            try:
                async with asyncio.timeout(0.5):
                    found[name] = await driver.poll()
            except (DriverError, TimeoutError):
                continue  # it is what is being hurt
        return found

    async def newcomers(self) -> LoadProcess:
        """A load of their own for the users who have not come so far."""
        stats = self.pool.folder / "newcomers.json"
        return await LoadProcess.start(self.pool.config_path, self._others, *self._arguments, stats=stats)

    async def drained(self, limit: float = 40.0) -> int:
        """Wait until every message of before now is where it belongs; how many devices still lack one."""
        began = time.time()

        async def arrived() -> bool:
            figures = self.figures()
            oldest = figures.get("oldest_open_seconds")
            return bool(figures.get("at", 0) > began and (oldest is None or oldest < figures["at"] - began))

        return 0 if await until(arrived, limit) is not None else int(self.figures()["open"])


async def until(true: Callable[[], Awaitable[bool]], limit: float, step: float = STEP) -> float | None:
    """Seconds until something is true; None when it is not within the limit."""
    began = time.monotonic()
    while time.monotonic() - began < limit:
        if await true():
            return time.monotonic() - began
        await asyncio.sleep(step)
    return None


def seconds(value: float | None) -> str:
    """A duration for the table."""
    return "not seen" if value is None else f"{value:.1f} s"
