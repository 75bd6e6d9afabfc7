"""How the parts of a pool server reach the enterprise database, whatever happens to it."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from tuiha.pooldb.connection import Connection


class Unavailable(Exception):
    """The database cannot be used now and the wait for it is over; nothing was written. Try again later."""


class OutcomeUnknown(Exception):
    """A commit was sent, and its answer cannot be trusted or never came: it may have happened or not."""


class Access(Protocol):
    """The gate to the enterprise database."""

    def transaction(self) -> AbstractAsyncContextManager[Connection]:
        """A transaction on an asyncpg connection.

        Entering waits while the pool changes its database, and raises Unavailable when that takes too long.
        Leaving commits and looks at the lease a second time; raises OutcomeUnknown when it is gone.
        """
