"""A session on a pretended database: what pool servers ask, and the coordinator's statements, by their very text.

A statement that is not in the table is a fault of the simulation, and is told as one: the coordinator has learned a
new one, and the pretended database has to learn it, too.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import asyncpg

from tests.proof.operations.lives import LIFE
from tests.proof.operations.postgres import CONNINFO, NAMES, Entry, Node
from tests.proof.world import IDENTIFIER, Connection
from tuiha.drivers.databases import durability
from tuiha.drivers.databases.commands import (
    CHECKPOINT,
    COUNT_SESSIONS,
    DROP_SLOT,
    END_SESSIONS,
    MAKE_SLOT,
    PROMOTE,
    RELOAD,
    SESSIONS_BY_SERVER,
    SETTING,
    SETTINGS,
    SLOTS_BY_FUNCTION,
    UNLOGGED_AND_CHECKPOINT,
    WAITING_COMMITS,
)
from tuiha.drivers.databases.positions import (
    COUNT_RECEIVERS,
    FLUSHED,
    FLUSHED_TEXT,
    FOLLOWER_HAS,
    FOLLOWER_STREAM,
    HAS_PRIMARY,
    IN_RECOVERY,
    IS_PRIMARY_OR_RECEIVES,
    IS_PRIMARY_OR_REPLAYED,
    REPLAYED,
    SYSTEM_IDENTIFIER,
)
from tuiha.drivers.databases.session import READ_BACK
from tuiha.operate.database import stream
from tuiha.pooldb.leases import LAST_RENEWAL, MAY_HOLD
from tuiha.pooldb.statements.epochs import (
    ACTIVE_EPOCH,
    BEGIN_EPOCH,
    BEGUN_EPOCH,
    DOUBTED,
    FENCE,
    HAS_STANDBY,
    UNFENCE,
    WRITABLE_AND_ACTIVE,
)
from tuiha.pooldb.statements.events import ADD_EVENT
from tuiha.pooldb.statements.operations import KEEP_OPERATION
from tuiha.pooldb.statements.servers import ADDRESSES

if TYPE_CHECKING:
    from tests.proof.operations.ground import Ground

_OBSTACLES: Mapping[str, Any] = {
    "unlogged": 0, "checkpoint": 10.0, "slots": 1,
    "most_slots": 10, "may_make_slots": True, "max_connections": 100, "max_wal_senders": 10,
    "max_worker_processes": 8, "max_prepared_transactions": 0, "max_locks_per_transaction": 64,
}


class Unknown(Exception):
    """The pretended database does not know this statement."""


class Row:
    """Like asyncpg's: by number, by name, and as a tuple of its values."""

    def __init__(self, **values: Any) -> None:
        self._values = values

    def __getitem__(self, key: int | str) -> Any:
        return list(self._values.values())[key] if isinstance(key, int) else self._values[key]

    def __iter__(self) -> Any:
        return iter(self._values.values())

    def keys(self) -> Any:
        """The columns."""
        return self._values.keys()


class Session(Connection):
    """A connection of a pool server or of the coordinator."""

    _node: Node  # type: ignore[assignment]
    _world: Ground

    def __init__(self, ground: Ground, node: Node, user: str, stated: Mapping[str, str]) -> None:
        super().__init__(ground, node, stated)  # type: ignore[arg-type]
        self.user, self.application = user, stated["application_name"]
        self.ended = False  # by the database
        self._generation = node.generation
        self._life = LIFE.get()

    def end(self) -> None:
        """The database ends it."""
        self.ended = True
        self.shut()
        self._world.change()

    async def fetch(self, statement: str, *arguments: Any) -> list[Row]:
        """Any of the coordinator's statements, and what each session reads back."""
        if statement == READ_BACK:
            return await super().fetch(statement, *arguments)
        return list(await self._ask(lambda: run(self._node, self, statement, arguments)))

    # What the base class asks for

    async def execute(self, _: str) -> None:
        """The proof of life. These databases die as a whole, so it takes no time and keeps nothing back."""

    async def _there_and_back(self, work: Callable[[], Awaitable[Any]]) -> Any:
        await self._world.travel()
        if not self._world.reaches(self._node):
            await asyncio.Event().wait()
        if self.ended or self._node.generation is not self._generation or self._world.loses(0.003):
            self.shut()
            raise ConnectionResetError
        if self._life is not None and self._life.dead and self._world.chance.random() < 0.5:
            await asyncio.Event().wait()  # it never left the dead process
        answer = await work()
        await self._world.travel()
        if not self._world.reaches(self._node):
            await asyncio.Event().wait()
        if self._world.loses(0.003):  # it is done, and nobody is told
            self.shut()
            raise ConnectionResetError
        return answer

    async def _show(self) -> frozenset[int]:
        return frozenset(self._node.tables.rows)

    async def _about_itself(self) -> dict[str, Any]:
        node = self._node
        epoch, active, state = node.tables.epoch
        return {"system_identifier": IDENTIFIER, "timeline": node.timeline, "writable": node.writable,
                "has_schema": True, "pool": "demo", "epoch": epoch, "active": active, "state": state}

    async def _renew(self, server: str, epoch: int) -> bool:
        if not await self._node.renew(self, server, epoch):
            return False
        self._world.on_lease(self._node)
        return True

    async def _renewed(self, server: str) -> float | None:
        held = self._node.tables.leases.get(server)
        return None if held is None else held[1]

    async def _write(self, rows: list[int]) -> None:
        await self._node.commit(self, Entry(rows=tuple(rows)))

    def _cancelled(self, rows: list[int]) -> None:
        if self._node.writable:
            self._node.tables.rows.update(rows)


