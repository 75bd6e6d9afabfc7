"""Probing everything that a configuration names, for `tuiha check`."""

from __future__ import annotations

import asyncio
import ssl
import stat
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tuiha.config import tls
from tuiha.config.parts import DatabaseNode, MailCluster, MailServerSettings, Role, Sprayer
from tuiha.config.secrets import resolve, resolve_all
from tuiha.config.settings import Pool
from tuiha.config.values import Secret
from tuiha.drivers import certificates
from tuiha.drivers.agents import open_agents
from tuiha.drivers.agents.actions import Rehearsing
from tuiha.drivers.databases.inspection import inspect
from tuiha.drivers.factory import server_opener
from tuiha.drivers.ledgers.file import lock_of
from tuiha.drivers.mail.client import ImapClient, ImapError, ImapGone, log_in_for
from tuiha.drivers.protocols import AgentError, DriverError
from tuiha.drivers.reach import cause_of, host_and_port, why
from tuiha.drivers.site import Site
from tuiha.drivers.sprayers.haproxy import ADMIN, open_haproxy
from tuiha.model.check.doctor import advice
from tuiha.model.check.facts import FindingCode, MonitorLogIn, OfReceiver, RoleLogIn, Steering, Tried
from tuiha.model.check.finding import Finding
from tuiha.model.check.findings import Attempt, ExpectedPool, findings
from tuiha.model.check.inspection import Certificate, DatabaseInspection, Front, Inspection, OpenFile
from tuiha.model.check.manager import managed_findings
from tuiha.model.check.rehearsals import rehearsal_findings
from tuiha.model.conclude import conclude
from tuiha.model.databases.active import ActiveStanding, standing
from tuiha.model.databases.way_back import Rehearsal
from tuiha.model.facts import Look, Protection
from tuiha.model.problems.causes import Cause
from tuiha.model.reports import LedgerRecord, Standby
from tuiha.watch.factory import guarded, open_poller, rules_of
from tuiha.watch.once import EXTRA, first_look
from tuiha.watch.reader import connect

if TYPE_CHECKING:
    from tuiha.watch.alerts.collector import Probed

_OTHERS = 0o022  # write permission of the group and of everybody


async def inspection(pool: Pool, base: Path, config: Path | None = None) -> Inspection:
    """Look at everything side by side, each within the watch's timeout. Raises ConfigError.

    What does not answer is left out: that it cannot be reached is found elsewhere, with its reason.
    """
    password = await asyncio.to_thread(resolve, pool.database.roles.watcher.password, base)
    context = tls.for_database(pool.database, base)
    databases = [_database(pool, node, password, context) for node in pool.database.nodes]
    shown = [_certificate(pool, *place) for place in _places(pool, base)]
    seen, days, fronts = await asyncio.gather(
        asyncio.gather(*databases), asyncio.gather(*shown), asyncio.gather(*(_front(pool, s) for s in pool.sprayers)))
    return Inspection(
        databases=tuple(_as_managed(one) if pool.database.manager is not None else one
                        for one in seen if one is not None),
        certificates=tuple(one for one in days if one is not None),
        files=tuple(_open_files(pool, base, config)),
        capacities={server.name: server.capacity for server in pool.servers},
        connections=pool.database.connections,
        tls=context is not None,
        lease=pool.lease.seconds,
        fronts=tuple(fronts),
        spelling=pool.users.names.rule.words,
        unverified=tuple(tls.unverified(pool)),
        orders=pool.guard.standing,
        ledger_file=pool.ledger is not None and pool.ledger.driver == "file",
    )


def _as_managed(node: DatabaseInspection) -> DatabaseInspection:
    """What the manager of the pair writes and sets is not asked of the files and the roles here."""
    files = {name: file for name, file in node.files.items() if name != "synchronous_standby_names"}
    return replace(node, files=files, roles={task: role for task, role in node.roles.items() if task != "coordinator"})


