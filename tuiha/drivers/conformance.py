"""Contracts: the rules that tuiha relies on in a driver of each kind, as checks that run against a driver.

They need no test framework. A broken contract raises `Broken`, an AssertionError that says which rule was broken.
docs/drivers.md, Try it, shows how a test of your own calls them.
"""

from __future__ import annotations

import asyncio
import math
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from types import UnionType
from typing import Any, Generic, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

from tuiha.drivers.protocols import Agent, AgentError, Conflict, DriverError, LedgerDriver, Stopped
from tuiha.model.reports import DatabaseReport, LedgerRecord, MailReport, ServerReport, SprayerReport, Standby

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

_DEADLINE = 0.1  # seconds: the caller's, for a peer that never answers
_PATIENCE = 5.0  # seconds until a peer hangs up on a driver that blocks the loop, and so ends its test
_TEXT = 400  # characters of an error
_AT_ONCE = 5  # drivers that change one ledger at the same time
_NONSENSE = (b"", b"\xff\x00\xff", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"a\": [[]",
             b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
             b"* BYE no\r\n", b"\n\n", b"x" * 100_000 + b"\r\n")


class Broken(AssertionError):
    """A driver breaks the contract of its kind."""


def _rule(holds: bool, rule: str) -> None:
    if not holds:
        raise Broken(rule)


class PolledContract(Protocol[R_co]):
    """A driver that is polled, of any kind."""

    capabilities: frozenset[str]

    async def poll(self) -> R_co:
        """Ask. Raises DriverError."""

    async def close(self) -> None:
        """Drop connections."""


@dataclass(frozen=True, slots=True)
class ContractOutcome(Generic[R]):
    """The answers of a driver while its contract was checked."""

    report: R  # of the target that is well
    refused: str  # its error at an address where nothing listens


@dataclass(frozen=True, slots=True)
class Contract(Generic[R]):
    """The contract of a kind of driver that is polled."""

    report: type[R]

    async def check(
        self, make: Callable[[str], PolledContract[R]], address: str,
        well: Callable[[R], bool] = lambda report: True, error: Callable[[R], str | None] = lambda report: None,
    ) -> ContractOutcome[R]:
        """Check a driver against a target that is well, and against peers that are not. Raises Broken.

        `make` gives a new driver for a HOST:PORT; `address` is the HOST:PORT of the target. `well` says whether a
        report is that of this target. `error`: what a report says went wrong, where a driver reports a half of its
        answers and does not raise.
        """
        driver = make(address)
        _rule(isinstance(driver.capabilities, frozenset) and "poll" in driver.capabilities,
              "capabilities is a frozenset with 'poll' in it")
        try:
            report = await driver.poll()
            self._is_whole(report)
            _rule(well(report) and error(report) is None, f"the report of a target that is well says so: {report}")
            for _ in range(3):
                _rule(well(await driver.poll()), "poll can be called again and again")
            await driver.close()
            _rule(well(await driver.poll()), "a poll after close connects again")
        finally:
            await driver.close()
            await driver.close()  # twice is no error
        refused = await self._nobody_there(make, error)
        await self._hangs(make)
        for said in _NONSENSE:
            await self._nonsense(make, said, well, error)
        return ContractOutcome(report, refused)

    def _is_whole(self, report: R) -> None:
        _rule(isinstance(report, self.report), f"poll answers a {self.report.__name__}, not {type(report).__name__}")
        for place in misfits(report, self.report):
            raise Broken(f"every value of a report is of its type: {place}")

    async def _nobody_there(self, make: Callable[[str], PolledContract[R]], error: Callable[[R], str | None]) -> str:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            driver = make(f"127.0.0.1:{free.getsockname()[1]}")
            try:
                _, said = await _said(driver, error)
            finally:
                await driver.close()
        if said is None:
            raise Broken("an address where nothing listens is a DriverError")
        return said

    async def _hangs(self, make: Callable[[str], PolledContract[R]]) -> None:
        with _Peer.running(None) as peer:
            driver = make(peer.address)
            try:
                for _ in range(2):
                    try:
                        async with asyncio.timeout(_DEADLINE):
                            await driver.poll()
                    except TimeoutError:
                        continue
                    except DriverError:
                        _rule(not peer.gave_up, "a poll never blocks the event loop")
                        raise Broken("a driver sets no deadline of its own that is shorter than its caller's") from None
                    raise Broken("a peer that never answers is not well")
                _rule(not peer.gave_up, "a poll never blocks the event loop")
            finally:
                await driver.close()

    async def _nonsense(
        self, make: Callable[[str], PolledContract[R]], said: bytes, well: Callable[[R], bool],
        error: Callable[[R], str | None],
    ) -> None:
        with _Peer.running(said) as peer:
            driver = make(peer.address)
            try:
                async with asyncio.timeout(2 * _PATIENCE):
                    answer = await _said(driver, error)
            except TimeoutError:
                raise Broken(f"a peer that says {said[:40]!r} and hangs up ends a poll") from None
            finally:
                await driver.close()
            report = answer[0]
            if report is not None:  # a driver that only asks for the health may be content with any body
                self._is_whole(report)
                _rule(well(report), f"nothing is invented from {said[:40]!r}: {report}")


