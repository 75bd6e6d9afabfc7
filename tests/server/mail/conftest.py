from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.server.mail.world import Processes, World, prepare, world
from tuiha.lab.pool import layout
from tuiha.lab.pool.account import unprivileged


@pytest.fixture(scope="session")
def processes() -> Iterator[Processes]:
    account = unprivileged()
    folder = layout.make_folder(account)
    running: Processes | None = None
    try:
        running = Processes(layout.prepare(folder, account))
        running.create()
        asyncio.run(prepare(running))
        yield running
    finally:
        if running is not None:
            running.end()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def lab(processes: Processes) -> AsyncIterator[World]:
    async with world(processes) as made:
        yield made