async def _database(
    pool: Pool, node: DatabaseNode, password: str, context: ssl.SSLContext | None
) -> DatabaseInspection | None:
    from tuiha.pooldb.errors import UNREAD

    roles = pool.database.roles
    wanted = (("pool", roles.pool), ("watcher", roles.watcher), ("coordinator", roles.coordinator),
              ("owner", roles.owner))
    try:
        async with AsyncExitStack() as stack:
            connection = await connect(pool, node, roles.watcher, password, context)
            stack.callback(connection.terminate)
            try:
                plain = await connect(pool, node, roles.watcher, password, context, stated=False)
                stack.callback(plain.terminate)
            except DriverError:
                plain = None
            async with asyncio.timeout(pool.watch.timeout):
                tasks = {task: role.user for task, role in wanted if role}
                return await inspect(connection, node.name, tasks, pool.users.names.rule, plain)
    except (DriverError, *UNREAD):
        return None


async def _front(pool: Pool, sprayer: Sprayer) -> Front:
    """What devices find at a sprayer's address."""
    host, port = host_and_port(sprayer.address)
    local = tls.is_loopback(host)
    try:
        async with asyncio.timeout(pool.watch.timeout):
            shown = await certificates.shown(host, port)
    except TimeoutError:
        return Front(sprayer.name, sprayer.address, local, f"no answer in {pool.watch.timeout:g} s")
    except DriverError as error:
        return Front(sprayer.name, sprayer.address, local, str(error))
    if shown is None:
        return Front(sprayer.name, sprayer.address, local, secure=False)
    return Front(sprayer.name, sprayer.address, local, days=shown.days, named=shown.named)


Place = tuple[str, str, int, ssl.SSLContext, certificates.Greeting | None]  # node, host, port, how


def _places(pool: Pool, base: Path) -> Iterator[Place]:
    """Everything that shows a certificate."""
    for server in pool.servers:
        context = tls.for_server(server, base)
        if context is not None:
            url = urlsplit(server.address)
            yield server.name, url.hostname or "", url.port or 443, context, None
    database = tls.for_database(pool.database, base)
    if database is not None:
        for node in pool.database.nodes:
            yield node.name, *host_and_port(node.address), database, certificates.postgres
    for sprayer in pool.sprayers:
        secure, socket = tls.for_sprayer(sprayer, base), sprayer.socket or ""
        if secure is not None and socket.startswith("tcp:"):
            yield sprayer.name, *host_and_port(socket.removeprefix("tcp:")), secure, None
    for cluster in pool.mail:
        for mail in cluster.servers:
            chosen = tls.for_mail(cluster, mail, base)
            if chosen is not None:
                greeting = certificates.imap if mail.security == "starttls" else None
                yield mail.name, *host_and_port(mail.address), chosen, greeting


def _certificate(
    pool: Pool, name: str, host: str, port: int, context: ssl.SSLContext, greeting: certificates.Greeting | None
) -> Awaitable[Certificate | None]:
    async def look() -> Certificate | None:
        try:
            async with asyncio.timeout(pool.watch.timeout):
                days = await certificates.days_left(host, port, context, greeting)
        except (DriverError, TimeoutError):
            return None
        return Certificate(name, f"{host}:{port}", days)

    return look()


def _open_files(pool: Pool, base: Path, config: Path | None) -> Iterator[OpenFile]:
    """Files that decide what tuiha does, where others can change them."""
    wanted = [("configuration", config)]
    if pool.ledger is not None and pool.ledger.path is not None:
        ledger = base / pool.ledger.path.expanduser()
        wanted += [("ledger", ledger), ("ledger's folder", ledger.parent)]
        if pool.ledger.driver == "file":
            yield from _open_lock(lock_of(ledger))
    for what, path in wanted:
        if path is None:
            continue
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError:
            continue  # a file that is not there is told elsewhere
        if mode & _OTHERS and not mode & stat.S_ISVTX:
            yield OpenFile(str(path), what, mode)


