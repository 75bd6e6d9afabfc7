"""The active database, wherever it is now: operations read it, also while it changes under them."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tuiha.operate.reach.sql import Coordinator, DatabaseGone
from tuiha.operate.reach.world import World
from tuiha.pooldb.errors import DatabaseError
from tuiha.pooldb.statements.epochs import WRITABLE_AND_ACTIVE

_AGAIN = 0.1  # seconds until a database that was not found is looked for again


class Active:
    """Reads from the database that says that it is the active one, one statement at a time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._found: Coordinator | None = None
        self._turn = asyncio.Lock()

    async def rows(
        self, statement: str, *arguments: Any, seconds: float = 5.0, patience: float = 0.0
    ) -> list[Any]:
        """The rows of a statement that only reads; while there is no active database, tries again for `patience` s.

        Raises DatabaseGone.
        """
        until = time.monotonic() + patience
        while True:
            try:
                async with self._turn:
                    return await (await self._find()).fetch(statement, *arguments, seconds=seconds)
            except DatabaseGone:
                self._found = None
                if time.monotonic() >= until:
                    raise
            await asyncio.sleep(_AGAIN)

    async def value(self, statement: str, *arguments: Any, patience: float = 0.0) -> Any:
        """The first value of the first row; None without rows. Raises DatabaseGone."""
        rows = await self.rows(statement, *arguments, patience=patience)
        return rows[0][0] if rows else None

    async def _find(self) -> Coordinator:
        if self._found is not None and await self._found.fetch(WRITABLE_AND_ACTIVE, seconds=2.0):
            return self._found
        claims: list[tuple[int, str]] = []
        for name, database in self._world.databases.items():
            try:
                rows = await database.fetch(WRITABLE_AND_ACTIVE, seconds=2.0)
            except (DatabaseGone, DatabaseError):
                continue  # another one may be the active one; without any, that is said below
            claims += [(row["epoch"], name) for row in rows if row["active"] == name]
        if not claims:
            raise DatabaseGone("no database of the pool says that it is active and can be written")
        self._found = self._world.databases[max(claims)[1]]
        return self._found
