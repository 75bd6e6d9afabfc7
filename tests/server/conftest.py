from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.drivers.conftest import (  # noqa: F401  the same real PostgreSQL pair
    Pair,
    own_pair,
    pair,
    prepared_pair,
)
from tests.server.interfaces import pool  # noqa: F401  two pool servers, for whoever asks
from tests.server.support import Attach, Attached, Node, attached


@pytest.fixture
async def node(pair: Pair) -> AsyncIterator[Node]:  # noqa: F811
    """The primary of the session's pair, with empty tables."""
    admin = await pair.admin()
    yield Node(admin)
    await admin.close()


@pytest.fixture
async def attach(pair: Pair) -> AsyncIterator[Attach]:  # noqa: F811
    """Attaches gates to the primary; all of them end with the test."""
    async with AsyncExitStack() as stack:

        async def make(server: str = "s1", **options: Any) -> Attached:
            return await stack.enter_async_context(attached(pair, server, **options))

        yield make
