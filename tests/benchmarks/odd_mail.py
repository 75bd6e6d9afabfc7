"""`python -m tests.benchmarks.odd_mail`: what one odd mail in three mailboxes costs everybody else. Eight minutes.

Scenes, each with pool servers as real processes, 60 users and their devices: a mail with more than 1 MiB of header in
three INBOXes of the embedded pool, the same in Dovecot (Debian's), and in Dovecot a mail file that belongs to root,
which it answers with BYE. The three users are monitored by one pool server at one mail server, where a count of users
with trouble would blame the mail server. Printed, of the minute after the odd mail: how often a mail server was judged
gone, how many other users were seen without a mail connection, the longest time until one of the three was told of the
odd mail and of the next one, and the pool's log-ins beside those of a minute without odd mail.

`--checkout PATH` runs another version's servers: the control. Exit code 1 when something is out of reach.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from tests.drivers import dovecot
from tuiha.cli.table import aligned, cell
from tuiha.config.load import load
from tuiha.config.secrets import resolve
from tuiha.lab import mail
from tuiha.lab import users as mail_users
from tuiha.lab.account import unprivileged
from tuiha.lab.control import Control
from tuiha.lab.drill.guests import Guest
from tuiha.lab.drill.mailbox import put
from tuiha.lab.drill.mailwatch import MailFigures, MailWatch, judge, logs_of
from tuiha.lab.layout import Layout
from tuiha.lab.load.devices import User, read_users
from tuiha.lab.load.mailer import MailTarget
from tuiha.lab.oddmail import Odd, compose

HERE = Path(__file__).parents[2]
SERVERS, USERS, HURT = 2, 60, 3
NEXT, MORE = 5.0, 3  # reach: seconds until the next mail is told, log-ins more in a minute
HEAD = ["scene", "gone", "others disconnected", "next mail after", "odd mail after", "log-ins without", "with", ""]
_PATIENCE = 120.0
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
    users: Sequence[User]
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

    async def together(self) -> list[Guest]:
        """Three users who are monitored by one pool server at one mail server."""
        places: dict[tuple[str, str], list[Guest]] = defaultdict(list)
        for guest in self.guests.values():
            headers = {"Authorization": aiohttp.encode_basic_auth(guest.user.name, guest.user.password)}
            async with self.session.get(f"{guest.addresses[0]}/v1/me", headers=headers) as answer:
                told = await answer.json()
            if told["mail_server"] in mail.CLUSTERS[mail_users.MOST_IN]:  # Dovecot's servers have the same names
                places[str(answer.headers.get("X-Tuiha-Server")), told["mail_server"]].append(guest)
        return next(found[:HURT] for found in places.values() if len(found) >= HURT)


@dataclass(frozen=True)
class Outcome:
    """What one scene showed."""

    scene: str
    figures: MailFigures
    next_after: float | None  # seconds; None: not all were told
    odd_after: float | None
    how: str  # how the odd mail was told
    quiet: int  # log-ins of a minute without the odd mail

    @property
    def good(self) -> bool:
        """Whether everything is in reach."""
        return (not self.figures.gone and not self.figures.disconnected and self.next_after is not None
                and self.next_after <= NEXT and self.odd_after is not None
                and self.figures.logins <= self.quiet + MORE)

    def row(self) -> list[str]:
        """A line of the table."""
        return [self.scene, str(self.figures.gone), str(self.figures.disconnected), cell(self.next_after, "{:.1f} s"),
                f"{cell(self.odd_after, '{:.1f} s')} {self.how}", str(self.quiet), str(self.figures.logins),
                "" if self.good else "OUT OF REACH"]


# ---------------------------------------------------------------------- pools

@asynccontextmanager
async def pool_of(checkout: Path) -> AsyncIterator[Control]:
    """An embedded pool whose every process is that version's."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _POOL, str(SERVERS), str(USERS), cwd=checkout, stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(checkout)})
    assert child.stdout is not None
    assert child.stdin is not None
    try:
        async with asyncio.timeout(_PATIENCE):
            folder = (await child.stdout.readline()).decode().strip()
        yield Control(Path(folder))
    finally:
        child.stdin.close()
        await child.wait()


