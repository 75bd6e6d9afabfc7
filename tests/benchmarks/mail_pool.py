"""Embedded pools of any version with a device for each user, for the benchmarks of mail."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from tests.drivers import dovecot
from tests.until import until
from tuiha.config.load import load
from tuiha.config.secrets import resolve
from tuiha.lab.drill.acts.guests import Guest
from tuiha.lab.drill.observation.mailwatch import MailWatch, logs_of
from tuiha.lab.load.devices import LoadUser, read_users
from tuiha.lab.load.mailer import MailTarget
from tuiha.lab.parts import mail
from tuiha.lab.parts import users as mail_users
from tuiha.lab.pool.account import unprivileged
from tuiha.lab.pool.control import LabControl
from tuiha.lab.pool.layout import Layout

HERE = Path(__file__).parents[2]
_PATIENCE = 180.0
_POOL = """
import asyncio, sys
from tuiha.lab.embedded import EmbeddedPool
async def main():
    async with EmbeddedPool(servers=int(sys.argv[1]), users=int(sys.argv[2]), load=False) as pool:
        print(pool.folder, flush=True)
        await asyncio.to_thread(sys.stdin.read)
asyncio.run(main())
"""


@dataclass
class Scene:
    """A running pool with a device for each user."""

    folder: Path
    users: Sequence[LoadUser]
    session: aiohttp.ClientSession
    target: MailTarget  # where mails are put
    watch: MailWatch = field(init=False)
    guests: dict[str, Guest] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.watch = MailWatch(logs_of(Layout(self.folder).logs, list(self.addresses)))

    @property
    def addresses(self) -> dict[str, str]:
        """Pool server -> address."""
        return {server.name: server.address for server in load(Layout(self.folder).config).servers}

    @property
    def connected(self) -> int:
        """How many users have a mail connection, as the pool servers said last."""
        return sum({sample.server: sample.connected for sample in self.watch.samples}.values())

    async def together(self, count: int) -> list[Guest]:
        """Users who are monitored by one pool server at one mail server."""
        places: dict[tuple[str, str], list[Guest]] = defaultdict(list)
        for guest in self.guests.values():
            headers = {"Authorization": aiohttp.encode_basic_auth(guest.user.name, guest.user.password)}
            async with self.session.get(f"{guest.addresses[0]}/v1/me", headers=headers) as answer:
                told = await answer.json()
            if told["mail_server"] in mail.CLUSTERS[mail_users.MOST_IN]:  # Dovecot's servers have the same names
                places[str(answer.headers.get("X-Tuiha-Server")), told["mail_server"]].append(guest)
        return next(found[:count] for found in places.values() if len(found) >= count)


@asynccontextmanager
async def pool_of(checkout: Path, servers: int, users: int) -> AsyncIterator[LabControl]:
    """An embedded pool whose every process is that version's."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _POOL, str(servers), str(users), cwd=checkout, stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(checkout)})
    assert child.stdout is not None
    assert child.stdin is not None
    try:
        async with asyncio.timeout(_PATIENCE):
            folder = (await child.stdout.readline()).decode().strip()
        yield LabControl(Path(folder))
    finally:
        child.stdin.close()
        await child.wait()


@asynccontextmanager
async def embedded(checkout: Path, servers: int, count: int) -> AsyncIterator[Scene]:
    """The embedded pool with its own mail servers."""
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(pool_of(checkout, servers, count))
        users = read_users(pool.users_path.read_text())
        yield await stack.enter_async_context(crowded(pool, users, first_cluster(pool)))


