"""What operations on the pair know before they plan: everything asked at once, nothing concluded."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from tuiha.drivers.agents.actions import Identifying, Measuring, Rehearsing
from tuiha.drivers.databases.commands import UNLOGGED_AND_CHECKPOINT
from tuiha.drivers.protocols import AgentError, DriverError
from tuiha.model.databases.obstacles import LONG
from tuiha.model.databases.way_back import Rehearsal
from tuiha.model.operations.refusals import Refused
from tuiha.model.reports import DatabaseReport, DatabaseRole, LedgerRecord, ServerReport, ServerState, Standby
from tuiha.operate.database.steps.base import lacks
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.plans.look import safe
from tuiha.operate.reach.control import ControlError
from tuiha.operate.reach.sql import DatabaseGone
from tuiha.operate.reach.world import World
from tuiha.pooldb.errors import DatabaseError
from tuiha.watch.factory import guarded

T = TypeVar("T")

_PROBE = 3.0  # seconds for a server's connection to a database that should be there
_PROBE_GONE = 1.0  # and to one that should not
_PAUSE = 0.05  # seconds between a probe that failed and the next one
_STAGGER = 0.25  # and between one that has no answer yet and the next one
_GONE = 1.5  # seconds for an answer of a database that may be gone
_GRACE = 0.3  # seconds for the active database to name the servers, before those that others name are asked


@dataclass(frozen=True, slots=True)
class NodeSight:
    """One database of the pair."""

    name: str
    agent: bool  # there is something to stop and start it with
    report: DatabaseReport | None = None
    error: str | None = None
    obstacles: Mapping[str, Any] = field(default_factory=dict)  # empty: the coordinator's role cannot ask
    refusal: str | None = None  # why it cannot
    free: int | None = None  # bytes on its disk, as its agent says; None: nobody can tell
    disk: str | None = None  # system identifier of what is in its data folder, as its agent says; None: no database
    untold: str | None = "it has no agent that tells"  # why its agent does not say so; None: it does
    rehearsal: Rehearsal | None = None  # its agent's, of the way to the partner; None: not asked for

    @property
    def writable(self) -> bool:
        """Whether it answers, and takes writes."""
        return self.report is not None and self.report.writable

    @property
    def in_step(self) -> bool:
        """Whether the manager of the pair would promote it without losing a write."""
        managed = self.report.managed if self.report is not None else None
        return managed is not None and managed.in_step

    @property
    def secondary(self) -> bool:
        """Whether it answers, and is in recovery."""
        return self.report is not None and self.report.role is DatabaseRole.SECONDARY


@dataclass(frozen=True, slots=True)
class ServerSight:
    """One pool server, and what it finds when it opens a connection to a database."""

    name: str
    address: str
    alive: bool  # its heartbeat is inside the window, as far as a database tells
    report: ServerReport | None = None
    error: str | None = None
    probes: Mapping[str, str] = field(default_factory=dict)  # database -> system identifier found
    failures: Mapping[str, str] = field(default_factory=dict)  # database -> why not


@dataclass(frozen=True, slots=True)
class Sight:
    """The pool as a change of the pair's roles sees it."""

    pool: str
    ledger: LedgerRecord
    nodes: Mapping[str, NodeSight]
    servers: tuple[ServerSight, ...]
    sprayers: Mapping[str, str | None]  # name -> error
    chosen: str | None = None  # the partner, of several; None: the one that is in step
    lease: float = math.inf  # seconds: how long a lease lasts by this host's configuration
    hold: float = LONG  # seconds that requests may be held: no transaction may be open for longer
    lacking: bool = False  # the partner lacks what the connection with its name had confirmed

    @property
    def active(self) -> NodeSight:
        """The database that the ledger names."""
        return self.nodes[self.ledger.active]

    @property
    def partner(self) -> NodeSight:
        """The other one; of several the one that was chosen, else the one that is in step."""
        if self.chosen is not None:
            return self.nodes[self.chosen]
        return min(self.others, key=lambda node: (not node.in_step, node.report is None))

    @property
    def others(self) -> tuple[NodeSight, ...]:
        """All but the active one."""
        return tuple(node for name, node in self.nodes.items() if name != self.ledger.active)

    @property
    def told(self) -> dict[str, str]:
        """Name and address of the members that may be told something: the token travels encrypted, or stays here."""
        return {one.name: one.address for one in self.members if safe(one.address)}

    @property
    def members(self) -> tuple[ServerSight, ...]:
        """Servers that take part: all that answer, or should."""
        return tuple(server for server in self.servers if server.report is not None or server.alive)