def _open_lock(lock: Path) -> Iterator[OpenFile]:
    try:
        mode = stat.S_IMODE(lock.stat().st_mode)
    except OSError:
        return  # nothing was changed yet
    if mode & 0o007:
        yield OpenFile(str(lock), "ledger's lock", mode, lock=True)


async def rehearsals(pool: Pool, base: Path) -> list[Rehearsal]:
    """What each agent says of the way of its database to the partner."""
    nodes = {node.name: node for node in pool.database.nodes}
    agents = {name: agent for name, agent in open_agents(pool, base).items() if isinstance(agent, Rehearsing)}
    asked = []
    for name, agent in agents.items():
        partner = next((other for other in nodes if other != name), None)
        if partner is not None:
            asked.append(_rehearse(name, partner, agent))
    return list(await asyncio.gather(*asked))


async def _rehearse(name: str, partner: str, agent: Rehearsing) -> Rehearsal:
    try:
        return await agent.rehearse(partner)
    except AgentError as error:
        return Rehearsal(name, partner, error=str(error))


# Seconds for a log-in at a mail server: who gives a wrong password is kept waiting there on purpose (Dovecot: from 2 s
# on, and longer each time), and must not be taken for a server that hangs.
LOG_IN = 15.0


@dataclass(frozen=True)
class Checked:
    """What the probes brought."""

    look: Look
    stand: ActiveStanding
    protection: str | None
    findings: tuple[Finding, ...]

    @property
    def reached(self) -> bool:
        """Whether anything answered at all."""
        look = self.look
        seen = [*(s.seen_at for s in look.servers), *(d.seen_at for d in look.databases),
                *(s.seen_at for s in look.sprayers), *(m.seen_at for m in look.mail)]
        return any(at is not None for at in seen)


async def check(pool: Pool, base: Path, config: Path | None = None) -> Checked:
    """Probe everything in parallel. Raises ConfigError when a secret or a certificate cannot be read."""
    found = await asyncio.to_thread(resolve_all, _secrets(pool), base)
    rules = replace(rules_of(pool), down_after=1)
    poller = open_poller(pool, base, rules)
    for mail in poller.targets.mail.values():
        mail.timeout = LOG_IN
    logins = asyncio.gather(*_log_ins(pool, base, found))
    alerted = asyncio.gather(*await asyncio.to_thread(lambda: list(_receivers(pool, base))))
    tried = asyncio.ensure_future(rehearsals(pool, base))
    inside = asyncio.ensure_future(inspection(pool, base, config))
    try:
        await first_look(poller, LOG_IN + EXTRA)
        attempts, seen, rehearsed = list(await logins), await inside, await tried
        receivers = list(await alerted)
    finally:
        logins.cancel()
        alerted.cancel()
        tried.cancel()
        inside.cancel()
    look = poller.targets.look(poller.number)
    causes = {(d.name, d.error) for d in look.databases} | {(m.name, m.error) for m in look.mail}
    # One loss is told once.
    attempts = [a for a in attempts if a.tried.error is None or (a.subject, a.tried.error) not in causes]
    attempts += await asyncio.gather(*_operators(pool, base, found, look), *_steering(pool, base, look))
    attempts += receivers
    stand = standing(look, None)
    commands = frozenset(node.name for node in pool.database.nodes
                         if node.agent is not None and node.agent.driver == "command")
    expected = ExpectedPool(
        servers=frozenset(s.name for s in pool.servers),
        foreign=frozenset(s.name for s in pool.servers if s.driver != "pool"),
        system_identifier=pool.database.system_identifier,
        ledger=pool.ledger is not None,
        operator=pool.control.operator is not None,
        same_tokens=found["viewer"] == found.get("operator"),
        attempts=tuple(attempts),
        watcher=pool.database.roles.watcher.user,
        database=pool.database.name,
        secure=pool.database.tls is not None,
        hold=pool.hold.seconds,
        agentless=_agentless(pool),
        manager=pool.database.manager,
    )
    found_all = (*findings(look, stand, expected), *managed_findings(look, pool.database.manager),
                 *advice(look, stand, seen),
                 *rehearsal_findings(rehearsed, _system(pool, stand), stand.active, commands))
    return Checked(look, stand, conclude(look, rules=rules).protection, found_all)


