"""One pool server: its parts, wired together, and the order in which it starts and leaves."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from tuiha import __version__
from tuiha.config.settings import Pool
from tuiha.config.tls import for_partners
from tuiha.drivers.databases.positions import IN_RECOVERY
from tuiha.drivers.databases.session import opened
from tuiha.drivers.factory import open_authority
from tuiha.drivers.site import Site
from tuiha.drivers.sprayers.haproxy import open_haproxy
from tuiha.model.reports import ServerReport, ServerState
from tuiha.model.words import count
from tuiha.pooldb.errors import DatabaseError
from tuiha.pooldb.migrations import LOCK, is_current, migrate
from tuiha.pooldb.statements.bindings import DEVICES_SEEN
from tuiha.server.control.api import Control
from tuiha.server.control.past import KeptFigures
from tuiha.server.control.rights import Rights
from tuiha.server.database.access import OutcomeUnknown, Unavailable
from tuiha.server.database.attacher import Attacher
from tuiha.server.database.attachment import DatabasePlace, Lane, in_lane
from tuiha.server.database.fence import Fence
from tuiha.server.database.gate import Gate
from tuiha.server.database.ground import Ground
from tuiha.server.database.lease import LeaseKeeper
from tuiha.server.database.lifeline import Lifeline, SharedLedger
from tuiha.server.database.patroni import Following
from tuiha.server.devices.api import Devices
from tuiha.server.devices.enrolment import Provisioner
from tuiha.server.devices.merge import settle_names
from tuiha.server.devices.passes import Passes
from tuiha.server.devices.recheck import Recheck, Terms
from tuiha.server.devices.revocation import Revocation
from tuiha.server.devices.room import Room
from tuiha.server.devices.users import Users
from tuiha.server.devices.waiters import Waiters
from tuiha.server.http import app
from tuiha.server.http.clients import Clients
from tuiha.server.http.guard import Guard, GuardedSite
from tuiha.server.http.limits import Quotas
from tuiha.server.http.marks import TurnedAway
from tuiha.server.http.metrics import LoginCounts, Metrics, Work
from tuiha.server.http.tokens import Tokens
from tuiha.server.mail.cluster import Bound, Cluster
from tuiha.server.mail.monitor import Monitor
from tuiha.server.notify import ServiceManager
from tuiha.server.pool.bindings import Bindings
from tuiha.server.pool.forwarder import Forwarder
from tuiha.server.pool.homecoming import Homecoming
from tuiha.server.pool.load import Figures, Meter
from tuiha.server.pool.membership import Membership, Standing
from tuiha.server.pool.pusher import Pusher
from tuiha.server.pool.refusals import Refusals
from tuiha.server.pool.router import Router
from tuiha.server.pool.signatures import Proof
from tuiha.server.pool.witnesses import Witnesses
from tuiha.server.setup import ServerIdentity, clusters, places

log = logging.getLogger("tuiha.serve")
_RECONCILE = 2.0  # seconds between two looks at this server's bindings, when no notification comes
_HAND_OVER = 8.0  # seconds that leaving may take


class PoolServer:
    """Makes the parts, runs them, and leaves the pool in order. Raises ConfigError for a secret that is not there."""

    def __init__(self, pool: Pool, base: Path, me: ServerIdentity, manager: ServiceManager | None = None) -> None:
        """`manager`: of the services on this host; None: nothing is told."""
        self.pool = pool
        self.me = me
        self._manager = manager or ServiceManager({})
        self._owned: frozenset[int] = frozenset()
        self._devices: int | None = None
        self._prepared: set[str] = set()
        self._told: dict[str, float] = {}
        self._mail = {server.name for cluster in pool.mail for server in cluster.servers}
        self.meter = Meter()
        self.waiters = Waiters()
        self.gate = Gate(pool.hold.seconds, pool.hold.requests)
        self.guard = Guard(pool.limits, self.gate.still_released, self._sheds)
        self.fence = Fence()
        self.lifeline = Lifeline()
        self.figures = Figures(me.capacity)
        self.bindings = Bindings(me.name, self.gate, pool.binding, self._bindings_changed)
        self._secret = uuid.uuid4().hex  # known to nobody else: who knows it may renew and end this server's lease
        self.membership = Membership(
            me.name, self._secret, me.address, pool, self.gate, self.figures, lambda: len(self.bindings.owned),
            self._beaten
        )
        self._refusals = Refusals(
            me.name, lambda: self.membership.standing.candidates.values(), self.membership.refused)
        self._homecoming = Homecoming(me.name, self.gate, self._room, pool.heartbeat.interval)
        self.router = Router(me.name, self.bindings, self.membership.standing, pool.binding)
        partners, proof = for_partners(pool.own_servers, base), Proof(me.name, lambda: self.tokens)
        self.forwarder = Forwarder(me.name, proof, partners)
        self.witnesses = Witnesses(me.name, self.gate, proof, partners)
        mail = clusters(pool, base)
        self.monitor = Monitor(
            me.name, self.gate, mail, self.waiters.wake, on_refused=lambda bound: self.users.doubt(bound.user_id)
        )
        self.users = self._users(mail)
        roles = pool.database.roles
        self._owners = {place.name: place for place in places(pool, base, me.name, roles.owner or roles.pool)}
        self.clients = _clients(pool)
        self.revocation = Revocation(self.gate, self._access_changed, self._access_unknown)
        self.devices = Devices(
            self.gate, self.users, self.router, self.forwarder, self.waiters, Quotas(pool.limits), self.revocation,
            self.clients, Room(),
        )
        authority = open_authority(pool, base)
        self._ledger = None if authority is None else SharedLedger(authority)
        self._following: Following | None = None
        self._ground: Ground | None = None
        if pool.database.manager is not None and self._ledger is not None:
            self._following = Following(me.name, self._secret, pool, self._ledger, self.fence)
        self._pusher = Pusher(
            me.name, [open_haproxy(one, Site(pool, base)) for one in pool.sprayers if one.push], self._pushed,
            pool.watch.interval,
        )
        self.attacher = self._attacher(base)
        rechecks = recheck.counts if (recheck := self.users.recheck) is not None else {}
        self.metrics = Metrics(
            self.report, self.monitor.figures, LoginCounts(rechecks, self.users.logins.guesses.refused),
            Work(self.devices.room)
        )
        self.tokens = Tokens.read(pool.control, base)
        self.kept = KeptFigures(self.report)

    def _users(self, mail: Sequence[Cluster]) -> Users:
        names, passes = self.pool.users.names.rule, Passes(lambda: self.tokens)
        if self.pool.users.provision != "mail":
            return Users(self.gate, names=names, passes=passes)
        provisioner = Provisioner(mail, self.gate, names)
        terms = {one.name: Terms(one.recheck, one.grace) for one in mail}
        return Users(self.gate, provisioner, names, Recheck(self.gate, provisioner, terms), passes)

    def _attacher(self, base: Path) -> Attacher:
        pool = self.pool
        known = places(pool, base, self.me.name, pool.database.roles.pool)
        if pool.database.manager is None:
            self._ground = Ground(self.me.name, known, self._ledger, self.fence, self.witnesses.contradicting)
        return Attacher(
            pool=pool.pool,
            places=known,
            ledger=self._ledger,
            system_identifier=pool.database.system_identifier,
            gate=self.gate,
            fence=self.fence,
            keeper=LeaseKeeper(self.me.name, self._secret, pool.lease.seconds, self._notified, self._ground,
                               self.lifeline, max(pool.lease.seconds, pool.heartbeat.window - pool.lease.seconds)),
            ground=self._ground,
            lease_seconds=pool.lease.seconds,
            connections=pool.database.connections,
            prepare=self._prepare,
        )

    def application(self) -> web.Application:
        """Its HTTP application."""
        control = Control(
            lambda: self.tokens, self.report, self.gate, self.attacher, self.membership, self.bindings,
            self.monitor.follows, self.attacher.look_at, self.kept, self.meter, self.pool.users.names.rule,
        )
        return app.build(
            self.gate, self.devices, control, Rights(self.gate, self.revocation, self.waiters), self.witnesses,
            self.metrics, self.meter, self.report, self._last, self.guard
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set, then hand over and leave. Raises OSError when the address cannot be bound."""
        options = app.server_options(self.pool.limits)
        runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=3.0, **options)
        await runner.setup()
        await self.clients.learn()
        try:
            await GuardedSite(runner, self.guard, self.me.host, self.me.port, self.me.ssl).start()
            log.info("listening", extra={"address": self.me.address, "version": __version__})
            self.fence.start()
            self.lifeline.start()
            if self._ledger is not None:
                self._ledger.begin()
            async with asyncio.TaskGroup() as tasks:
                vital = [self.attacher.run(), self.membership.run(), self._refusals.run(), self._reconcile(),
                         self.revocation.run(), self._homecoming.run()]
                if self._following is not None:
                    vital.append(self._following.run(lambda: self.gate.attachment, self.attacher.attach))
                parts = [self.figures.watch_loop(), self.kept.run(), self.monitor.run(), self._tell_waiting(),
                         self._pusher.run(), self.guard.run(), self.users.run(), self._manager.tell(self._status),
                         self._manager.give_signs_of_life(self.lifeline)]
                with in_lane(Lane.HEART):
                    running = [tasks.create_task(part) for part in vital]
                running += [tasks.create_task(part) for part in parts]
                self._manager.ready()  # its interfaces are served; for its database it may have to wait for long
                await stop.wait()
                self._manager.stopping()
                with in_lane(Lane.HEART):
                    await self._leave()
                for task in running:
                    task.cancel()
        finally:
            await runner.cleanup()
            await self.forwarder.close()
            if self._ledger is not None:
                await self._ledger.close()
            await self.lifeline.stop()
            if self.fence.running:
                self.fence.stop()

    async def _leave(self) -> None:
        """Hand over: stop monitoring, give the users away, wake who waits, so that devices go to the others."""
        log.info("leaving", extra={"users": len(self.bindings.owned)})
        self.membership.standing.leaving = True
        await self.monitor.close()
        try:
            # Without a lease there is nothing to wait for: the others take over when the heartbeat is old.
            await self.membership.leave(_HAND_OVER if self.gate.attachment is not None else 0.0)
        except (Unavailable, OutcomeUnknown) as error:
            log.warning("left without handing over; the others take over", extra={"reason": str(error)})
        self.bindings.forget_all()
        self.waiters.wake_all()
        await self.waiters.gone(2.0)

    async def _prepare(self, place: DatabasePlace) -> None:
        """What comes before an attachment. Raises what LOST lists, WrongPool, WrongDatabase."""
        await self._migrated(place)
        if self._following is not None:
            await self._following.prepare(place)

    async def _migrated(self, place: DatabasePlace) -> None:
        """Create or update the schema, once, if this database is writable. Raises what LOST lists, WrongPool."""
        if place.name in self._prepared or self.attacher.was_attached:
            return  # the other database of the pair is a physical copy; what it really is gets verified after this
        owner = self._owners[place.name]
        connection = await opened(
            place.application, host=owner.host, port=owner.port, database=owner.database, user=owner.user,
            password=owner.password, ssl=owner.ssl, timeout=2.0)
        try:
            if not await connection.fetchval(IN_RECOVERY, timeout=2.0):
                follows = self._following is not None
                if not await is_current(connection, follows):
                    await migrate(connection, self.pool.pool, place.name, follows)
                if await settle_names(connection, self.pool.users.names.rule, place.name, LOCK):
                    self._prepared.add(place.name)
        finally:
            connection.terminate()

    async def _reconcile(self) -> None:
        while True:
            await self.bindings.wait_stale(_RECONCILE)
            try:
                await self.bindings.refresh()
                self._devices = await self.gate.read(lambda c: c.fetchval(DEVICES_SEEN, self.me.name))
            except Unavailable as error:
                log.debug("bindings not read", extra={"reason": str(error)})
            except DatabaseError:
                log.exception("bindings not read")

    async def _tell_waiting(self) -> None:
        """When the database stays away, answer the long polls (503, with a time to ask again) before sprayers cut them.

        `/health` says 503 from the same moment on; a sprayer needs two checks to believe it.
        """
        was_patient = True
        while True:
            await asyncio.sleep(0.05)
            if was_patient and not self.gate.patient:
                self.waiters.wake_all()
            was_patient = self.gate.patient

    def _bindings_changed(self) -> None:
        owned = self.bindings.owned
        self.monitor.set_bound(
            {o.user_id: Bound(o.user_id, o.name, o.cluster, o.generation) for o in owned.values()}
        )
        now = frozenset(owned)
        for lost in self._owned - now:
            self.waiters.wake(lost)  # its devices go to the new server
        self._owned = now
        self.membership.users_changed()
        self._pusher.wake()

    def _notified(self, payload: str) -> None:
        """A notification of the database: whose meaning it is, its part knows."""
        self.bindings.notified(payload)
        self.revocation.notified(payload)

    def _access_changed(self, user_id: int) -> None:
        self.users.forget(user_id)
        self.waiters.wake(user_id)

    def _access_unknown(self) -> None:
        self.users.forget_all()
        self.waiters.wake_all()

    def _sheds(self, share: int) -> TurnedAway | None:
        """Whether a request is turned away unread, and what it is told."""
        away = self.devices.room.sheds(share)
        if away is not None:
            self.meter.count(503, again=True, forwarded=False, waited=False)
        return away

    def _pushed(self) -> list[str] | None:
        """Whom sprayers shall send here; None without a lease, when this may be over."""
        return [owned.name for owned in self.bindings.owned.values()] if self.gate.attachment is not None else None

    def _beaten(self, standing: Standing) -> None:
        self.router.beaten()
        self.monitor.set_in_service(standing.in_service)
        for name, told in standing.told_at.items():
            if name in self._mail and standing.in_service[name] and told > self._told.get(name, told):
                self.monitor.bring_back(name)  # said again, though it was in service: it may be used again
        self._told = standing.told_at

    def _room(self) -> int:
        """How many more users may be monitored here; 0 when it takes nobody."""
        standing = self.membership.standing
        takes = standing.joined and standing.state is ServerState.UP
        return max(0, self.me.capacity - len(self.bindings.owned)) if takes else 0

    def _last(self) -> bool:
        others = self.membership.standing.candidates.values()
        return not any(other.available for other in others if other.name != self.me.name)

    def report(self) -> ServerReport:
        """This server's own view."""
        standing, attachment = self.membership.standing, self.gate.attachment
        now = asyncio.get_running_loop().time()
        state, reason = self._state()
        away = None if attachment else self.gate.away_seconds
        return ServerReport(
            name=self.me.name,
            pool=self.pool.pool,
            version=__version__,
            state=state,
            target=standing.target,
            users=len(self.bindings.owned),
            devices=self._devices,
            availability_index=standing.index if attachment else None,
            database=attachment.place.name if attachment else None,
            epoch=attachment.epoch if attachment else None,
            system_identifier=attachment.system_identifier if attachment else None,
            lease_seconds=round(attachment.lease_seconds, 2) if attachment else 0.0,
            unleased_seconds=None if away is None else round(away, 2),
            full=standing.full,
            limited_by=standing.limited_by,
            requests_per_second=self.meter.rate(now),
            latency_ms=self.meter.p95_ms(now),
            cpu_percent=round(self.figures.cpu * 100, 1),
            memory_bytes=self.figures.memory_bytes(),
            queue=self.gate.waiting,
            started_at=self.membership.started_at,
            reason=reason,
            host_cpu_percent=self.figures.host.cpu_percent,
            host_memory_percent=self.figures.host.memory_percent,
            host_disk_percent=self.figures.host.disk_percent,
            host_load=self.figures.host.load,
            host_processors=self.figures.host.processors,
            clock=time.time(),
            mail=self.monitor.reports(),
            mail_servers=self.monitor.sights(),
            copy=self.attacher.copy,
            spelling=self.pool.users.names.rule.words,
        )

    def _status(self) -> str:
        """This server's state in one line."""
        state, reason = self._state()
        attachment = self.gate.attachment
        if reason is not None or attachment is None:
            return f"{state}: {reason or 'no database'}"
        users = count(len(self.bindings.owned), "user")
        return f"{state}: {users}, on {attachment.place.name} in epoch {attachment.epoch}"

    def _state(self) -> tuple[ServerState, str | None]:
        standing = self.membership.standing
        if standing.leaving:
            return ServerState.LEFT, "handing over its users"
        if not standing.joined:
            return ServerState.CUT_OFF, self.attacher.problem or "joining: no heartbeat yet"
        if self.gate.attachment is None:
            state = ServerState.WAITING if self.gate.patient else ServerState.CUT_OFF
            return state, self.attacher.problem or self.gate.why
        if self.gate.held:
            return ServerState.WAITING, "an operator holds it while the pool changes its database"
        return standing.state, standing.reason


def _clients(pool: Pool) -> Clients:
    """Who is believed about devices' addresses: what the setting says, else where the sprayers are."""
    if pool.limits.proxies is not None:
        return Clients(pool.limits.proxies)
    sockets = [one.socket for one in pool.sprayers if one.socket is not None]
    named = [one.address for one in pool.sprayers] + [
        socket.removeprefix("tcp:") for socket in sockets if socket.startswith("tcp:")]
    return Clients((), (one.rpartition(":")[0].strip("[]") for one in named))
