"""Wrong log-ins, counted in the database: N servers and all spellings of a name are one.

A log-in is counted before it is checked, as it may turn out wrong, and taken back when it was right. In the minute that
begins with a first wrong log-in there are at most so many: of a name, from an address, and in the whole pool those that
mail servers are asked about.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tuiha.pooldb.connection import Connection
from tuiha.pooldb.statements.guesses import (
    COUNT_GUESS,
    FORGET_OLD_ADDRESSES,
    FORGET_STALE,
    NOTE_ADMITTED,
    TAKE_BACK,
    WAS_ADMITTED,
)
from tuiha.server.database.gate import Gate

NAME = 10  # of one name
ADMITTED = 10  # of one name from one address from which it was let in before: not counted with the others
ADDRESS = 1000  # from one address
STRANGE = 60  # from one address, as far as mail servers have to be asked
POOL = 120  # of the whole pool, as far as mail servers have to be asked about names that the pool does not know there
SECONDS = 60  # in so many seconds
_KEPT = 20  # addresses of one user


class GuessLimit(StrEnum):
    """What a log-in is counted under."""

    NAME = "name"
    ADMITTED = "admitted"
    ADDRESS = "address"
    STRANGE = "strange"
    POOL = "pool"


_MOST: Mapping[GuessLimit, int] = {
    GuessLimit.NAME: NAME,
    GuessLimit.ADMITTED: ADMITTED,
    GuessLimit.ADDRESS: ADDRESS,
    GuessLimit.STRANGE: STRANGE,
    GuessLimit.POOL: POOL,
}


class TooMany(Exception):
    """There were too many wrong log-ins already."""

    def __init__(self, limit: GuessLimit) -> None:
        super().__init__(limit)
        self.limit = limit


@dataclass(frozen=True, slots=True)
class Counted:
    """A log-in that was counted."""

    keys: tuple[str, ...]
    of_name: int  # how many there are of its name by now


class Guesses:
    """Counts log-ins that may be wrong."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.refused: Counter[str] = Counter()  # log-ins that were not checked, by limit

    async def count(self, kinds: Mapping[GuessLimit, str]) -> Counted:
        """Count one log-in under all of these (limit -> whose). Raises TooMany, and then it counts under none.

        Raises access.Unavailable.
        """
        keys = {f"{limit} {_digest(whose) if limit in _NAMES else whose}": limit for limit, whose in kinds.items()}
        most = json.dumps({key: _MOST[limit] for key, limit in keys.items()})

        async def work(connection: Connection) -> Counted:
            rows = await connection.fetch(COUNT_GUESS, list(keys), most, float(SECONDS))
            full = [limit for key, limit in keys.items() if key not in {row["who"] for row in rows}]
            if full:
                raise TooMany(full[0])  # rolls back
            return Counted(tuple(keys), max((r["count"] for r in rows if keys[r["who"]] in _NAMES), default=0))

        try:
            return await self._gate.write(work)
        except TooMany as error:
            self.refused[error.limit] += 1
            raise

    async def was_admitted(self, user_id: int, address: str) -> bool:
        """Whether the user has logged in from this address before."""
        return bool(address and await self._gate.read(lambda c: c.fetchval(WAS_ADMITTED, user_id, address)))

    async def right(self, counted: Sequence[Counted], user_id: int, address: str) -> None:
        """It was right: it counts no more, and the address is one of the user's."""
        keys = [key for one in counted for key in one.keys]

        async def work(connection: Connection) -> None:
            if address:
                await connection.execute(NOTE_ADMITTED, user_id, address)
                await connection.execute(FORGET_OLD_ADDRESSES, user_id, _KEPT)
            await connection.execute(TAKE_BACK, keys)

        await self._gate.write(work)

    async def back(self, counted: Sequence[Counted]) -> None:
        """It was not checked after all: it counts no more."""
        keys = [key for one in counted for key in one.keys]
        await self._gate.write(lambda c: c.execute(TAKE_BACK, keys))

    async def forget(self) -> None:
        """Delete what is long over."""
        await self._gate.write(lambda c: c.execute(FORGET_STALE))


_NAMES = frozenset({GuessLimit.NAME, GuessLimit.ADMITTED})


def _digest(name: str) -> str:
    """Names are not kept: people type passwords there, too."""
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()