async def run(node: Node, session: Session, statement: str, arguments: tuple[Any, ...]) -> list[Row]:
    """A statement's rows."""
    known = _STATEMENTS.get(statement)
    if known is not None:
        return await known(node, session, *arguments)
    for pattern, work in _PATTERNS.items():
        if found := re.fullmatch(pattern, statement):
            await work(node, *found.groups())
            return []
    raise Unknown(statement)


def _reads(look: Callable[..., Any]) -> Callable[..., Awaitable[list[Row]]]:
    """A statement of one value."""
    async def answer(node: Node, session: Session, *arguments: Any) -> list[Row]:
        return [Row(value=look(node, *arguments))]

    return answer


async def _fence(node: Node, session: Session, epoch: int, active: str) -> list[Row]:
    await node.update_epoch(session, (epoch, active, "ACTIVE"), Entry(epoch=(epoch, active, "FENCED")))
    return []


async def _unfence(node: Node, session: Session, epoch: int, active: str) -> list[Row]:
    await node.update_epoch(session, (epoch, active, None), Entry(epoch=(epoch, active, "ACTIVE")))
    return []


async def _begin(node: Node, session: Session, epoch: int, active: str) -> list[Row]:
    await node.update_epoch(session, (epoch - 1, None, None), Entry(epoch=(epoch, active, "ACTIVE"), canary=epoch))
    return []


async def _epoch(node: Node, session: Session) -> list[Row]:
    epoch, active, state = node.tables.epoch
    return [Row(epoch=epoch, active=active, state=state)]


async def _begun(node: Node, session: Session, subject: str) -> list[Row]:
    if node.recovering:
        raise asyncpg.ObjectNotInPrerequisiteStateError("recovery is in progress")
    epoch, active, state = node.tables.epoch
    return [Row(epoch=epoch, active=active, state=state, timeline=node.timeline,
                canaries=node.tables.canaries.count(epoch))]


async def _end(node: Node, session: Session, users: list[str]) -> list[Row]:
    ended = [one for one in list(node.connections) if one.user in users]
    for one in ended:
        one.end()
    return [Row(count=len(ended))]


async def _checkpoint(node: Node, session: Session) -> list[Row]:
    await node._ground.pause(0.005, 0.05)
    if not node.recovering:
        node.arrived()
        node.log.append(Entry())
        node.replayed = len(node.log)
        node._ground.change()
    return []


async def _promote(node: Node, session: Session) -> list[Row]:
    node._ground.spawn(node.promote())
    return [Row(value=True)]


async def _reload(node: Node, session: Session) -> list[Row]:
    await node.reload()
    return [Row(value=True)]


async def _follows(node: Node, session: Session, name: str, here: str) -> list[Row]:
    """A sender of one connection is one process."""
    beginning = 0 if here == stream._BEGINNING else int(here)
    return [Row(pid=id(sender), state=row.state, sync_state=row.sync_state, here=str(len(node.log)),
                caught_up=sender.flushed >= beginning)
            for row, sender in zip(followers(node), node.senders.values(), strict=True) if row.name == name]


async def _confirmed(node: Node, session: Session, name: str) -> list[Row]:
    positions = [sender.flushed for row, sender in zip(followers(node), node.senders.values(), strict=True)
                 if (row.name, row.state, row.sync_state) == (name, "streaming", "sync")]
    return [Row(confirmed=str(max(positions)) if positions else None)]


async def _has(node: Node, session: Session, position: str) -> list[Row]:
    return [Row(has=len(node.log) >= int(position) if node.recovering else None)]


async def _system(node: Node, session: Session) -> list[Row]:
    return [Row(system_identifier=IDENTIFIER)]


async def _settings(node: Node, session: Session, names: list[str]) -> list[Row]:
    return [Row(name=name, setting=str(_OBSTACLES[name])) for name in names]


async def _flushed(node: Node, session: Session, name: str, position: str) -> list[Row]:
    return [Row(value=sender.flushed >= int(position)) for sender in node.senders.values() if sender.name == name]


async def _make_slot(node: Node, session: Session, name: str) -> list[Row]:
    node.slots.add(name)
    return []


async def _drop_slot(node: Node, session: Session, name: str) -> list[Row]:
    if name not in node.senders:
        node.slots.discard(name)
    return []