SERVER = Contract(ServerReport)
DATABASE = Contract(DatabaseReport)
SPRAYER = Contract(SprayerReport)
MAIL = Contract(MailReport)


async def _said(driver: PolledContract[R], error: Callable[[R], str | None]) -> tuple[R | None, str | None]:
    """A report, and the error in words."""
    found: list[R] = []
    try:
        found.append(await driver.poll())
        wrong = error(found[0])
    except DriverError as raised:
        wrong = str(raised)
    except Exception as raised:
        raise Broken(f"poll raises DriverError alone, not {type(raised).__name__}: {raised}") from raised
    if wrong is not None:
        _rule(wrong.isprintable() and 0 < len(wrong) < _TEXT, f"an error is one short line for people: {wrong!r}")
    return (found[0] if found else None), wrong


def misfits(value: object, hint: Any, place: str = "") -> Iterator[str]:
    """The places in a report whose values are not of the types that the report declares."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        if all(any(True for _ in misfits(value, one, place)) for one in inner):
            yield f"{place or 'it'} is {value!r}"
    elif origin is tuple:
        if not isinstance(value, tuple):
            yield f"{place} is {value!r}, not a tuple"
        else:
            hints = [inner[0]] * len(value) if inner[1:] == (...,) else inner
            for index, (item, one) in enumerate(zip(value, hints, strict=False)):
                yield from misfits(item, one, f"{place}[{index}]")
    elif isinstance(hint, type) and is_dataclass(hint):
        if not isinstance(value, hint):
            yield f"{place or 'it'} is {value!r}"
        else:
            hints_of = get_type_hints(hint)
            for field in fields(hint):
                yield from misfits(getattr(value, field.name), hints_of[field.name],
                                   f"{place}.{field.name}" if place else field.name)
    elif isinstance(hint, type) and not _fits(value, hint):
        yield f"{place} is {value!r}, not {hint.__name__}"


def _fits(value: object, hint: type) -> bool:
    if issubclass(hint, Enum):
        return isinstance(value, hint)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool))


class _Peer:
    """Something that listens, in a thread of its own: it lives on while a driver blocks the loop."""

    def __init__(self, said: bytes | None) -> None:
        """`said`: the bytes that it sends on each connection before it hangs up; None: it stays, and sends nothing."""
        self._said = said
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_PATIENCE * 10)
        self._released = threading.Event()
        self._connections: list[socket.socket] = []
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.gave_up = False  # nobody released it: the loop was blocked

    @classmethod
    @contextmanager
    def running(cls, said: bytes | None) -> Iterator[_Peer]:
        """A peer for as long as the block lasts."""
        peer = cls(said)
        thread = threading.Thread(target=peer._listen, daemon=True)
        thread.start()
        try:
            yield peer
        finally:
            peer._released.set()
            for connection in peer._connections:
                with suppress(OSError):  # it has ended already
                    connection.shutdown(socket.SHUT_RDWR)
            with socket.socket() as last:  # wakes it up
                last.connect_ex(("127.0.0.1", int(peer.address.rpartition(":")[2])))
            thread.join()

    def _listen(self) -> None:
        talks: list[threading.Thread] = []
        with self._listener:
            while not self._released.is_set():
                try:
                    connection, _ = self._listener.accept()
                except OSError:
                    break
                self._connections.append(connection)
                talks.append(threading.Thread(target=self._talk, args=(connection,), daemon=True))
                talks[-1].start()
        for talk in talks:
            talk.join()

    def _talk(self, connection: socket.socket) -> None:
        with connection:
            if self._said is None:
                self.gave_up = not self._released.wait(_PATIENCE) or self.gave_up
                return
            connection.settimeout(_PATIENCE)
            try:
                connection.sendall(self._said)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    continue
            except OSError:
                return  # the driver has hung up


# ---------------------------------------------------------------------------- ledgers


async def check_ledger(make: Callable[[], LedgerDriver], pool: str) -> LedgerRecord:
    """Check a ledger in which nothing is written yet; answers its last record. Raises Broken.

    `make` gives any number of drivers for the same record.
    """
    drivers = [make() for _ in range(_AT_ONCE)]
    try:
        one, other = drivers[:2]
        record = LedgerRecord(pool, 1, "db1", Standby.SYNC, "7312345678901234567", 1)
        _rule({"poll", "create", "replace"} <= one.capabilities, "capabilities has poll, create and replace")
        await _raises(DriverError, one.poll(), "a record that is not there is a DriverError")
        first = await one.create(record)
        _rule(replace(first, revision=record.revision) == record, "create returns the record with its revision")
        await _raises(Conflict, other.create(record), "a second create is a Conflict")
        return await check_replacing(drivers, first)
    finally:
        for driver in drivers:
            await driver.close()
            await driver.close()  # twice is no error


async def check_replacing(drivers: Sequence[LedgerDriver], first: LedgerRecord) -> LedgerRecord:
    """Check the compare-and-set of a ledger with a record; answers its last one. Raises Broken.

    `drivers`: several for the same record; `first`: the record that is in it.
    """
    one, other = drivers[0], drivers[1]
    _rule(await other.poll() == first, "every driver reads what one of them wrote")
    second = await one.replace(first, replace(first, epoch=2, standby=Standby.STALE, intent='{"id": "x"}'))
    _rule(second.revision != first.revision and await one.poll() == second, "replace gives the record a new revision")
    await _raises(Conflict, one.replace(first, replace(first, epoch=9)), "an old revision is a Conflict")
    _rule(await other.poll() == second, "a Conflict changes nothing")
    back = await one.replace(second, replace(second, intent=None))
    done = await asyncio.gather(*(driver.replace(back, replace(back, epoch=3, active=f"db{number}"))
                                  for number, driver in enumerate(drivers)), return_exceptions=True)
    won = [found for found in done if isinstance(found, LedgerRecord)]
    _rule(len(won) == 1, f"of several that change one revision exactly one wins, not {len(won)}")
    _rule(all(isinstance(found, LedgerRecord | Conflict) for found in done), "the others get a Conflict")
    _rule(await one.poll() == won[0], "the winner's record is the one that is kept")
    return won[0]


# ---------------------------------------------------------------------------- agents


async def check_agent(agent: Agent, unreachable: Agent) -> Stopped:
    """Check that an agent stops, starts and fences its database; answers where the database ended. Raises Broken.

    The database must be running. Rewinds and copies are not tried. `unreachable`: an agent that cannot be asked.
    """
    stopped = await agent.stop()
    _rule(isinstance(stopped, Stopped) and not [*misfits(stopped, Stopped)], "stop answers where the database ended")
    again = await agent.stop("immediate")
    _rule(again.position >= stopped.position, "a database that is stopped can be stopped again")
    _rule(await agent.position() == again, "position is where the stopped database ended")
    _rule(await agent.fence() is False, "fence says that a stopped database did not run")
    await agent.start()
    await agent.start()  # done already is done
    _rule(await agent.fence() is True, "fence says that a running database ran")
    _rule(await agent.fence() is False, "a fenced database does not run")
    await agent.start()
    actions: Mapping[str, Callable[[], Awaitable[object]]] = {
        "stop": unreachable.stop, "start": unreachable.start, "position": unreachable.position,
        "fence": unreachable.fence, "rewind": lambda: unreachable.rewind("db2"),
        "base_backup": lambda: unreachable.base_backup("db2"), "follow": lambda: unreachable.follow("db2")}
    for name, action in actions.items():
        await _raises(AgentError, action(), f"{name} of an agent that cannot be asked is an AgentError")
    return again


async def _raises(kind: type[Exception], action: Awaitable[object], rule: str) -> None:
    try:
        await action
    except kind as error:
        _rule(str(error).isprintable() and bool(str(error)), f"an error is one line for people: {str(error)!r}")
        return
    except Exception as error:
        raise Broken(f"{rule}, not {type(error).__name__}: {error}") from error
    raise Broken(rule)
