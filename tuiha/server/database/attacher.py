"""Find the active database, attach to it, keep the lease; when that ends, start over. Runs as long as the server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from tuiha.drivers.databases.scram import NotProven
from tuiha.drivers.databases.session import WrongSession
from tuiha.drivers.protocols import DriverError, LedgerDriver
from tuiha.model.reports import STEADY, EpochState, LedgerRecord
from tuiha.pooldb.errors import FAILED, LOST, NotNow, WrongDatabaseName, WrongLogin
from tuiha.pooldb.leases import boottime
from tuiha.pooldb.migrations import WrongPool
from tuiha.server.database.attachment import Attachment, DatabasePlace, Session, connect
from tuiha.server.database.fence import Fence, Wires
from tuiha.server.database.gate import Gate
from tuiha.server.database.ground import Ground
from tuiha.server.database.identity import DatabaseIdentity, Expected, WrongDatabase, identify
from tuiha.server.database.lease import LeaseKeeper, LeaseRefused, verified


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


log = logging.getLogger("tuiha.attach")
_PAUSE = 0.25  # seconds between two rounds of looking for the active database
_LEDGER = 1.0  # seconds for the ledger's answer while an operator waits for this server's
_PATIENCE = 4.0  # leases that an order has to come true, where no ledger says that somebody still works on it


class Attacher:
    """Decides which database this server is on. Never one of an older epoch than it has seen."""

    def __init__(
        self,
        *,
        pool: str,
        places: Sequence[DatabasePlace],
        ledger: LedgerDriver | None,
        system_identifier: str | None,
        gate: Gate,
        fence: Fence,
        keeper: LeaseKeeper,
        lease_seconds: float,
        connections: int,
        prepare: Callable[[DatabasePlace], Awaitable[None]],
        ground: Ground | None = None,
    ) -> None:
        self._pool = pool
        self._places = {place.name: place for place in places}
        self._ledger = ledger
        self._known_identifier = system_identifier
        self._gate = gate
        self._fence = fence
        self._keeper = keeper
        self._lease_seconds = lease_seconds
        self._connections = connections
        self._prepare = prepare
        self._ground = ground
        self._expected: Expected | None = None
        self._order: DatabaseOrder | None = None  # to let a database go, for the one that is to be active next
        self._blind = ledger is None  # the ledger could not be read when it was last tried
        self._trying: Wires | None = None  # of an attempt to attach that is under way
        self._ready: dict[str, tuple[Wires, Session]] = {}  # opened ahead, by database
        self._wanted = asyncio.Event()
        self.was_attached = False  # at least once since the start
        self.problem: str = "looking for the active database"

    @property
    def copy(self) -> str | None:
        """How it knows that what it reaches is a copy of the active database; None: it does not."""
        return None if self._ground is None else self._ground.copy

    async def obey(self, epoch: int, active: str) -> None:
        """An operator's order: the pool is on `active` in `epoch`. It is carried out when the ledger or the database
        confirms it. Raises ValueError, and changes nothing, for every other one.
        """
        order, seen = self._possible(epoch, active), self._expected
        if seen is not None and (seen.epoch, seen.active) == (epoch, active):
            self.attach(epoch, active)
            return
        record = await self._read(_LEDGER)
        seen = self._expected
        if record is not None and seen is not None and record.epoch < seen.epoch:
            record = None  # a ledger that nobody writes any more
        if by_ledger(order, record):
            self.attach(epoch, active)
            return
        if not leaving(order, self._pool, record, "not asked"):
            found = await self._asked(active)
            if by_database(order, self._pool, self._identifier(), record, found):
                self.attach(epoch, active)
                return
            if not leaving(order, self._pool, record, found):
                raise ValueError(refusal(order, record, found))
        self._order = self._possible(epoch, active)  # asked once more: an epoch may have been seen meanwhile
        self._change(order)

    def attach(self, epoch: int, active: str) -> None:
        """The pool is on `active` in `epoch`, as the ledger or that database says. Raises ValueError for an older epoch
        or an unknown database.
        """
        order = self._possible(epoch, active)
        seen = self._expected
        timeline = seen.timeline if seen is not None and (seen.epoch, seen.active) == (epoch, active) else None
        self._expected, self._order = Expected(epoch, active, self._identifier(), timeline), None
        self._change(order)

    def _change(self, order: DatabaseOrder) -> None:
        """End what is not of this order."""
        self._wanted.set()
        if self._trying is not None:  # a lease that arrives now would be one that this operator does not know of
            self._trying.sever()
        attachment = self._gate.attachment
        if attachment is not None and (attachment.epoch, attachment.place.name) != (order.epoch, order.database):
            attachment.end("told to use another database")

    def _possible(self, epoch: int, active: str) -> DatabaseOrder:
        if active not in self._places:
            raise ValueError(f"no database is called '{active}'; known are {', '.join(self._places)}")
        if self._expected is not None and epoch < self._expected.epoch:
            raise ValueError(f"epoch {epoch} is over; this server has seen epoch {self._expected.epoch}")
        return DatabaseOrder(epoch, active, boottime())

    def _identifier(self) -> str | None:
        return self._expected.system_identifier if self._expected is not None else self._known_identifier

    async def _asked(self, name: str) -> DatabaseIdentity | str:
        """What a database says of itself, or why it could not be asked."""
        try:
            return await self.look_at(name)
        except FAILED as error:
            return _reason(error)

    async def look_at(self, name: str) -> DatabaseIdentity:
        """Reach a database of the pair and ask who it is. Raises KeyError for a name unknown, or what LOST lists."""
        place = self._places[name]
        wires = Wires(boottime() + 3.0)
        self._fence.guard(wires)
        try:
            return await identify((await connect(place, wires, timeout=2.0)).connection)
        finally:
            wires.sever()

    async def log_in_ahead(self, name: str, seconds: float) -> None:
        """Open a session on a database that the pool is about to change to; without use it is shut after `seconds`.

        It spares time when that database is promoted: who it is then, is asked then. Raises what `look_at` raises.
        """
        place, wires = self._places[name], Wires(boottime() + seconds)
        self._fence.guard(wires)
        session = await connect(place, wires, timeout=min(seconds, 2.0))
        before, self._ready[name] = self._ready.get(name), (wires, session)
        if before is not None:
            before[0].sever()

    async def run(self) -> None:
        """Attach and keep attached, until cancelled."""
        told = False
        while True:
            if not told:  # else a ledger that is slow, or away, would only delay what an operator has said
                await self._learn()
            for place, expected in self._candidates():
                if await self._use(place, expected):
                    break
            with suppress(TimeoutError):
                async with asyncio.timeout(_PAUSE):
                    await self._wanted.wait()
            told = self._wanted.is_set()
            self._wanted.clear()

    async def _learn(self) -> None:
        record = await self._read(2.0)
        if record is None:
            return
        if self._order is not None and void(self._order, record):
            self._order = None
        if self._expected is None or record.epoch >= self._expected.epoch:
            self._expected = Expected(record.epoch, record.active, record.system_identifier or None, record.timeline)

    async def _read(self, seconds: float) -> LedgerRecord | None:
        """The ledger's record; None where there is none to read."""
        if self._ledger is None:
            return None
        self._blind = True
        try:
            async with asyncio.timeout(seconds):
                record = await self._ledger.poll()
        except (DriverError, TimeoutError) as error:
            log.info("ledger not read, going on with what is known", extra={"error": str(error)})
            return None
        self._blind = False
        return record

    def _candidates(self) -> list[tuple[DatabasePlace, Expected | None]]:
        """Where to try, and what has to be found there. An order comes first, and alone while it may come true.

        To try the database of before again is safe whatever becomes of the order: a lease on it is a commit that the
        secondary confirmed, and one that was cut off or promoted confirms none.
        """
        seen, order = self._expected, self._order
        if seen is not None and seen.active in self._places:
            known: list[tuple[DatabasePlace, Expected | None]] = [(self._places[seen.active], seen)]
        else:
            known = [(place, seen) for place in self._places.values()]
        if order is None:
            return known
        first = (self._places[order.database], Expected(order.epoch, order.database, self._identifier()))
        late = self._blind and boottime() - order.since > _PATIENCE * self._lease_seconds
        return [first, *known] if late else [first]

    async def _use(self, place: DatabasePlace, expected: Expected | None) -> bool:
        """Attach to a place and stay until that ends. False when it could not be used at all."""
        wires, session = self._wires(place)
        self._trying = wires
        try:
            await self._prepare(place)
            session = session or await connect(place, wires, timeout=min(2.0, self._lease_seconds))
            found = await verified(place, session, self._pool, expected, self._known_identifier)
            attachment = Attachment(
                place, found.epoch, found.system_identifier, found.timeline, wires, self._connections
            )
            attachment.watch(session)
            await self._keeper.take(attachment, session)
        except (WrongDatabase, WrongPool, LeaseRefused, *FAILED) as error:
            wires.sever()
            self._say(f"no lease on {place.name}: {_reason(error)}")
            await self._suspect(place, error)
            return False
        finally:
            self._trying = None
        if wires.cut:
            return False
        await self._stay(attachment, session, found)
        return True

    async def _suspect(self, place: DatabasePlace, error: BaseException) -> None:
        """A database that gave no lease may be a copy of the one that the pool is on."""
        if self._ground is None or isinstance(error, LeaseRefused):
            return
        if isinstance(error, WrongDatabase):
            self._ground.copy = str(error) if error.copy else None
        else:
            await self._ground.suspect(place)

    def _wires(self, place: DatabasePlace) -> tuple[Wires, Session | None]:
        """Wires that end no later than a lease from now on, with the session that was opened on them ahead, if any."""
        until = boottime() + self._lease_seconds
        wires, session = self._ready.pop(place.name, (None, None))
        if wires is None or not wires.whole or session is None or session.closed:
            wires, session = Wires(until), None
            self._fence.guard(wires)
        wires.deadline = until
        return wires, session

    async def _stay(self, attachment: Attachment, session: Session, found: DatabaseIdentity) -> None:
        self._expected = Expected(found.epoch, attachment.place.name, found.system_identifier, found.timeline)
        self._order = None
        self.was_attached = True
        self.problem = ""
        log.info("attached", extra={"database": attachment.place.name, "epoch": found.epoch})
        self._gate.open(attachment)
        try:
            await self._keep(attachment, session)
        finally:
            attachment.end("stopping")
            session.connection.terminate()
            self._gate.close(attachment.why)
            self._say(attachment.why)

    async def _keep(self, attachment: Attachment, session: Session) -> None:
        """Keep the lease, and watch what it stands on."""
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._ground.watch(attachment)) if self._ground is not None else None
            await self._keeper.keep(attachment, session)
            if watching is not None:
                watching.cancel()

    def _say(self, problem: str) -> None:
        if problem != self.problem:
            log.warning("no lease", extra={"reason": problem})
        self.problem = problem
        if self._gate.attachment is None:
            self._gate.close(problem)


def _reason(error: BaseException) -> str:
    if isinstance(error, (WrongDatabase, WrongPool, LeaseRefused, NotProven, WrongSession)):
        return str(error)
    if isinstance(error, WrongLogin):
        return "the database refuses this role's name or password; correct database.roles.pool"
    if isinstance(error, WrongDatabaseName):
        return "there is no such database there; correct database.name"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, TimeoutError):
        return "no answer"
    if isinstance(error, NotNow):
        return "it is starting or stopping"
    if isinstance(error, LOST):
        return "the connection broke, or its commits wait for the secondary"
    return str(error)
