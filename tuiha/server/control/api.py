"""The control interface: look with a viewer's token, act with an operator's."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace

from aiohttp import hdrs, web

from tuiha.model.documents import (
    AttachedAnswer,
    BoundAnswer,
    CountsAnswer,
    ForgottenServerAnswer,
    HeldAnswer,
    MonitoredUser,
    MonitoredUsersAnswer,
    MonitorsAnswer,
    OtherTargetAnswer,
    ProbedAnswer,
    ReadyAnswer,
    ReleasedAnswer,
    ServiceAnswer,
    TakenAnswer,
    TargetAnswer,
)
from tuiha.model.reports import PastFigures, ServerReport, ServerTarget
from tuiha.model.users.names import DEFAULT, NameRule, canonical
from tuiha.pooldb.connection import Connection
from tuiha.pooldb.errors import FAILED
from tuiha.pooldb.statements.events import ADD_EVENT
from tuiha.pooldb.statements.mail import SET_SERVICE
from tuiha.pooldb.statements.users import FIND_USER
from tuiha.server.control.past import KeptFigures
from tuiha.server.database.attacher import Attacher
from tuiha.server.database.gate import Gate
from tuiha.server.database.identity import DatabaseIdentity
from tuiha.server.http.bodies import (
    MOST_USERS,
    AttachOrder,
    BindOrder,
    HoldOrder,
    ProbeOrder,
    ReadyOrder,
    ServiceOrder,
    TakeOrder,
    body_of,
)
from tuiha.server.http.endpoints import Endpoint, Handler, Query, Role
from tuiha.server.http.limits import Rates
from tuiha.server.http.problems import HttpProblem
from tuiha.server.http.tokens import Tokens
from tuiha.server.pool.bindings import Bindings, Owned
from tuiha.server.pool.load import Meter
from tuiha.server.pool.membership import Membership

_WRONG_TOKENS = 0.5  # a second, of one address
_AT_ONCE = 30  # of those


@dataclass(slots=True)
class Control:
    """Handlers of /control."""

    tokens: Callable[[], Tokens]  # the present ones
    report: Callable[[], ServerReport]
    gate: Gate
    attacher: Attacher
    membership: Membership
    bindings: Bindings
    monitors: Callable[[int], bool]  # whether a user's monitor runs here
    look_at: Callable[[str], Awaitable[DatabaseIdentity]]  # identify a database of the pair by name
    kept: KeptFigures
    meter: Meter = field(default_factory=Meter)
    names: NameRule = DEFAULT  # which spellings of a user's name are one user
    wrong_tokens: Rates = field(default_factory=lambda: Rates(_WRONG_TOKENS, _AT_ONCE))

    def routes(self) -> list[web.RouteDef]:
        """What this interface offers."""
        return [endpoint.route(self, self.only) for endpoint in CONTROL]

    def only(self, needed: Role, handler: Handler) -> Handler:
        """The handler, for a viewer's or an operator's token."""
        async def checked(request: web.Request) -> web.StreamResponse:
            role = self.role(request)
            if role is None:
                self._bound(request)
            _refuse(role, needed)
            return await handler(request)

        return checked

    def _bound(self, request: web.Request) -> None:
        """One more wrong token from an address. Raises Problem 429; a right token is never refused for it."""
        after = self.wrong_tokens.wait(request.remote or "", time.monotonic())
        if after:
            raise HttpProblem(429, "Too many wrong tokens", f"Wait {after} s, then send the right one.",
                              headers={"Retry-After": str(after)})

    def role(self, request: web.Request) -> str | None:
        """What the token of a request is: viewer, operator, or None for none that is valid."""
        return self.tokens().role(request.headers.get(hdrs.AUTHORIZATION, ""))

    async def status(self, request: web.Request) -> web.Response:
        """GET /control/status: this server's own view."""
        return web.json_response(self.report().wire)

    async def counts(self, request: web.Request) -> web.Response:
        """GET /control/counts: device requests since this server started."""
        report, meter = self.report(), self.meter
        return web.json_response(CountsAnswer(
            server=report.name, started_at=report.started_at, answered=meter.answered, failed=meter.failed,
            delayed=meter.delayed))

    async def past(self, request: web.Request) -> web.Response:
        """GET /control/past: this server's own figures of the last quarter of an hour."""
        return web.json_response(asdict(self.kept.past()))

    async def users(self, request: web.Request) -> web.Response:
        """GET /control/users: who is monitored here, with generations."""
        users = [MonitoredUser(user=o.name, generation=o.generation) for o in self.bindings.owned.values()]
        return web.json_response(MonitoredUsersAnswer(server=self.report().name, users=users))

    async def hold(self, request: web.Request) -> web.Response:
        """POST /control/hold {seconds}: nothing new reaches the database; answers when nothing is in flight."""
        order = await body_of(request, HoldOrder)
        try:
            await self.gate.hold(order.seconds)
        except TimeoutError:
            self.gate.release()
            detail = f"{self.gate.in_flight} statements were still in flight; the hold was released."
            raise HttpProblem(409, "Could not hold", detail) from None
        return web.json_response(HeldAnswer(held=True, waiting=self.gate.waiting))

    async def release(self, request: web.Request) -> web.Response:
        """POST /control/release: end a hold."""
        self.gate.release()
        return web.json_response(ReleasedAnswer(held=False))

    async def attach(self, request: web.Request) -> web.Response:
        """POST /control/attach {epoch, database, seconds?}: the pool is on this database now.

        The ledger or that database has to confirm it, else it is refused and nothing changes.
        With `seconds` it also ends a hold, and answers when there is a lease or that time is over: with this server's
        own view, and the requests that waited when it was told.
        """
        order = await body_of(request, AttachOrder)
        try:
            await self.attacher.obey(order.epoch, order.database)
        except ValueError as error:
            raise HttpProblem(409, "Not attached", str(error)) from None
        if order.wait is None:
            return web.json_response(AttachedAnswer(epoch=order.epoch, database=order.database))
        waiting = self.gate.waiting
        self.gate.release()
        await self.gate.opened(order.wait)
        return web.json_response(replace(self.report(), queue=waiting).wire)

    async def withdraw(self, request: web.Request) -> web.Response:
        """POST /control/withdraw: take no users any more."""
        await self.membership.withdraw(ServerTarget.DRAIN)
        return web.json_response(TargetAnswer(target=ServerTarget.DRAIN))

    async def accept(self, request: web.Request) -> web.Response:
        """POST /control/accept: take users again."""
        await self.membership.withdraw(ServerTarget.UP)
        return web.json_response(TargetAnswer(target=ServerTarget.UP))

    async def forget_server(self, request: web.Request) -> web.Response:
        """POST /control/servers/{server}/forget: a server that is gone for good is no part of the pool any more."""
        server = request.match_info["server"]
        if not await self.membership.forget(server):
            raise HttpProblem(
                409, "Not forgotten", f"{server!r} is alive, still has users, or is no server of this pool."
            )
        return web.json_response(ForgottenServerAnswer(server=server))

    async def withdraw_other(self, request: web.Request) -> web.Response:
        """POST /control/servers/{server}/withdraw: a server that cannot be told itself reads it with its heartbeat."""
        return await self._other(request, ServerTarget.DRAIN)

    async def accept_other(self, request: web.Request) -> web.Response:
        """POST /control/servers/{server}/accept: the same, to take users again."""
        return await self._other(request, ServerTarget.UP)

    async def _other(self, request: web.Request, target: ServerTarget) -> web.Response:
        server = request.match_info["server"]
        if not await self.membership.note_target(server, target):
            raise HttpProblem(404, "No such server", f"The pool has no server {server!r}.")
        return web.json_response(OtherTargetAnswer(server=server, target=target))

    async def bind(self, request: web.Request) -> web.Response:
        """POST /control/bind {user, server}: this server monitors the user from now on."""
        order = await body_of(request, BindOrder)
        name, server = order.user, order.server
        candidate = self.membership.standing.candidates.get(server)
        if candidate is None or not candidate.alive:
            raise HttpProblem(409, "Not bound", f"{server} is not a live server of this pool.")
        row = await self.gate.read(lambda c: c.fetchrow(FIND_USER, [name, canonical(name, self.names)], name))
        if row is None:
            raise HttpProblem(404, "No such user", f"The pool has no user {name!r}.")
        seen = await self.bindings.look(row["id"])
        user = Owned(row["id"], row["name"], row["mail_cluster"], 0)
        if not await self.bindings.bind(user, server, seen.bound if seen else None):
            raise HttpProblem(409, "Not bound", "Somebody else moved the user at the same time; look again.")
        return web.json_response(BoundAnswer(user=user.name, server=server))

    async def take(self, request: web.Request) -> web.Response:
        """POST /control/take {users: [{user_id, generation}]}: this server monitors them from now on."""
        order = await body_of(request, TakeOrder)
        users = {one.user_id: one.generation for one in order.users}
        taken = await self.bindings.take(users)
        return web.json_response(TakenAnswer(taken=sorted(taken), refused=sorted(set(users) - taken)))

    async def monitored(self, request: web.Request) -> web.Response:
        """GET /control/monitored?ids=1,2: whose monitors run here, and whose do not."""
        text = request.query.get("ids", "")
        if not re.fullmatch(r"\d{1,18}(,\d{1,18})*", text) or text.count(",") >= MOST_USERS:
            raise HttpProblem(400, "Field ids", f"ids is up to {MOST_USERS} numbers with commas between.", field="ids")
        here = {user: self.monitors(user) for user in map(int, text.split(","))}
        runs, released = [user for user in here if here[user]], [user for user in here if not here[user]]
        return web.json_response(MonitorsAnswer(monitored=runs, released=released))

    async def probe(self, request: web.Request) -> web.Response:
        """POST /control/probe {database}: reach a database of the pair and say who it is."""
        database = (await body_of(request, ProbeOrder)).database
        began = time.monotonic()
        with _reaching(database):
            found = await self.look_at(database)
        return web.json_response(ProbedAnswer(
            database=database, system_identifier=found.system_identifier, timeline=found.timeline,
            writable=found.writable, epoch=found.epoch, seconds=round(time.monotonic() - began, 3)))

    async def ready(self, request: web.Request) -> web.Response:
        """POST /control/ready {database, seconds}: open a session there, and keep it for a change that is to come."""
        order = await body_of(request, ReadyOrder)
        with _reaching(order.database):
            await self.attacher.log_in_ahead(order.database, order.seconds)
        return web.json_response(ReadyAnswer(database=order.database, seconds=order.seconds))

    async def mail_out(self, request: web.Request) -> web.Response:
        """POST /control/mail/{server}/out {reason}: its users are monitored through its partners."""
        return await self._service(request, False)

    async def mail_in(self, request: web.Request) -> web.Response:
        """POST /control/mail/{server}/in: it may monitor users again."""
        return await self._service(request, True)

    async def _service(self, request: web.Request, in_service: bool) -> web.Response:
        server = request.match_info["server"]
        if server not in self.membership.standing.in_service:
            raise HttpProblem(404, "No such mail server", f"The pool has no mail server {server!r}.")
        reason = None if in_service else (await body_of(request, ServiceOrder)).reason

        async def work(connection: Connection) -> None:
            if await connection.fetchval(SET_SERVICE, server, in_service, reason) is not None:
                text = "back in service" if in_service else f"taken out of service: {reason}"
                await connection.execute(ADD_EVENT, "note" if in_service else "warning", server, text)

        await self.gate.write(work)
        return web.json_response(ServiceAnswer(server=server, in_service=in_service))


