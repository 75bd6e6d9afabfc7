"""`tuiha operations --verify`: the history in the database and the journals of this host, as they were written."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuiha.config.settings import Pool
from tuiha.model.history import Chain, ChainLink
from tuiha.operate.records.store import Store, store_of
from tuiha.pooldb.errors import UNREAD, NoTable
from tuiha.pooldb.statements.operations import LINKS, OPERATIONS_AFTER
from tuiha.watch.reader import Reader, ReaderUnreachable, reader

_AT_ONCE = 50  # records: each may hold the journal of a rebalance
_SECONDS = 60.0  # for one batch, with the events that it seals


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found."""

    records: int
    journals: int  # of this host
    anchors: int  # records that this host noted
    broken: tuple[str, ...]  # the first thing in the database, and every journal, that is not as it was written


async def verify(pool: Pool, base: Path) -> Verified:
    """Read all of the history and check it. Raises Unreachable, ConfigError."""
    store = store_of(pool, base)
    anchors, journals, damaged = await asyncio.to_thread(_here, store)
    async with reader(pool, base) as source:
        try:
            chain = await _chain(source, Chain(anchors))
        except NoTable:
            raise ReaderUnreachable("its history has no records yet: a pool server of this version adds them") from None
        except UNREAD as error:
            raise ReaderUnreachable(f"the history cannot be read: {error or 'no answer'}") from None
    broken = ((chain.broken,) if chain.broken else ()) + tuple(damaged)
    return Verified(chain.records, journals, len(anchors), broken)


async def _chain(source: Reader, chain: Chain) -> Chain:
    while True:
        rows = await source.connection.fetch(LINKS, chain.records, _AT_ONCE, timeout=_SECONDS)
        chain.add(ChainLink(**row) for row in rows)
        if len(rows) < _AT_ONCE:
            break
    chain.end()
    found: list[dict[str, Any]] = []
    while rows := await source.connection.fetch(
            OPERATIONS_AFTER, found[-1]["id"] if found else "", _AT_ONCE, timeout=_SECONDS):
        found += [{**row, "journal": json.loads(row["journal"])} for row in rows]
    chain.compare(found)
    return chain


def _here(store: Store) -> tuple[dict[int, str], int, list[str]]:
    """What this host noted of records, how many journals it has, and which of them are damaged."""
    folders = [folder for folder in store.folders() if store.ours(folder)]
    noted = [anchor for folder in folders if (anchor := folder.anchor()) is not None]
    return dict(noted), len(folders), store.damaged()
