"""A real database pair, and a configuration that names it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.drivers.conftest import Pair, prepared_pair
from tests.drivers.daemons import PASSWORD
from tuiha.cli.main import main

__all__ = ["prepared_pair"]


@dataclass
class Configured:
    """A pool of a database pair alone, in a folder of its own; no server runs."""

    pair: Pair
    folder: Path

    @property
    def settings(self) -> dict[str, Any]:
        """The configuration, to be changed and written."""
        secret = {"env": "TUIHA_TEST_PASSWORD"}
        return {
            "pool": "demo",
            "database": {"nodes": [{"name": "db1", "address": self.pair.db1.address},
                                   {"name": "db2", "address": self.pair.db2.address}],
                         "roles": {"pool": {"user": "tuiha_pool", "password": secret},
                                   "watcher": {"user": "tuiha_watch", "password": secret}}},
            "control": {"viewer": {"env": "TUIHA_TEST_TOKEN"}},
            "ledger": {"path": "ledger.json"},
        }

    def write(self, **changes: Any) -> Path:
        """Write the configuration with some keys replaced."""
        file = self.folder / "tuiha.yaml"
        file.write_text(yaml.safe_dump(self.settings | changes))
        return file

    def run(self, *words: str, **changes: Any) -> int:
        """Run a command with the configuration."""
        return main([*words, "--config", str(self.write(**changes))])

    def admin(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        """Do something as the superuser of the primary."""
        async def connected() -> Any:
            connection = await self.pair.admin()
            try:
                return await work(connection)
            finally:
                await connection.close()

        return asyncio.run(connected())


@pytest.fixture
def configured(prepared_pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Configured]:
    monkeypatch.setenv("TUIHA_TEST_PASSWORD", PASSWORD)
    monkeypatch.setenv("TUIHA_TEST_TOKEN", "a viewer's token")
    found = Configured(prepared_pair, tmp_path)
    yield found
    found.admin(lambda c: c.execute(
        "TRUNCATE server, app_user, mail_server, lease, event, access_change, wrong_login CASCADE"))