async def look(world: World, *, partner: bool = False, active: int = 0, rehearse: float = 0.0) -> Sight:
    """Ask everything once. Servers probe the partner if wanted, and the active database up to `active` times.

    Agents rehearse the way to the partner within `rehearse` seconds; with 0 they are not asked for it.
    Raises Refused when the ledger or the pair is not there.
    """
    if world.drivers.ledger is None or len(world.databases) < 2:
        raise OperationRefused(Refused.NO_ROLES())
    try:
        ledger = await world.drivers.ledger.poll()
    except DriverError as error:
        raise OperationRefused(Refused.NO_LEDGER_READ(why=str(error))) from None
    if ledger.active not in world.databases:
        raise OperationRefused(Refused.NOT_OF_THE_PAIR(active=ledger.active))
    probes = {name: (active, _PROBE_GONE) if name == ledger.active else (int(partner), _PROBE)
              for name in world.databases}
    async with asyncio.TaskGroup() as group:
        sprayers = [group.create_task(_sprayer(world, name)) for name in world.drivers.sprayers]
        nodes = {name: group.create_task(_node(world, name, _gone_after(world, name == ledger.active and active > 0)))
                 for name in world.databases}
        # One that hangs is waited for beside the servers, and not before them.
        await asyncio.wait([nodes[name] for name in nodes if name != ledger.active])
        await asyncio.wait([nodes[ledger.active]], timeout=_GRACE)
        known = {name: task.result() for name, task in nodes.items() if task.done()}
        asked = {member[0]: group.create_task(_server(world, *member, probes))
                 for member in _addresses(world, known, ledger.active)}
        agents = {name: group.create_task(_by_agent(world, name, _other(world, name, ledger.active), rehearse))
                  for name in world.databases}
    found = {name: replace(task.result(), **agents[name].result()) for name, task in nodes.items()}
    ledger = _doubted(ledger, found)
    seen = Sight(world.pool.pool, ledger, found, await _completed(world, found, ledger.active, asked, probes),
                 dict(task.result() for task in sprayers), lease=world.pool.lease.seconds, hold=world.pool.hold.seconds)
    return replace(seen, lacking=await _lacking(world, seen))


async def _lacking(world: World, seen: Sight) -> bool:
    active, partner = seen.active, seen.partner
    return active.report is not None and partner.secondary \
        and await lacks(world.databases[active.name], world.databases[partner.name], _GONE)


def _doubted(ledger: LedgerRecord, nodes: Mapping[str, NodeSight]) -> LedgerRecord:
    """The ledger's record, STALE when a server saw commits acknowledged without the secondary: a database says so."""
    rows = [node.report.epoch for node in nodes.values() if node.report is not None]
    if any(row is not None and row.epoch == ledger.epoch and row.doubted for row in rows):
        return replace(ledger, standby=Standby.STALE)
    return ledger


def _gone_after(world: World, perhaps_gone: bool) -> float:
    """Seconds that a database has for its answer."""
    return min(_GONE, world.pool.watch.timeout) if perhaps_gone else world.pool.watch.timeout


def _other(world: World, name: str, active: str) -> str:
    """Whom a database would follow: the active one; and that one its partner."""
    return active if name != active else next(other for other in world.databases if other != active)


async def _by_agent(world: World, name: str, partner: str, rehearse: float) -> dict[str, Any]:
    """What an agent tells of its host, each within its time. The host may be gone: then nothing else waits for it."""
    agent = world.agents.get(name)
    free, told, tried = await asyncio.gather(
        _within(_GONE, agent.space() if isinstance(agent, Measuring) else None),
        _within(_GONE, agent.identity() if isinstance(agent, Identifying) else None),
        _within(rehearse, agent.rehearse(partner) if rehearse and isinstance(agent, Rehearsing) else None))
    found: dict[str, Any] = {"free": None if isinstance(free, Untold) else free}
    if agent is None:
        return found
    unknown = isinstance(told, Untold)
    found |= {"disk": None if unknown else told, "untold": str(told) if unknown else None}
    if rehearse:
        found["rehearsal"] = tried if not isinstance(tried, Untold) else Rehearsal(
            name, partner, error=str(tried), tried=isinstance(agent, Rehearsing))
    return found


class Untold(str):
    """Why an agent did not tell."""


async def _within(seconds: float, work: Coroutine[Any, Any, T] | None) -> T | Untold:
    if work is None:
        return Untold("it has no agent that tells")
    try:
        async with asyncio.timeout(seconds):
            return await work
    except AgentError as error:
        return Untold(error)
    except TimeoutError:
        return Untold(f"its agent gave no answer in {seconds:g} s")


