"""Records a run of the simulation as events of the specification: what the pool server's own code did, and when.

Methods of the simulation and of the pool server are wrapped for the time of a run; none does anything else than before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from tests.proof import parties
from tests.proof.parties import Coordinator, Witness
from tests.proof.virtual import PROCESS
from tests.proof.world import Connection, PretendedLedger, World
from tuiha.model.reports import LedgerRecord
from tuiha.pooldb.leases import RENEW
from tuiha.server.database.attacher import Attacher
from tuiha.server.database.gate import Gate
from tuiha.server.database.lease import LeaseKeeper

TICK = 0.02  # seconds
PLACES = 8  # requests of one kind under way at a time, at most


@dataclass(frozen=True, slots=True)
class Event:
    """One action of the specification. Where it has no server or request, the specification looks at none."""

    at: int  # ticks
    what: str
    server: str = ""
    request: int = 0

    @property
    def text(self) -> str:
        """As a record of TLA+."""
        return f'[at |-> {self.at}, what |-> "{self.what}", s |-> {self.server or "s1"}, q |-> {self.request}]'


@dataclass(eq=False)
class Request:
    """A request of a device, from the gate to its end."""

    place: int
    server: str
    orphaned: bool = False  # its server has moved to db2 meanwhile
    over: bool = False


_request: ContextVar[Request | None] = ContextVar("request", default=None)


@dataclass
class Recorder:
    """The events of one run, and what has to be remembered to name them."""

    events: list[Event] = field(default_factory=list)
    pending: dict[str, int] = field(default_factory=dict)  # server -> number of its renewal on the way
    moved: set[str] = field(default_factory=set)
    gave: set[str] = field(default_factory=set)
    requests: dict[int, Request] = field(default_factory=dict)  # place -> the request there
    cut: bool = False
    promoted: bool = False
    recorded: bool = False
    renewals: int = 0

    def note(self, what: str, server: str = "", request: int = 0) -> None:
        at = int(asyncio.get_running_loop().time() / TICK)
        self.events.append(Event(at, what, server, request))

    # Renewals

    def sent(self, server: str, node: str) -> int:
        if node == "db2" and server not in self.moved:
            self.moved.add(server)
            self.pending.pop(server, None)
            for request in self.requests.values():
                request.orphaned = request.orphaned or request.server == server
            self.note("moves", server)
        if self.pending.pop(server, None) is not None:
            self.note("lost", server)
        self.renewals += 1
        self.pending[server] = self.renewals
        self.note("sent", server)
        return self.renewals

    def confirmed(self, server: str, number: int) -> None:
        if self.pending.get(server) == number:
            self.note("confirmed", server)

    def answered(self, server: str) -> None:
        if self.pending.pop(server, None) is not None:
            self.note("answered", server)

    def given_up(self, server: str) -> None:
        if self.cut and not self.promoted and server not in self.gave:
            self.gave.add(server)
            self.pending.pop(server, None)
            self.note("gave", server)

    # Requests

    def begins(self, server: str, writes: bool) -> None:
        self.over()
        first = 1 + PLACES * writes
        place = next(one for one in range(first, first + PLACES) if one not in self.requests)
        self.requests[place] = request = Request(place, server)
        _request.set(request)
        self.note("begins", server, place)

    def of_request(self, what: str) -> None:
        request = _request.get()
        if request is not None and not request.over and not request.orphaned:
            self.note(what, request=request.place)

    def over(self, what: str = "gone") -> None:
        request = _request.get()
        if request is not None and not request.over:
            request.over = True
            del self.requests[request.place]
            self.note(what, request=request.place)
        _request.set(None)


_writing: ContextVar[bool] = ContextVar("writing", default=False)
_renewal: ContextVar[int] = ContextVar("renewal", default=0)


@contextmanager
def recorded() -> Iterator[Recorder]:
    """While it lasts, what the simulation does is recorded."""
    recorder = Recorder()
    with ExitStack() as stack:
        for owner, name, wrap in _WRAPPED:
            original = getattr(owner, name)
            stack.enter_context(mock.patch.object(owner, name, wrap(recorder, original)))
        stack.enter_context(mock.patch.object(PretendedLedger, "record", _record(recorder), create=True))
        for name, value, what in (("link", False, "breaks"), ("receiving", False, "cut"), ("alone", True, "alone")):
            stack.enter_context(mock.patch.object(World, name, _noticed(recorder, name, value, what), create=True))
        yield recorder


def _noticed(recorder: Recorder, name: str, value: bool, what: str) -> Any:
    """An attribute of the world: an event when it first gets the value."""
    hidden = f"_{name}_"

    def put(world: World, new: bool) -> None:
        if new is value and getattr(world, hidden, not value) is not value:
            recorder.cut = recorder.cut or what == "cut"
            recorder.note(what)
        setattr(world, hidden, new)

    return property(lambda world: getattr(world, hidden), put)


Wrap = Callable[[Recorder, Any], Any]


def _fetchval(recorder: Recorder, original: Any) -> Any:
    async def fetchval(self: Connection, statement: str, server: str, *arguments: Any) -> Any:
        if statement == RENEW:
            _renewal.set(recorder.sent(server, self._node.name))
        return await original(self, statement, server, *arguments)

    return fetchval


def _renew(recorder: Recorder, original: Any) -> Any:
    async def renew(self: Connection, server: str, epoch: int) -> bool:
        done: bool = await original(self, server, epoch)
        if done:
            recorder.confirmed(server, _renewal.get())
        return done

    return renew


def _take(recorder: Recorder, original: Any) -> Any:
    async def take(self: LeaseKeeper, attachment: Any, session: Any) -> None:
        await original(self, attachment, session)
        recorder.answered(self._server)

    return take


def _attach(recorder: Recorder, original: Any) -> Any:
    def attach(self: Attacher, epoch: int, active: str) -> None:
        original(self, epoch, active)
        recorder.given_up(PROCESS.get().name)

    return attach


def _enter(recorder: Recorder, original: Any) -> Any:
    async def enter(self: Gate, wait: float | None = None) -> Any:
        attachment = await original(self, wait)
        recorder.begins(PROCESS.get().name, _writing.get())
        return attachment

    return enter


def _asked(writes: bool) -> Wrap:
    def wrap(recorder: Recorder, original: Any) -> Any:
        async def asked(self: parties.Server) -> None:
            _writing.set(writes)
            try:
                await original(self)
            finally:
                recorder.over()

        return asked

    return wrap


def _then(what: str) -> Wrap:
    """An event of the request when the work is done."""

    def wrap(recorder: Recorder, original: Any) -> Any:
        async def work(self: Any, *arguments: Any) -> Any:
            answer = await original(self, *arguments)
            recorder.of_request(what)
            return answer

        return work

    return wrap


def _first(what: str) -> Wrap:
    """An event of the request when the work begins."""

    def wrap(recorder: Recorder, original: Any) -> Any:
        async def work(self: Connection, *arguments: Any) -> Any:
            if self._node.writable:
                recorder.of_request(what)
            return await original(self, *arguments)

        return work

    return wrap


def _prove(recorder: Recorder, original: Any) -> Any:
    async def look(self: Connection) -> None:
        if not self._node.dying:
            recorder.note("proof", PROCESS.get().name)
        await original(self)

    return look


def _released(recorder: Recorder, original: Any) -> Any:
    def released(self: Witness, *arguments: Any, **named: Any) -> None:
        original(self, *arguments, **named)
        recorder.over("released")

    return released


def _promote(recorder: Recorder, original: Any) -> Any:
    def promote(self: World) -> None:
        original(self)
        recorder.promoted = True
        recorder.note("promoted")

    return promote


def _kill(recorder: Recorder, original: Any) -> Any:
    async def kill(self: World, node: Any) -> None:
        recorder.note("dies")
        await original(self, node)

    return kill


def _begin_epoch(recorder: Recorder, original: Any) -> Any:
    async def begin(self: Coordinator) -> None:
        await original(self)
        if not recorder.recorded:
            recorder.recorded = True
            recorder.note("recorded")

    return begin


def _record(recorder: Recorder) -> Any:
    """The ledger's record: an event when an operation begins with it."""

    def put(ledger: PretendedLedger, new: LedgerRecord) -> None:
        before = getattr(ledger, "_record_", new)
        ledger._record_ = new  # type: ignore[attr-defined]
        if before.phase != new.phase == "FAILOVER":
            recorder.note("failover")
        if new.epoch == 1 and before.standby is not new.standby:
            recorder.note("degrade")

    return property(lambda ledger: ledger._record_, put)


_WRAPPED: tuple[tuple[Any, str, Wrap], ...] = (
    (Connection, "fetchval", _fetchval),
    (Connection, "_renew", _renew),
    (LeaseKeeper, "take", _take),
    (Attacher, "attach", _attach),
    (Gate, "enter", _enter),
    (parties.Server, "_write", _asked(True)),
    (parties.Server, "_read", _asked(False)),
    (Connection, "_show", _then("executed")),
    (Connection, "_write", _first("executed")),
    (Connection, "commit", _then("commits")),
    (Connection, "_look_at_the_main_process", _prove),
    (Witness, "released", _released),
    (World, "promote", _promote),
    (World, "kill", _kill),
    (Coordinator, "_begin_epoch", _begin_epoch),
)
