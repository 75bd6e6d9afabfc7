"""Gathering what the doctor judges: databases from inside, certificates, files."""

from __future__ import annotations

import asyncio
import ssl
import stat
from collections.abc import Awaitable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from tuiha.config import tls
from tuiha.config.parts import DatabaseNode, Sprayer
from tuiha.config.secrets import resolve
from tuiha.config.settings import Pool
from tuiha.drivers import certificates
from tuiha.drivers.databases.inspection import inspect
from tuiha.drivers.ledgers.file import lock_of
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.reach import host_and_port
from tuiha.model.check.inspection import Certificate, DatabaseInspection, Front, Inspection, OpenFile
from tuiha.watch.reader import connect

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