async def _completed(
    world: World, nodes: Mapping[str, NodeSight], active: str, asked: Mapping[str, asyncio.Task[ServerSight]],
    probes: Mapping[str, tuple[int, float]],
) -> tuple[ServerSight, ...]:
    """The servers, with what a database that answered late says of them; those that only it knows are asked now."""
    members = _addresses(world, nodes, active)
    late = [member for member in members if member[0] not in asked]
    seen = {name: task.result() for name, task in asked.items()}
    seen |= {one.name: one for one in await asyncio.gather(*(_server(world, *member, probes) for member in late))}
    return tuple(replace(seen[name], alive=alive) for name, _, alive in members)


async def _node(world: World, name: str, seconds: float) -> NodeSight:
    agent = name in world.agents
    try:
        async with asyncio.timeout(seconds):
            report = await world.drivers.databases[name].poll()
    except DriverError as error:
        return NodeSight(name, agent, error=str(error), refusal="it does not answer")
    except TimeoutError:
        return NodeSight(name, agent, error="no answer", refusal="it does not answer")
    try:
        rows = await world.databases[name].fetch(UNLOGGED_AND_CHECKPOINT, seconds=seconds)
    except (DatabaseGone, DatabaseError) as error:
        return NodeSight(name, agent, report, refusal=str(error))
    return NodeSight(name, agent, report, obstacles=dict(rows[0]))


def _addresses(world: World, nodes: Mapping[str, NodeSight], active: str) -> list[tuple[str, str, bool]]:
    """Name, address and liveness of every server, of the configuration and of the database that knows most."""
    found = {server.name: (server.name, server.address, False) for server in world.pool.own_servers}
    for node in sorted(nodes.values(), key=lambda n: n.name == active):
        for row in node.report.members if node.report else ():
            if row.state is ServerState.LEFT:
                found.pop(row.name, None)
            else:
                found[row.name] = (row.name, row.address, row.alive)
    return sorted(found.values())


async def _server(
    world: World, name: str, address: str, alive: bool, probes: Mapping[str, tuple[int, float]]
) -> ServerSight:
    driver = guarded(world.drivers.open_server)(name, address)
    try:
        async with asyncio.timeout(world.pool.watch.timeout):
            report = await driver.poll()
    except (DriverError, TimeoutError) as error:
        return ServerSight(name, address, alive, error=str(error) or "no answer")
    finally:
        await driver.close()
    found: dict[str, str] = {}
    failures: dict[str, str] = {}
    answers = await asyncio.gather(*(_probe(world, address, database, *how) for database, how in probes.items()))
    for database, (identifier, failure) in zip(probes, answers, strict=True):
        if identifier is not None:
            found[database] = identifier
        elif failure:
            failures[database] = failure
    return ServerSight(name, address, alive, report, None, found, failures)


async def _probe(world: World, address: str, database: str, times: int, seconds: float) -> tuple[str | None, str]:
    """The identifier that a server finds at a database, or why none, after so many tries.

    The next try does not wait for one that hangs: a host that is silent is silent to all of them.
    """
    async def attempt() -> str:
        answer = await world.control.post(address, "probe", {"database": database}, seconds=seconds)
        return str(answer["system_identifier"])

    tries: list[asyncio.Task[str]] = []
    try:
        for _ in range(times):
            tries.append(asyncio.create_task(attempt()))
            await asyncio.wait(tries[-1:], timeout=_STAGGER)
            if _answered(tries) is not None:
                break
            if tries[-1].done():
                await asyncio.sleep(_PAUSE)
        while _answered(tries) is None and (left := [task for task in tries if not task.done()]):
            await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
        failures = [str(task.exception()) for task in tries if task.done() and task.exception() is not None]
        return _answered(tries), failures[-1] if failures else ""
    finally:
        for task in tries:
            task.cancel()
        await asyncio.gather(*tries, return_exceptions=True)


def _answered(tries: Iterable[asyncio.Task[str]]) -> str | None:
    """The first identifier that was found. Raises what no server's answer explains."""
    for task in tries:
        error = task.exception() if task.done() else None
        if error is not None and not isinstance(error, ControlError):
            raise error
        if task.done() and error is None:
            return task.result()
    return None


async def _sprayer(world: World, name: str) -> tuple[str, str | None]:
    try:
        async with asyncio.timeout(world.pool.watch.timeout):
            await world.drivers.sprayers[name].poll()
    except (DriverError, TimeoutError) as error:
        return name, str(error) or "no answer"
    return name, None