def _system(pool: Pool, stand: ActiveStanding) -> str | None:
    """The system identifier that the pool's databases must have, by whatever tells it first."""
    if stand.ledger is not None and stand.ledger.system_identifier:
        return stand.ledger.system_identifier
    report = stand.primary_report
    return pool.database.system_identifier or (report.system_identifier if report is not None else None)


def _agentless(pool: Pool) -> frozenset[str]:
    """Databases without an agent, where whoever acts from here would need one."""
    acts = pool.database.roles.coordinator is not None and pool.database.manager is None
    return frozenset(node.name for node in pool.database.nodes if node.agent is None) if acts else frozenset()


def first_record(checked: Checked) -> LedgerRecord | str:
    """The first ledger record, from the active database's facts; or why there can be none."""
    report = checked.stand.primary_report
    if report is None or checked.stand.active is None:
        return "the active database cannot be asked"
    row = report.epoch
    if not report.writable or row is None or row.pool != checked.look.pool or row.active != checked.stand.active:
        return f"{checked.stand.active} is not the writable, active database of {checked.look.pool}"
    standby = Standby.SYNC if checked.protection is Protection.PROTECTED else Standby.STALE
    return LedgerRecord(row.pool, row.epoch, row.active, standby, report.system_identifier, report.timeline)


def _roles(pool: Pool) -> Iterator[tuple[str, Role]]:
    roles = pool.database.roles
    for name, role in (("pool", roles.pool), ("coordinator", roles.coordinator), ("owner", roles.owner)):
        if role is not None:
            yield name, role


def _secrets(pool: Pool) -> dict[str, Secret]:
    """All that is needed here, so that all that is missing is told at once."""
    wanted = {"viewer": pool.control.viewer} | {f"role {name}": role.password for name, role in _roles(pool)}
    wanted["watcher"] = pool.database.roles.watcher.password
    wanted |= {f"monitor {cluster.cluster}": cluster.monitor.password for cluster in pool.mail}
    wanted |= {f"probe {cluster.cluster}": cluster.probe.password for cluster in pool.mail}
    if pool.control.operator is not None:
        wanted["operator"] = pool.control.operator
    return wanted


def _log_ins(pool: Pool, base: Path, found: dict[str, str]) -> Iterator[Awaitable[Attempt]]:
    for name, role in _roles(pool):
        for node in pool.database.nodes:
            yield _role(pool, base, node, name, role, found[f"role {name}"])
    for cluster in pool.mail:
        for server in cluster.servers:
            yield _monitor(pool, base, cluster, server, found[f"monitor {cluster.cluster}"])


async def _why(attempt: Callable[[], Awaitable[None]], seconds: float) -> DriverError | None:
    """Why an attempt failed; None when it did not."""
    try:
        async with asyncio.timeout(seconds):
            await attempt()
    except TimeoutError:
        return DriverError(f"no answer in {seconds:g} s", Cause.SILENT)
    except ImapError as error:
        return DriverError(str(error), Cause.PASSWORD if error.response is not None else Cause.OTHER)
    except ImapGone as error:
        return DriverError(str(error), error.cause)
    except DriverError as error:
        return error
    except OSError as error:
        return DriverError(why(error), cause_of(error))
    return None


def _outcome(failed: DriverError | None) -> tuple[str | None, Cause | None]:
    """The error of an attempt in words, and its cause."""
    return (None, None) if failed is None else (str(failed) or "it cannot be asked", failed.cause)


async def _role(pool: Pool, base: Path, node: DatabaseNode, name: str, role: Role, password: str) -> Attempt:
    async def attempt() -> None:
        connection = await connect(pool, node, role, password, tls.for_database(pool.database, base))
        connection.terminate()

    failed = await _why(attempt, pool.watch.timeout)
    return Attempt(node.name, FindingCode.ROLE_LOG_IN, RoleLogIn(
        *_outcome(failed), name, role.user, pool.database.name, pool.database.tls is not None))


