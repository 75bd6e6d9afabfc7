"""The guard: looks at the pool as a watcher does, and starts an operator's operations under standing orders.

It overrides no check and types no loss. What keeps a pool whole is the operation's own protocol: the ledger's
compare-and-set, leases, and facts that are read again. So a guard that sleeps, dies or is wrong can only act needlessly
or not at all.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tuiha.config import secrets
from tuiha.config.errors import ConfigError
from tuiha.config.pace import GuardSettings
from tuiha.config.settings import Pool
from tuiha.drivers.factory import open_drivers
from tuiha.drivers.protocols import DriverError
from tuiha.model.facts import Look
from tuiha.model.guard.decide import GuardMemory, GuardSight, judge, sight_of
from tuiha.model.guard.report import (
    GuardAct,
    GuardHold,
    GuardNotes,
    GuardOrder,
    GuardOutlook,
    GuardReport,
    Held,
)
from tuiha.model.operations.refusals import Refused
from tuiha.operate.api import Operator
from tuiha.operate.guard.store import GuardStore, begun, never_began, store_in
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.plans.look import safe
from tuiha.operate.plans.plan import Plan
from tuiha.operate.reach.control import ControlClient, ControlError
from tuiha.operate.reach.sql import DatabaseGone
from tuiha.operate.reach.world import NoCredentials
from tuiha.operate.records.store import NotKept
from tuiha.watch.factory import guarded, rules_of
from tuiha.watch.poller import Poller
from tuiha.watch.targets import targets_of
from tuiha.words import guard as words

_log = logging.getLogger("tuiha.guard")
CALM = 0.5  # seconds between two looks, at most, while nothing is wrong
TENSE = 0.2  # and while there is reason for an order
SETTLE = 0.5  # share of that in which the answers of a look are waited for
STORE = 1.0  # seconds for one question to the ledger about guards
_TRY = 1.0  # seconds for a server's connection to the primary
_AHEAD = 2.0  # seconds before an order is due, its plan is made
_RETRY, _LONGEST_RETRY = 1.0, 30.0  # seconds after a refusal; doubled with each
EXPECTED = (OperationRefused, NoCredentials, ConfigError, DriverError, DatabaseGone, NotKept)
_TRIED_ABOUT = frozenset({GuardOrder.FAILOVER, GuardOrder.DEGRADE})


@dataclass(frozen=True, slots=True)
class GuardRefusal:
    """Why an order could not be carried out, and until when it is not tried again."""

    held: Held
    until: float  # seconds by the guard's clock
    pause: float


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan that is being made for an order."""

    order: GuardOrder
    epoch: int
    plan: asyncio.Task[Plan]


@dataclass(frozen=True, slots=True)
class GuardTools:
    """What a guard looks with, keeps its record in, and acts with."""

    poller: Poller
    store: GuardStore
    operator: Operator
    control: ControlClient


def guard_tools(pool: Pool, base: Path, config: Path, name: str) -> GuardTools:
    """Those of a real pool. Raises ConfigError, NoCredentials, OperationRefused; may block on a secret."""
    if pool.control.operator is None:
        raise NoCredentials("control.operator is not in the configuration: a guard acts with it")
    looks_at = pool.model_copy(update={"mail": [], "sprayers": [], "guard": GuardSettings()})
    drivers = open_drivers(looks_at, base)
    return GuardTools(
        Poller(targets_of(looks_at, drivers, guarded(drivers.open_server)), rules_of(pool)),
        store_in(drivers.ledger),
        Operator(pool, base, config, f"guard {name}"),
        ControlClient(pool, base, secrets.resolve(pool.control.operator, base)),
    )