@asynccontextmanager
async def on_dovecot(checkout: Path, servers: int, count: int) -> AsyncIterator[tuple[Scene, Path]]:
    """The same with Dovecot in the place of the first cluster's mail servers; the scene, and the mailboxes' folder."""
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(pool_of(checkout, servers, count))
        users = read_users(pool.users_path.read_text())
        folder = Path(tempfile.mkdtemp(prefix="tuiha-odd-", dir="/tmp"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)
        cluster = stack.enter_context(dovecot.cluster(folder, None, {u.name: u.password for u in users}, most=20))
        await _all_in_first_cluster(pool)
        await _led_to(pool, cluster)
        target = MailTarget("mail1", "127.0.0.1", cluster.nodes[0].port, "plain", dovecot.PROXY, "the proxy's")
        yield await stack.enter_async_context(crowded(pool, users, target)), cluster.folder / "mail"


def first_cluster(pool: LabControl) -> MailTarget:
    """Where mails are put into the mailboxes of the first mail cluster."""
    east = load(pool.config_path).mail[0]
    host, _, port = east.servers[0].address.rpartition(":")
    return MailTarget(east.servers[0].name, host, int(port), "plain", mail.MONITOR,
                      resolve(east.monitor.password, pool.folder))


async def _all_in_first_cluster(pool: LabControl) -> None:
    settings = load(pool.config_path)
    host, _, port = settings.database.nodes[0].address.rpartition(":")
    connection = await asyncpg.connect(host=host, port=int(port), user="postgres", database=settings.database.name,
                                       ssl=False, password=Layout(pool.folder).read_secret("postgres"))
    await connection.execute("UPDATE app_user SET mail_cluster = $1", settings.mail[0].cluster)
    await connection.close()


async def _stopped(pool: LabControl, name: str) -> None:
    await until(pool.state, met=lambda state: state.part(name).state != "running", pause=0.1)


async def _led_to(pool: LabControl, cluster: dovecot.Cluster) -> None:
    """Start every pool server again with a configuration in which the first mail cluster is Dovecot."""
    import yaml

    layout = Layout(pool.folder, unprivileged())
    document: dict[str, Any] = yaml.safe_load(layout.config.read_text())
    for name, text in (("dovecot_master", "the master's"), ("dovecot_probe", "the probe's")):
        layout.publish(layout.secret(name), text)
    secret = {name: {"file": f"secrets/{name}"} for name in ("dovecot_master", "dovecot_probe")}
    document["mail"][0] |= {
        "servers": [{"name": node.name, "address": f"127.0.0.1:{node.port}", "security": "plain"}
                    for node in cluster.nodes],
        "monitor": {"user": dovecot.MASTER, "password": secret["dovecot_master"], "acts": "master"},
        "probe": {"user": dovecot.PROBE, "password": secret["dovecot_probe"]},
    }
    path = layout.folder / "pool.dovecot.yaml"
    layout.publish(path, yaml.safe_dump(document, sort_keys=False), everyone=True)
    for server in document["servers"]:
        name, port = server["name"], server["address"].rpartition(":")[2]
        part = (await pool.state()).part(name)
        assert part.pid is not None
        os.kill(part.pid, signal.SIGTERM)
        await _stopped(pool, name)
        await pool.start(name, ["tuiha.lab.drill.child", name, str(path), port])


@asynccontextmanager
async def crowded(pool: LabControl, users: Sequence[LoadUser], target: MailTarget) -> AsyncIterator[Scene]:
    """A device for each user, once all have a mail connection."""
    token = Layout(pool.folder).read_secret("viewer")
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        scene = Scene(pool.folder, users, session, target)
        tasks = [asyncio.create_task(scene.watch.follow(session, name, address, token))
                 for name, address in scene.addresses.items()]
        try:
            for user in users:
                guest = Guest(user, list(scene.addresses.values()))
                scene.guests[user.name] = guest
                tasks.append(asyncio.create_task(guest.run(session)))
                await asyncio.sleep(0.05)
            await until(lambda: all(g.registered_at is not None for g in scene.guests.values()), "all registered")
            await until(lambda: scene.connected >= len(users), "all have a mail connection")
            await asyncio.sleep(5.0)
            yield scene
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