@asynccontextmanager
async def embedded(checkout: Path) -> AsyncIterator[Scene]:
    """The embedded pool with its own mail servers."""
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(pool_of(checkout))
        users = read_users(pool.users_path.read_text())
        settings = load(pool.config_path)
        east = settings.mail[0]
        host, _, port = east.servers[0].address.rpartition(":")
        target = MailTarget("mail1", host, int(port), "plain", mail.MONITOR,
                            resolve(east.monitor.password, pool.folder))
        yield await stack.enter_async_context(crowded(pool, users, target))


@asynccontextmanager
async def on_dovecot(checkout: Path) -> AsyncIterator[tuple[Scene, Path]]:
    """The same with Dovecot in the place of the first cluster's mail servers; the scene, and the mailboxes' folder."""
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(pool_of(checkout))
        users = read_users(pool.users_path.read_text())
        folder = Path(tempfile.mkdtemp(prefix="tuiha-odd-", dir="/tmp"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)
        cluster = stack.enter_context(dovecot.cluster(folder, None, {u.name: u.password for u in users}, most=20))
        await _all_in_first_cluster(pool)
        await _led_to(pool, cluster)
        target = MailTarget("mail1", "127.0.0.1", cluster.nodes[0].port, "plain", dovecot.PROXY, "the proxy's")
        yield await stack.enter_async_context(crowded(pool, users, target)), cluster.folder / "mail"


async def _all_in_first_cluster(pool: Control) -> None:
    settings = load(pool.config_path)
    host, _, port = settings.database.nodes[0].address.rpartition(":")
    connection = await asyncpg.connect(host=host, port=int(port), user="postgres", database=settings.database.name,
                                       ssl=False, password=Layout(pool.folder).read_secret("postgres"))
    await connection.execute("UPDATE app_user SET mail_cluster = $1", settings.mail[0].cluster)
    await connection.close()


async def _led_to(pool: Control, cluster: dovecot.Cluster) -> None:
    """Start every pool server again with a configuration in which the first mail cluster is Dovecot."""
    import yaml

    layout = Layout(pool.folder, unprivileged())
    document: dict[str, Any] = yaml.safe_load(layout.config.read_text())
    for name, text in (("dovecot_master", "the master's"), ("dovecot_probe", "the probe's")):
        layout.write(layout.secret(name), text)
    secret = {name: {"file": f"secrets/{name}"} for name in ("dovecot_master", "dovecot_probe")}
    document["mail"][0] |= {
        "servers": [{"name": node.name, "address": f"127.0.0.1:{node.port}", "security": "plain"}
                    for node in cluster.nodes],
        "monitor": {"user": dovecot.MASTER, "password": secret["dovecot_master"], "acts": "master"},
        "probe": {"user": dovecot.PROBE, "password": secret["dovecot_probe"]},
    }
    path = layout.folder / "pool.dovecot.yaml"
    layout.write(path, yaml.safe_dump(document, sort_keys=False), 0o644)
    for server in document["servers"]:
        name, port = server["name"], server["address"].rpartition(":")[2]
        part = (await pool.state()).part(name)
        assert part.pid is not None
        os.kill(part.pid, signal.SIGTERM)
        while (await pool.state()).part(name).state == "running":  # noqa: ASYNC110 - the supervisor's child
            await asyncio.sleep(0.1)
        await pool.start(name, ["tuiha.lab.drill.child", name, str(path), port])


@asynccontextmanager
async def crowded(pool: Control, users: Sequence[User], target: MailTarget) -> AsyncIterator[Scene]:
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
            await _until(lambda: all(g.registered_at is not None for g in scene.guests.values()), "all registered")
            await _until(lambda: _connected(scene) >= len(users), "all have a mail connection")
            await asyncio.sleep(5.0)
            yield scene
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _connected(scene: Scene) -> int:
    last = {sample.server: sample.connected for sample in scene.watch.samples}
    return sum(last.values())


async def _until(true: Callable[[], bool], what: str, seconds: float = _PATIENCE) -> None:
    give_up = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < give_up, f"not within {seconds:g} s: {what}"
        await asyncio.sleep(0.1)


# ---------------------------------------------------------------------- scenes

Plant = Callable[[Guest], Any]


async def play(scene: Scene, name: str, plant: Plant, seconds: float) -> Outcome:
    """A quiet minute, then the odd mail for three users, then the next mail for each."""
    quiet = await _logins(scene, seconds)
    hurt = await scene.together()
    scene.watch.begin()
    known = {guest.user.name: len(guest.told) for guest in hurt}
    began = time.monotonic()
    for guest in hurt:
        await plant(guest)
    planted = time.monotonic()
    sent: dict[str, tuple[str, float]] = {}
    for guest in hurt:
        message_id = f"next-{time.monotonic_ns()}@odd.tuiha"
        await put(scene.target, guest.user.name, compose(Odd.PLAIN, message_id))
        sent[guest.user.name] = message_id, time.monotonic()
    await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
    figures = judge(scene.watch.samples, began, time.monotonic(), HURT, scene.watch.gone())
    delays = [None if (at := guest.arrived(sent[guest.user.name][0])) is None else at - sent[guest.user.name][1]
              for guest in hurt]
    odd = [next((told for told in guest.told[known[guest.user.name]:]
                 if told.message_id != sent[guest.user.name][0]), None) for guest in hurt]
    how = {"substitute" if one.unreadable else "as a mail" for one in odd if one is not None}
    return Outcome(name, figures, _worst(delays), _worst([None if o is None else o.at - planted for o in odd]),
                   ", ".join(sorted(how)) or "not told", quiet)


def _worst(delays: Sequence[float | None]) -> float | None:
    known = [max(0.0, delay) for delay in delays if delay is not None]
    return max(known) if len(known) == len(delays) else None


async def _logins(scene: Scene, seconds: float) -> int:
    began = time.monotonic()
    await asyncio.sleep(seconds)
    return judge(scene.watch.samples, began, time.monotonic(), 0).logins


def wide(scene: Scene) -> Plant:
    """A mail with more than 1 MiB of header."""
    async def plant(guest: Guest) -> None:
        message_id = f"odd-{time.monotonic_ns()}@odd.tuiha"
        await put(scene.target, guest.user.name, compose(Odd.WIDE, message_id))

    return plant


def of_root(mailboxes: Path) -> Plant:
    """A mail file as a careless restore leaves it: it belongs to root, and Dovecot may not read it."""
    async def plant(guest: Guest) -> None:
        box = mailboxes / guest.user.name
        beside = box / "tmp" / f"{time.time_ns()}.M1.restored"
        beside.write_bytes(compose(Odd.PLAIN, "restored@odd.tuiha"))
        os.chown(beside, 0, 0)
        beside.chmod(0)
        beside.rename(box / "new" / beside.name)

    return plant


async def run(checkout: Path, seconds: float, chosen: Sequence[str]) -> int:
    """All scenes; 1 when one is out of reach."""
    outcomes: list[Outcome] = []
    if "embedded" in chosen:
        async with embedded(checkout) as scene:
            outcomes.append(await play(scene, "embedded: 1 MiB of header", wide(scene), seconds))
    if "dovecot" in chosen:
        async with on_dovecot(checkout) as (scene, _):
            outcomes.append(await play(scene, "Dovecot: 1 MiB of header", wide(scene), seconds))
    if "root" in chosen:
        async with on_dovecot(checkout) as (scene, mailboxes):
            outcomes.append(await play(scene, "Dovecot: a file of root's", of_root(mailboxes), seconds))
    sys.stdout.write("\n".join(aligned([HEAD, *(outcome.row() for outcome in outcomes)], right=range(1, 7))) + "\n")
    return int(not all(outcome.good for outcome in outcomes))


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkout", type=Path, default=HERE, help="another version's folder (a git worktree)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each half of a scene (60)")
    parser.add_argument("--scene", action="append", choices=("embedded", "dovecot", "root"), help="one of them")
    arguments = parser.parse_args()
    chosen = arguments.scene or ["embedded", "dovecot", "root"]
    return asyncio.run(run(arguments.checkout.resolve(), arguments.seconds, chosen))


if __name__ == "__main__":
    sys.exit(main())