async def _leases(node: Node, session: Session, epoch: int, seconds: float, slack: float) -> list[Row]:
    found = {server: at for server, (number, at) in node.tables.leases.items() if 0 < number <= epoch}
    newest = max(found.values(), default=0.0) - 2 * (seconds + slack)
    return [Row(server=server, seconds=seconds) for server, at in found.items() if at > newest]


async def _sessions(node: Node, session: Session, users: list[str]) -> list[Row]:
    counted: dict[str, int] = {}
    for one in node.connections:
        if one.user in users and one.application.startswith("tuiha:"):
            server = one.application.removeprefix("tuiha:")
            counted[server] = counted.get(server, 0) + 1
    return [Row(server=server, sessions=sessions) for server, sessions in counted.items()]


async def _obstacles(node: Node, session: Session) -> list[Row]:
    return [Row(**_OBSTACLES)]


async def _waited_for(node: Node, session: Session) -> list[Row]:
    """JSON is text. Who follows holds the slot of its name, where there is one."""
    rows = [{"name": row.name, "state": row.state, "sync_state": row.sync_state,
             "slot": row.name if row.name in node.slots else None} for row in followers(node)]
    return [Row(names=node.setting(NAMES), followers=json.dumps(rows), slots=json.dumps(sorted(node.slots)),
                session=json.dumps({"value": "on", "source": "default"}), settings="[]")]


async def _keep(node: Node, session: Session, *_: Any) -> list[Row]:
    await node.commit(session, Entry())
    return []


async def _who(node: Node, session: Session) -> list[Row]:
    epoch, name, state = node.tables.epoch
    return [Row(active=name, epoch=epoch)] if state == "ACTIVE" and not node.recovering else []


async def _none(node: Node, session: Session) -> list[Row]:
    return []


async def _set(node: Node, name: str, text: str) -> None:
    node.file[name] = text


async def _reset(node: Node, name: str) -> None:
    node.file.pop(name, None)


def _waiting(node: Node) -> int:
    return 0 if not node.waits_for else node.readers + int(node.writer)


def followers(node: Node) -> list[Any]:
    """The rows of pg_stat_replication."""
    from tuiha.model.reports import ReplicationRow

    return [ReplicationRow(sender.name, "streaming" if sender.caught_up else "catchup",
                           "sync" if sender.name in node.ranks_by.replace("(", " ").replace(")", " ").split()
                           else "async", len(node.log) - sender.flushed, 0.0) for sender in node.senders.values()]


_STATEMENTS: Mapping[str, Callable[..., Awaitable[list[Row]]]] = {
    FENCE: _fence, UNFENCE: _unfence, ACTIVE_EPOCH: _epoch, END_SESSIONS: _end,
    COUNT_SESSIONS: _reads(lambda node, users: sum(one.user in users for one in node.connections)),
    REPLAYED: _reads(lambda node: node.replayed), IN_RECOVERY: _reads(lambda node: node.recovering),
    BEGIN_EPOCH: _begin, BEGUN_EPOCH: _begun, FLUSHED: _reads(lambda node: len(node.log)),
    CHECKPOINT: _checkpoint, PROMOTE: _promote, RELOAD: _reload,
    SETTING: _reads(lambda node, name: node.setting(name)),
    HAS_PRIMARY: _reads(lambda node: node.setting(CONNINFO) != ""),
    COUNT_RECEIVERS: _reads(lambda node: int(node.receiver is not None)),
    IS_PRIMARY_OR_REPLAYED: _reads(lambda node: node.replayed >= len(node.log)),
    HAS_STANDBY: _reads(lambda node: False),  # a schema of before: the ledger alone says it
    DOUBTED: _reads(lambda node: False),
    durability.CONFIRMED: _confirmed, durability.HAS: _has,
    FOLLOWER_STREAM: _follows, SYSTEM_IDENTIFIER: _system, SETTINGS: _settings,
    FOLLOWER_HAS: _flushed, WAITING_COMMITS: _reads(_waiting),
    FLUSHED_TEXT: _reads(lambda node: str(len(node.log))),
    SLOTS_BY_FUNCTION: _reads(lambda node: True), MAKE_SLOT: _make_slot, DROP_SLOT: _drop_slot,
    MAY_HOLD: _leases, durability.QUESTION: _waited_for,
    IS_PRIMARY_OR_RECEIVES: _reads(lambda node: not node.recovering or node.setting(CONNINFO) != ""),
    LAST_RENEWAL: _reads(lambda node: max((at for _, at in node.tables.leases.values()), default=None)),
    SESSIONS_BY_SERVER: _sessions, UNLOGGED_AND_CHECKPOINT: _obstacles, KEEP_OPERATION: _keep, ADD_EVENT: _keep,
    WRITABLE_AND_ACTIVE: _who, ADDRESSES: _none,
}
_PATTERNS: Mapping[str, Callable[..., Awaitable[None]]] = {
    r"ALTER SYSTEM SET (\w+) = '(.*)'": _set, r"ALTER SYSTEM RESET (\w+)": _reset,
}