async def _monitor(pool: Pool, base: Path, cluster: MailCluster, server: MailServerSettings, password: str) -> Attempt:
    monitor = cluster.monitor
    separator = monitor.separator if monitor.acts == "master" else None

    async def attempt() -> None:
        context = tls.for_mail(cluster, server, base)
        async with asyncio.timeout(pool.watch.timeout):
            client = await ImapClient.connect(*host_and_port(server.address), server.security, context, LOG_IN)
        try:
            await log_in_for(client, cluster.probe.user, monitor.user, password, separator)
        finally:
            client.close()

    failed = await _why(attempt, LOG_IN)
    return Attempt(server.name, FindingCode.MONITOR_LOG_IN, MonitorLogIn(
        *_outcome(failed), monitor.user, cluster.probe.user, separator is not None))


def _receivers(pool: Pool, base: Path) -> Iterator[Awaitable[Attempt]]:
    """Each system that alerts or traces are sent to, asked without one. Raises ConfigError."""
    from tuiha.watch.alerts.collector import Collector
    from tuiha.watch.alerts.post import Undelivered
    from tuiha.watch.alerts.receivers import receivers

    async def ask(section: str, code: FindingCode, receiver: Probed) -> Attempt:
        try:
            async with asyncio.timeout(LOG_IN):
                await receiver.probe(pool.pool)
        except TimeoutError:
            told = OfReceiver(f"no answer in {LOG_IN:g} s", Cause.SILENT, receiver.name)
        except Undelivered as error:
            told = OfReceiver(str(error), Cause.OTHER, receiver.name, error.refused)
        else:
            told = OfReceiver(None, None, receiver.name)
        return Attempt(section, code, told)

    for section, _, receiver in receivers(pool, base):
        yield ask(f"alerts.{section}", FindingCode.ALERT_RECEIVER, receiver)
    if pool.traces is not None:
        yield ask("traces", FindingCode.TRACE_RECEIVER, Collector(pool.traces, base))


def _operators(pool: Pool, base: Path, found: dict[str, str], look: Look) -> Iterator[Awaitable[Attempt]]:
    """The operator's token, at every server that answers."""
    if "operator" not in found:
        return
    opener = guarded(server_opener(pool, base, found["operator"]))

    async def ask(name: str, address: str) -> Attempt:
        driver = opener(name, address)

        async def attempt() -> None:
            await driver.poll()

        try:
            failed = await _why(attempt, pool.watch.timeout)
        finally:
            await driver.close()
        return Attempt(name, FindingCode.OPERATOR_TOKEN, Tried(*_outcome(failed)))

    foreign = {server.name for server in pool.servers} - {server.name for server in pool.own_servers}
    for server in look.servers:
        if server.fresh and server.name not in foreign:
            yield ask(server.name, server.address)


def _steering(pool: Pool, base: Path, look: Look) -> Iterator[Awaitable[Attempt]]:
    """Where operations are started from: may each sprayer that answers be steered, as drain and enable do?"""
    fresh = {sprayer.name for sprayer in look.sprayers if sprayer.error is None}
    for sprayer in pool.sprayers if pool.control.operator is not None else ():
        if sprayer.name in fresh and sprayer.driver == "haproxy":  # another one's driver only looks
            yield _steers(pool, sprayer, base)


async def _steers(pool: Pool, sprayer: Sprayer, base: Path) -> Attempt:
    async def attempt() -> None:
        level = await open_haproxy(sprayer, Site(pool, base)).level()
        if level != ADMIN:
            raise DriverError(f"it has level {level}, not {ADMIN}")

    field = "socket" if sprayer.operator is None else "operator"
    failed = await _why(attempt, pool.watch.timeout)
    return Attempt(sprayer.name, FindingCode.SPRAYER_STEERING, Steering(*_outcome(failed), field))
