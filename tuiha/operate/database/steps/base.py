"""What the steps of all changes of the pair's roles are made of."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar

from tuiha.drivers.agents.actions import Identifying
from tuiha.drivers.databases import commands, durability
from tuiha.drivers.databases.commands import RELOAD, SETTING
from tuiha.drivers.databases.positions import IN_RECOVERY, SYSTEM_IDENTIFIER
from tuiha.drivers.protocols import Agent, AgentError, Conflict, DriverError
from tuiha.model.databases.durability import Durability
from tuiha.model.operations.evidence import Back, Fault, StepId
from tuiha.model.operations.statements import Statement
from tuiha.model.quotes import wait_for
from tuiha.model.reports import LedgerRecord, Standby
from tuiha.operate.plans.kinds import Progress, StepFailed, StepUnknown
from tuiha.operate.plans.plan import PlannedStep
from tuiha.operate.reach.control import ControlError
from tuiha.operate.reach.sql import Coordinator, DatabaseGone
from tuiha.operate.reach.world import World
from tuiha.operate.run import intent as intents
from tuiha.pooldb.errors import DatabaseError
from tuiha.pooldb.statements.epochs import HAS_STANDBY, NOTE_STANDBY

STEP = 0.005  # seconds between two looks at what takes milliseconds
_CONFLICTS = 5


@dataclass(slots=True)
class Memory:
    """What one step leaves for the next in the same process; a resumed one finds it out again, or does without."""

    position: int | None = None  # where the old primary ended
    cut_at: float | None = None  # boottime at which the new primary was seen cut off from the old one
    ran: bool | None = None  # whether the old primary ran before it was fenced


@dataclass(frozen=True, slots=True)
class Job:
    """One change of roles: from `old` to `new`, or on the pair as it is."""

    old: str  # the active database of the plan
    new: str  # its partner
    epoch: int  # of the plan
    timeline: int
    identifier: str
    standby: str  # SYNC or STALE, as planned
    phase: str  # of the ledger meanwhile
    servers: Mapping[str, str]  # name -> address
    memory: Memory = field(default_factory=Memory)

    def details(self) -> dict[str, Any]:
        """As plain values for a plan."""
        return {key: value for key, value in asdict(self).items() if key != "memory"}

    @classmethod
    def of(cls, details: Mapping[str, Any]) -> Job:
        """From a plan's details."""
        return cls(**{key: details[key] for key in cls.__dataclass_fields__ if key != "memory"})


class PairStep:
    """A step of a change of roles. Subclasses say what they are in class variables."""

    id: ClassVar[StepId]
    place: ClassVar[str] = "pool"
    limit: ClassVar[float] = 10.0
    undoable: ClassVar[bool] = True
    no_return: ClassVar[bool] = False

    def __init__(self, job: Job, number: int) -> None:
        self.job = job
        self.number = number

    @property
    def where(self) -> str:
        """The node or nodes, for people."""
        return self.place.format(old=self.job.old, new=self.job.new)

    @property
    def says(self) -> Statement:
        """What it does."""
        return self.id(old=self.job.old, new=self.job.new)

    @property
    def planned(self) -> PlannedStep:
        """What the plan says of it."""
        return PlannedStep(self.number, self.where, self.says, self.limit, self.undoable, self.no_return)

    async def run(self, world: World, progress: Progress) -> Statement:
        """Do it and return the evidence. Raises StepFailed or StepUnknown."""
        raise NotImplementedError

    async def undo(self, world: World, progress: Progress) -> Statement:
        """Take it back; most of them leave nothing to take back."""
        return Back.NOTHING()


async def sql(database: Coordinator, statement: str, *arguments: Any, seconds: float = 3.0) -> list[Any]:
    """Rows of a statement. Raises StepFailed when it is refused, StepUnknown when the database does not answer."""
    try:
        return await database.fetch(statement, *arguments, seconds=seconds)
    except DatabaseGone as error:
        raise StepUnknown(str(error)) from None
    except DatabaseError as error:
        raise StepFailed(Fault.REFUSES(database=database.name, why=error)) from None


async def value(database: Coordinator, statement: str, *arguments: Any, seconds: float = 3.0) -> Any:
    """The first value. Raises what `sql` raises."""
    rows = await sql(database, statement, *arguments, seconds=seconds)
    return rows[0][0] if rows else None


async def until(look: Callable[[], Coroutine[Any, Any, bool]], seconds: float, step: float = STEP) -> bool:
    """Look again and again until it is so; False when it is not within that time."""
    give_up = time.monotonic() + seconds
    while not await look():
        if time.monotonic() > give_up:
            return False
        await asyncio.sleep(step)
    return True


async def answering(database: Coordinator, seconds: float, secondary: bool) -> bool:
    """Wait until a database answers in a role."""

    async def look() -> bool:
        try:
            return bool(await database.value(IN_RECOVERY, seconds=2.0)) == secondary
        except (DatabaseGone, DatabaseError):
            return False

    return await until(look, seconds, 0.02)


async def set_parameter(database: Coordinator, name: str, text: str | None) -> None:
    """Write a setting, reload, and read it back. None takes it out of postgresql.auto.conf."""
    await sql(database, commands.set_parameter(name, text))
    await sql(database, RELOAD)
    if text is None:
        return

    async def look() -> bool:
        return bool(await value(database, SETTING, name) == text)

    if not await until(look, 3.0):
        raise StepUnknown(Fault.NOT_TAKEN_OVER(database=database.name, parameter=name, value=text))


