"""An order to use a database, and whether it is so: the ledger or the database says it, never the caller alone.

Whoever may operate a pool may also err, or repeat an order of yesterday. A server that believed the number in an order
would be cut off by it: it would wait for an epoch that never comes, and refuse the right one as over.
"""

from __future__ import annotations

from dataclasses import dataclass

from tuiha.model.reports import STEADY, EpochState, LedgerRecord
from tuiha.server.database.identity import DatabaseIdentity


@dataclass(frozen=True, slots=True)
class DatabaseOrder:
    """Use this database in this epoch."""

    epoch: int
    database: str
    since: float = 0.0  # boottime at which it was taken


def idle(record: LedgerRecord) -> bool:
    """Whether no operation works on the pool, and none has left the databases' roles half changed."""
    return record.intent is None and record.phase == STEADY


def by_ledger(order: DatabaseOrder, record: LedgerRecord | None) -> bool:
    """Whether the ledger says the same."""
    return record is not None and (record.epoch, record.active) == (order.epoch, order.database)


def by_database(
    order: DatabaseOrder, pool: str, identifier: str | None, record: LedgerRecord | None, found: DatabaseIdentity | str
) -> bool:
    """Whether the database in the order says that it is the active one of this pool, in that epoch.

    While no operation runs, a ledger that names another database outranks it.
    """
    if isinstance(found, str) or (
            record is not None and idle(record) and record.active != order.database):
        return False
    same = identifier is None or found.system_identifier == identifier
    return (same and found.writable and found.pool == pool and found.active == order.database
            and found.epoch == order.epoch and found.state == EpochState.ACTIVE)


def leaving(order: DatabaseOrder, pool: str, record: LedgerRecord | None, found: DatabaseIdentity | str) -> bool:
    """Whether it is an order to let the present database of this epoch go, for the one that is to be active next.

    The ledger says so by the operation in it. Where it cannot be read, the secondary says at least the epoch.
    """
    if record is not None:
        return record.epoch == order.epoch and not idle(record)
    return not isinstance(found, str) and not found.writable and (found.pool, found.epoch) == (pool, order.epoch)


def void(order: DatabaseOrder, record: LedgerRecord) -> bool:
    """Whether an order to let a database go did not come true, and no operation works on it any more."""
    return not by_ledger(order, record) and (record.epoch > order.epoch or idle(record))


def refusal(order: DatabaseOrder, record: LedgerRecord | None, found: DatabaseIdentity | str) -> str:
    """Why an order is not believed: what was asked, and what it said."""
    name = order.database
    ledger = "no ledger can be read here" if record is None else (
        f"the ledger says that {record.active} is active in epoch {record.epoch}")
    if isinstance(found, str):
        database = f"{name} could not be asked ({found})"
    elif found.pool is None:
        database = f"{name} holds no pool"
    else:
        role = "" if found.writable else ", a secondary,"
        database = f"{name}{role} says that {found.active} of pool {found.pool} is active in epoch {found.epoch}"
    return f"nothing confirms that {name} is active in epoch {order.epoch}: {ledger}; {database}. Nothing was changed."
