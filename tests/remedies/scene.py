"""The pool that faults are planted in, and what acts on it."""

from __future__ import annotations

import asyncio
import copy
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import yaml

from tests.drivers.authority import Certificates
from tests.until import until
from tuiha.config.load import load
from tuiha.lab.embedded import EmbeddedPool
from tuiha.lab.pool.control import LabControlError
from tuiha.lab.pool.layout import Layout
from tuiha.model.check.finding import Finding, Level
from tuiha.watch.check import check
from tuiha.words.findings import said

PATIENCE = 60.0  # seconds for a fault to show, and to be gone, on a busy machine
_PAUSE = 0.2


@dataclass
class Scene:
    """An embedded pool, with a configuration of its own that a row may change."""

    pool: EmbeddedPool
    original: dict[str, Any]
    settings: dict[str, Any]
    certificates: Certificates
    stack: AsyncExitStack  # what lasts as long as the row
    kept: dict[str, Any] = field(default_factory=dict)  # what a row keeps from its planting for its mending

    @property
    def folder(self) -> Path:
        """The pool's folder."""
        return self.pool.folder

    @property
    def config(self) -> Path:
        """The configuration that is checked."""
        return self.folder / "planted.yaml"

    def write(self) -> None:
        """Write the configuration as it is now."""
        self.config.write_text(yaml.safe_dump(self.settings))
        self.config.chmod(self.kept.get("mode", 0o600))

    async def findings(self) -> tuple[Finding, ...]:
        """What check says that is not ok."""
        self.write()
        checked = await check(load(self.config), self.folder, self.config)
        return tuple(one for one in checked.findings if one.level is not Level.OK)

    async def clean(self) -> None:
        """Wait until check finds nothing at all: the fault is gone, and nothing else is broken."""
        await self.only()

    async def only(self, *what: str) -> None:
        """Wait until all that check finds is said in these words."""
        found: Sequence[Finding] = ()
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    found = await self.findings()
                    if {said(one).what for one in found} == set(what):
                        return
                    await asyncio.sleep(_PAUSE)
        except TimeoutError:
            raise AssertionError(f"still there: {told(found)}") from None

    async def until(self, subject: str, remedy: str) -> Finding:
        """Wait until check advises this."""
        def wanted(found: Sequence[Finding]) -> Finding | None:
            return next((one for one in found if one.subject == subject and remedy in said(one).fix), None)

        found = wanted(await until(self.findings, remedy, met=wanted, pause=_PAUSE))
        assert found is not None
        return found

    def address(self, name: str) -> str:
        """Where a database is."""
        return next(str(node["address"]) for node in self.original["database"]["nodes"] if node["name"] == name)

    def port(self, name: str) -> int:
        """A database's port."""
        return int(self.address(name).rpartition(":")[2])

    async def sql(self, *statements: str, on: str = "db1", database: str = "tuiha") -> Any:
        """Run statements as the superuser; the last one's first value."""
        connection = await self.superuser(on, database)
        try:
            value = None
            for statement in statements:
                value = await connection.fetchval(statement)
            return value
        finally:
            await connection.close()

    async def superuser(self, on: str = "db1", database: str = "tuiha") -> Any:
        """A session of the superuser. Its defaults are whatever was planted: it states what it needs."""
        password = Layout(self.folder).read_secret("postgres")
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    return await asyncpg.connect(
                        host="127.0.0.1", port=self.port(on), user="postgres", password=password, database=database,
                        ssl=False, timeout=10, server_settings={
                            "search_path": "public", "statement_timeout": "0", "lock_timeout": "0",
                            "idle_session_timeout": "0", "default_transaction_read_only": "off",
                            "default_transaction_isolation": "read committed"})
                except (OSError, asyncpg.CannotConnectNowError):
                    await asyncio.sleep(_PAUSE)

    def file(self, node: str, name: str) -> Path:
        """A file of a database's configuration."""
        return Layout(self.folder).node(node) / name

    async def restart(self, name: str) -> None:
        """Restart a part; returns when it is started."""
        with suppress(LabControlError):  # it ended by itself
            await self.pool.kill(name)
        await self.pool.start(name)

    async def tuiha(self, *words: str) -> str:
        """Run a command of ours on the checked configuration; what it printed. Fails when it did."""
        self.write()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tuiha", words[0], "--config", str(self.config), *words[1:],
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        out, errors = await process.communicate()
        assert process.returncode == 0, (words, out.decode(), errors.decode())
        return out.decode()


def told(found: Sequence[Finding]) -> list[str]:
    """Findings for a message."""
    return [f"{one.subject}: {said(one).what} [{said(one).fix}]" for one in found]


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    """A pool of two servers without load."""
    async with EmbeddedPool(servers=2, users=10) as pool, AsyncExitStack() as stack:
        settings = yaml.safe_load(pool.config_path.read_text())
        certificates = pool.folder / "certificates"
        certificates.mkdir()
        yield Scene(pool, copy.deepcopy(settings), settings, Certificates(certificates), stack)