CONTROL: tuple[Endpoint[Control], ...] = (
    Endpoint("GET", "/control/status", Control.status, "This server's own view", (ServerReport,)),
    Endpoint("GET", "/control/counts", Control.counts, "Device requests since its start: answered, failed, delayed",
             (CountsAnswer,)),
    Endpoint("GET", "/control/past", Control.past, "This server's own figures of the last quarter of an hour",
             (PastFigures,)),
    Endpoint("GET", "/control/users", Control.users, "The users monitored here, with generations",
             (MonitoredUsersAnswer,)),
    Endpoint("GET", "/control/monitored", Control.monitored, "Whose monitors run here", (MonitorsAnswer,),
             query=(Query("ids", "string", required=True),)),
    Endpoint("POST", "/control/hold", Control.hold, "Let requests wait; answers when nothing is in flight",
             (HeldAnswer,), HoldOrder),
    Endpoint("POST", "/control/release", Control.release, "End a hold", (ReleasedAnswer,)),
    Endpoint("POST", "/control/attach", Control.attach,
             "The pool is on this database in this epoch; refused unless the ledger or that database says so",
             (AttachedAnswer, ServerReport), AttachOrder),
    Endpoint("POST", "/control/withdraw", Control.withdraw, "Take no users any more", (TargetAnswer,)),
    Endpoint("POST", "/control/accept", Control.accept, "Take users again", (TargetAnswer,)),
    Endpoint("POST", "/control/servers/{server}/withdraw", Control.withdraw_other,
             "Have another server take no users, when it cannot be told itself", (OtherTargetAnswer,)),
    Endpoint("POST", "/control/servers/{server}/accept", Control.accept_other,
             "Have another server take users again, when it cannot be told itself", (OtherTargetAnswer,)),
    Endpoint("POST", "/control/servers/{server}/forget", Control.forget_server,
             "Remove a server that is gone for good from the pool", (ForgottenServerAnswer,)),
    Endpoint("POST", "/control/bind", Control.bind, "Bind a user to a server", (BoundAnswer,), BindOrder),
    Endpoint("POST", "/control/take", Control.take, "Bind users, seen under these generations, to this server",
             (TakenAnswer,), TakeOrder),
    Endpoint("POST", "/control/probe", Control.probe, "Reach a database of the pair and say who it is",
             (ProbedAnswer,), ProbeOrder),
    Endpoint("POST", "/control/ready", Control.ready, "Log in to a database that the pool is about to change to",
             (ReadyAnswer,), ReadyOrder),
    Endpoint("POST", "/control/mail/{server}/out", Control.mail_out, "Take a mail server out of service",
             (ServiceAnswer,), ServiceOrder),
    Endpoint("POST", "/control/mail/{server}/in", Control.mail_in, "Put a mail server back in service",
             (ServiceAnswer,)),
)


def _refuse(role: str | None, needed: Role) -> None:
    if role is None:
        raise HttpProblem(
            401, "No valid token", "Send a viewer's or an operator's token as a bearer token.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    if needed == "operator" and role != "operator":
        raise HttpProblem(403, "A viewer may not do this", "Use an operator's token.")


@contextmanager
def _reaching(database: str) -> Iterator[None]:
    """What goes wrong with a database that a request names, as a Problem."""
    try:
        yield
    except KeyError:
        raise HttpProblem(404, "No such database", f"The configuration has no database {database!r}.") from None
    except FAILED as error:
        detail = f"{database} could not be reached from here ({type(error).__name__})."
        raise HttpProblem(409, "Not reached", detail) from None
