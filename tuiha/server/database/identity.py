"""Is this really the database that this server belongs on? Asked after every connect, before anything else."""

from __future__ import annotations

from dataclasses import dataclass

from tuiha.drivers.databases.positions import IDENTITY
from tuiha.model.reports import EpochState
from tuiha.pooldb.connection import Connection, given
from tuiha.pooldb.statements.epochs import POOL_AND_EPOCH


class WrongDatabase(Exception):
    """The database that answered is not the one this server may use; the text says why."""

    def __init__(self, text: str, *, copy: bool = False) -> None:
        """`copy`: it takes writes and calls itself the active database of this pool, and is another one."""
        super().__init__(text)
        self.copy = copy


@dataclass(frozen=True, slots=True)
class DatabaseIdentity:
    """What a database says of itself."""

    system_identifier: str
    timeline: int
    writable: bool
    pool: str | None  # None: no schema yet
    epoch: int
    active: str
    state: str


@dataclass(frozen=True, slots=True)
class Expected:
    """What the ledger, an operator's `attach` or the last attachment say the active database is."""

    epoch: int
    active: str
    system_identifier: str | None = None
    timeline: int | None = None  # None: not known, as an operator's word has none


async def identify(connection: Connection) -> DatabaseIdentity:
    """Ask a database who it is; reads only."""
    row = given(await connection.fetchrow(IDENTITY, timeout=2.0))
    epoch = None
    if row["has_schema"]:
        epoch = await connection.fetchrow(POOL_AND_EPOCH, timeout=2.0)
    return DatabaseIdentity(
        system_identifier=row["system_identifier"],
        timeline=row["timeline"],
        writable=row["writable"],
        pool=epoch["pool"] if epoch else None,
        epoch=epoch["epoch"] if epoch else 0,
        active=epoch["active"] if epoch else "",
        state=epoch["state"] if epoch else "",
    )


def verify(node: str, found: DatabaseIdentity, pool: str, expected: Expected | None, configured: str | None) -> None:
    """Raise WrongDatabase unless `found`, reached under the name `node`, is the active database of this pool."""
    known = {"the configuration": configured, "the ledger": expected.system_identifier if expected else None}
    for who, wanted in known.items():
        if wanted is not None and found.system_identifier != wanted:
            raise WrongDatabase(
                f"{node} is another database system: its identifier is {found.system_identifier}, {who} says {wanted}. "
                "Point the configuration at the pool's own database, or correct database.system_identifier"
            )
    if found.pool is None:
        raise WrongDatabase(f"{node} holds no pool yet")
    if found.pool != pool:
        raise WrongDatabase(
            f"{node} belongs to the pool '{found.pool}', this server to '{pool}'. "
            "Correct `pool:` or the database's address in the configuration"
        )
    if not found.writable:
        raise WrongDatabase(f"{node} is a secondary")
    if found.active != node:
        raise WrongDatabase(f"{node} says that {found.active} is active, not itself")
    if expected is not None and (found.epoch != expected.epoch or node != expected.active):
        raise WrongDatabase(
            f"{node} is in epoch {found.epoch}; the pool is on {expected.active} in epoch {expected.epoch}"
        )
    if expected is not None and expected.timeline is not None and found.timeline != expected.timeline:
        raise WrongDatabase(
            f"{node} is on timeline {found.timeline}, and epoch {found.epoch} of the pool on {expected.timeline}: it "
            "was restored, or promoted by hand, and may lack what devices know of; docs/backup.md says what to do",
            copy=True,
        )
    if found.state != EpochState.ACTIVE:
        raise WrongDatabase(f"{node} is fenced: an operator is changing the pool's database")