async def note_standby(database: Coordinator, word: Standby) -> None:
    """Write the ledger's word into the active database, for servers that cannot read the ledger.

    STALE only after the ledger says so, SYNC before: a server that believes it never counts on less than the ledger.
    A schema of an earlier version has no such column.
    """
    if await value(database, HAS_STANDBY):
        await sql(database, NOTE_STANDBY, str(word))


async def waited_for(database: Coordinator) -> Durability:
    """What a database's commits wait for, by its own word. Raises what `sql` raises."""
    return durability.read((await sql(database, durability.QUESTION))[0])


async def lacks(active: Coordinator, partner: Coordinator, seconds: float) -> bool:
    """Whether the partner lacks what was confirmed in its name. False also where one of the two does not say."""
    try:
        first = await active.fetch(durability.CONFIRMED, partner.name, seconds=seconds)
        if first[0]["confirmed"] is None:
            return False
        then = await partner.fetch(durability.HAS, first[0]["confirmed"], seconds=seconds)
    except (DatabaseGone, DatabaseError):
        return False
    return then[0]["has"] is False


def followers(name: str) -> str:
    """synchronous_standby_names for one secondary."""
    return wait_for(name)


async def read_ledger(world: World) -> LedgerRecord:
    """The ledger. Raises StepUnknown."""
    assert world.drivers.ledger is not None
    try:
        return await world.drivers.ledger.poll()
    except DriverError as error:
        raise StepUnknown(str(error)) from None


async def change_ledger(
    world: World, allowed: Callable[[LedgerRecord], Statement | None], **changes: Any
) -> LedgerRecord:
    """Change the ledger by compare-and-set; done already when it is so.

    Raises StepFailed when `allowed` says why not, StepUnknown when the ledger does not answer.
    """
    assert world.drivers.ledger is not None
    for _ in range(_CONFLICTS):
        old = await read_ledger(world)
        new = replace(old, **changes)
        if new == old:
            return old
        reason = not_ours(world, old) or allowed(old)
        if reason is not None:
            raise StepFailed(Fault.LEDGER_UNCHANGED(why=reason))
        try:
            return await world.drivers.ledger.replace(old, new)
        except Conflict:
            continue  # whether it is still allowed is decided on what is there now
        except DriverError as error:
            raise StepUnknown(str(error)) from None
    raise StepFailed(Fault.LEDGER_BUSY())


def not_ours(world: World, record: LedgerRecord) -> Statement | None:
    """Why the step's operation may not go on: the ledger names another one. None when it may."""
    if not world.operation:
        return None  # no runner runs this step
    other = intents.parse(record.intent)
    if other is not None and other.id == world.operation:
        return None
    return Fault.POOL_TAKEN(by=intents.words(other)) if other else Fault.POOL_GIVEN_BACK()


async def still_ours(world: World) -> None:
    """Raises StepFailed when another operation has taken the pool, StepUnknown when the ledger does not answer."""
    if world.operation and (why := not_ours(world, await read_ledger(world))) is not None:
        raise StepFailed(why)


def agent_of(world: World, name: str) -> Agent:
    """The agent of a database. Raises StepFailed without one."""
    agent = world.agents.get(name)
    if agent is None:
        raise StepFailed(Fault.NO_AGENT(database=name))
    return agent


class ForeignDatabase(StepFailed):
    """A database is another database system than the pool's. Nothing touches it."""


async def own_database(world: World, job: Job, name: str) -> Coordinator:
    """A database that is about to be changed, unless it is another system. Raises Foreign.

    One that does not answer is returned as well: what is done next tells.
    """
    database = world.databases[name]
    try:
        found = await database.value(SYSTEM_IDENTIFIER, seconds=2.0)
    except (DatabaseGone, DatabaseError):
        found = None
    if found is not None and str(found) != job.identifier:
        raise ForeignDatabase(Fault.FOREIGN(database=name, found=found, wanted=job.identifier))
    return database


async def own_agent(world: World, job: Job, name: str) -> Agent:
    """The agent of a database that is about to be stopped or replaced, unless its data is another system's.

    Raises StepFailed without one, Foreign.
    """
    agent = agent_of(world, name)
    found = None
    if isinstance(agent, Identifying):
        with contextlib.suppress(AgentError):
            found = await agent.identity()
    if found is not None and found != job.identifier:
        raise ForeignDatabase(Fault.FOREIGN_BY_AGENT(database=name, found=found, wanted=job.identifier))
    return agent


async def by_agent(work: Coroutine[Any, Any, Any]) -> Any:
    """What an agent's action returns. Raises StepFailed."""
    try:
        return await work
    except AgentError as error:
        raise StepFailed(str(error)) from None


async def tell_all(
    world: World, servers: Mapping[str, str], path: str, body: Mapping[str, Any], seconds: float
) -> tuple[dict[str, Any], dict[str, str]]:
    """POST to every server at once: name -> answer, and name -> why not."""

    async def tell(name: str, address: str) -> tuple[str, Any]:
        try:
            return name, await world.control.post(address, path, body, seconds=seconds)
        except ControlError as error:
            return name, error

    told = dict(await asyncio.gather(*(tell(name, address) for name, address in servers.items())))
    failed = {name: str(answer) for name, answer in told.items() if isinstance(answer, ControlError)}
    return {name: answer for name, answer in told.items() if name not in failed}, failed