def clock() -> float:
    """Seconds that are never set, and count while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class GuardProcess:
    """One guard of one pool. Several may run: one is the active one, the others stand by."""

    def __init__(
        self, name: str, pool: Pool, tools: GuardTools, told: Callable[[str], None] = lambda line: None
    ) -> None:
        """`told` is called with each look: one line on how it stands."""
        self._name = name
        self._pool = pool
        self._orders = pool.guard.standing
        self._poller, self._store = tools.poller, tools.store
        self._operator, self._control = tools.operator, tools.control
        self._told = told
        self._since = time.time()
        self._active = ""  # the active guard's name
        self._memory = GuardMemory()
        self._outlook: tuple[GuardOutlook, ...] = ()  # by the newest look
        self._notes: GuardNotes | None = None  # None: never read; nothing is done then
        self._tried: dict[str, bool] = {}
        self._trying: asyncio.Task[None] | None = None
        self._prepared: Prepared | None = None
        self._acting: asyncio.Task[None] | None = None
        self._starts: GuardOrder | None = None
        self._refusals: dict[GuardOrder, GuardRefusal] = {}
        self._line = ""

    async def run(self, ended: asyncio.Event) -> None:
        """Look, and act, until `ended`."""
        try:
            async with asyncio.TaskGroup() as group:
                while not ended.is_set():
                    began = clock()
                    interval = await self._guarded(group)
                    await _pause(ended, began + interval - clock())
                for task in (self._trying, self._acting):
                    if task is not None:
                        task.cancel()
        finally:
            await self._close()

    async def _guarded(self, group: asyncio.TaskGroup) -> float:
        """One look; a fault in it is logged, begins all evidence again, and the looking goes on."""
        try:
            return await self._turn(group)
        except Exception:  # noqa: BLE001 - see above
            _log.exception("a look failed")
            self._memory = GuardMemory()
            return CALM

    async def _close(self) -> None:
        if self._prepared is not None:
            self._prepared.plan.cancel()
        try:
            async with asyncio.timeout(STORE):
                await self._store.drop()
        except (DriverError, TimeoutError):
            _log.warning("the ledger was not told that this guard ends")
        await self._control.close()
        await self._poller.close()

    # One look

    async def _turn(self, group: asyncio.TaskGroup) -> float:
        """Look, judge, say so, and begin what is due; returns the seconds until the next look."""
        interval = TENSE if self._memory.since or self._trying is not None else min(CALM, self._pool.watch.interval)
        await self._poller.round(group, interval * SETTLE)
        look = self._poller.last
        assert look is not None
        sight = sight_of(look, clock(), self._own(look), self._tried, self._pool.lease.seconds)
        trouble = await self._read()
        self._memory, outlook = judge(self._orders, sight, self._memory, self._notes or GuardNotes())
        outlook = tuple(replace(one, held=(*one.held, *trouble, *self._refused(one))) for one in outlook)
        self._outlook = outlook = await self._say(outlook)
        if sight is not None:
            self._try(group, look, sight, outlook)
            self._begin(group, sight, outlook)
        return TENSE if any(one.order in _TRIED_ABOUT for one in outlook) else interval

    def _own(self, look: Look) -> frozenset[str]:
        """The servers that have leases: those of this project."""
        others = {server.name for server in self._pool.servers} - {server.name for server in self._pool.own_servers}
        return frozenset(server.name for server in look.servers) - others

    async def _read(self) -> tuple[Held, ...]:
        """Read the notes; what holds every order back when they cannot be read."""
        try:
            async with asyncio.timeout(STORE):
                record = await self._store.read()
            self._notes, self._active = record.notes, "" if record.report is None else record.report.name
        except (DriverError, TimeoutError) as error:
            return (Held(GuardHold.STORE, said=str(error) or "no answer"),)
        return ()

    def _refused(self, outlook: GuardOutlook) -> tuple[Held, ...]:
        """What a refusal of before holds back; forgotten when the evidence breaks."""
        refusal = self._refusals.get(outlook.order)
        if refusal is None:
            return ()
        if outlook.missing:
            del self._refusals[outlook.order]
        left = refusal.until - clock()
        return (replace(refusal.held, seconds=left),) if left > 0 else ()

    async def _say(self, outlook: tuple[GuardOutlook, ...]) -> tuple[GuardOutlook, ...]:
        """Be the active guard if no other one is, and publish how it stands; without that nothing is due."""
        held = await self._hold(outlook)
        if held:
            self._since = time.time()
        self._tell(outlook, held)
        return tuple(replace(one, held=(*one.held, *held)) for one in outlook)

    async def _hold(self, outlook: tuple[GuardOutlook, ...]) -> tuple[Held, ...]:
        """Be the active guard, or stay it; why not, when that is not so."""
        report = GuardReport(self._name, socket.gethostname(), self._since, tuple(self._orders.after),
                             outlook, self._starts)
        try:
            async with asyncio.timeout(STORE):
                return () if await self._store.hold(report) else (Held(GuardHold.STANDBY, (self._active,)),)
        except (DriverError, TimeoutError) as error:
            return (Held(GuardHold.STORE, said=str(error) or "no answer"),)

    def _tell(self, outlook: tuple[GuardOutlook, ...], held: tuple[Held, ...]) -> None:
        """A line for the service manager; and for the log when it begins, ends or changes in kind."""
        role = words.held_back(held[0]) if held else f"active: {', '.join(self._orders.after) or 'no orders'}"
        first = outlook[0] if outlook else None
        self._told("; ".join([role, *([words.countdown(first)] if first is not None else [])]))
        line = " ".join([role, *(f"{one.order} {one.missing} {[held.hold for held in one.held]}" for one in outlook)])
        if line != self._line:
            self._line = line
            _log.info(role if first is None else words.countdown(first),
                      extra={"orders": [str(one.order) for one in outlook],
                             "missing": [str(sign) for one in outlook for sign in one.missing],
                             "held": [words.held_back(held) for one in outlook for held in one.held]})

    # What servers find when they try the primary for the guard

    def _try(self, group: asyncio.TaskGroup, look: Look, sight: GuardSight, outlook: tuple[GuardOutlook, ...]) -> None:
        if not any(one.order in _TRIED_ABOUT for one in outlook):
            if self._trying is not None:
                self._trying.cancel()
            self._tried, self._trying = {}, None
        elif self._trying is None or self._trying.done():
            addresses = {one.name: one.address for one in look.servers if one.name in sight.answering
                         and safe(one.address)}
            self._trying = group.create_task(self._all_try(addresses, sight.active))

    async def _all_try(self, addresses: Mapping[str, str], active: str) -> None:
        found = await asyncio.gather(*(self._reached(address, active) for address in addresses.values()))
        self._tried = dict(zip(addresses, found, strict=True))
        await asyncio.sleep(TENSE)

    async def _reached(self, address: str, active: str) -> bool:
        try:
            await self._control.post(address, "probe", {"database": active}, seconds=_TRY)
        except ControlError:
            return False
        return True

    # From an order to an operation

    def _begin(self, group: asyncio.TaskGroup, sight: GuardSight, outlook: tuple[GuardOutlook, ...]) -> None:
        """Have the plan of an order made ahead of time, and start it when it is due."""
        ready = [one for one in outlook if one.wait is not None and not one.held]
        first = ready[0] if ready else None
        self._forget_plan(None if first is None else (first.order, sight.ledger.epoch))
        if first is None or self._notes is None or (self._acting is not None and not self._acting.done()):
            return
        if self._prepared is None and first.wait is not None and first.wait <= _AHEAD:
            plan = asyncio.create_task(self._operator.plan(first.order, (first.partner,)))
            plan.add_done_callback(lambda task: task.cancelled() or task.exception())  # whoever needs it is told
            self._prepared = Prepared(first.order, sight.ledger.epoch, plan)
        if first.due and self._prepared is not None:
            prepared, self._prepared = self._prepared, None
            self._acting = group.create_task(self._act(first, prepared))

    def _forget_plan(self, wanted: tuple[GuardOrder, int] | None) -> None:
        """Drop a plan that was made for another order, or for another epoch."""
        made = self._prepared
        if made is not None and (made.order, made.epoch) != wanted:
            made.plan.cancel()
            self._prepared = None

    async def _act(self, outlook: GuardOutlook, prepared: Prepared) -> None:
        """Start the operation as an operator would: its checks judge facts that are read again."""
        order = outlook.order
        act = GuardAct(order, round(time.time(), 2), self._name, prepared.epoch)  # as the ledger keeps it
        self._starts = order
        try:
            plan = await prepared.plan
            self._refuse_unless_due(order)
            if held := await self._hold((outlook,)):
                raise OperationRefused(Refused.NOT_ACTIVE(guard=self._name, why=words.held_back(held[0])))
            await self._store.change(begun(act))
            operation = await self._operator.apply(plan, plan.confirm, words.reason(outlook))
        except Exception as error:  # noqa: BLE001 - whatever stops one order must not end the looking
            await self._not_begun(order, act, error)
        else:
            self._refusals.pop(order, None)
            self._memory = GuardMemory()  # the looks of before know nothing of the operation
            _log.info("the guard started %s", order, extra={"operation": operation, "reason": words.reason(outlook)})
        finally:
            self._starts = None

    def _refuse_unless_due(self, order: GuardOrder) -> None:
        """The pool went on while the plan was made. Raises OperationRefused when the newest look says otherwise."""
        if order not in {one.order for one in self._outlook if one.due}:
            raise OperationRefused(Refused.NOT_DUE(order=order))

    async def _not_begun(self, order: GuardOrder, act: GuardAct, error: Exception) -> None:
        before = self._refusals.get(order)
        pause = _RETRY if before is None else min(_LONGEST_RETRY, 2 * before.pause)
        checks = tuple(map(str, error.said.figures.get("names", ()))) if isinstance(error, OperationRefused) else ()
        self._refusals[order] = GuardRefusal(Held(GuardHold.REFUSED, checks, pause, str(error)), clock() + pause, pause)
        _log.warning("%s was not begun: %s", order, error or type(error).__name__, extra={"checks": list(checks)},
                     exc_info=None if isinstance(error, EXPECTED) else error)
        try:
            await self._store.change(never_began(act))
        except DriverError as lost:
            _log.warning("the guards' notes keep an act that never began: %s", lost)


async def _pause(ended: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await ended.wait()
    except TimeoutError:
        return
