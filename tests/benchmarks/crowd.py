"""`python -m tests.benchmarks.crowd CONFIG COUNT`: pool servers that are only pretended, as many as asked for.

Each has a port of its own and answers `GET /control/status` at once, as a pool server would, over real HTTP; it has no
users, no database and no mail. It is for looking at a pool that is larger than this machine could run. On stdin come
lines of JSON, {"beating": N, "all_look": false}: from then on the first N of them live in the database as real servers
do: a lease renewed and a heartbeat written a second, with the statements of the pool server, and the other servers'
rows read as often as real servers read them, or by all with every beat (`all_look`). On stdout goes one line with the
addresses, and for each line on stdin one with the figures since the last.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import statistics
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from tuiha.config.load import load
from tuiha.config.secrets import resolve
from tuiha.model.reports import ServerReport, ServerState, ServerTarget
from tuiha.pooldb.leases import RENEW
from tuiha.pooldb.statements.mail import MAIL_SERVICE
from tuiha.pooldb.statements.servers import BEAT
from tuiha.pooldb.statements.takeovers import CANDIDATES
from tuiha.server.pool.membership import look_interval
from tuiha.server.pool.takeover import candidates

CONNECTIONS = 30  # to the database, for all of them together
_LEASE = 5.0
_WINDOW = 10.0


def name_of(number: int) -> str:
    """Of the n-th pretended server."""
    return f"p{number:04}"


@dataclass
class Pretended:
    """One server that answers and has nothing behind it."""

    name: str
    pool: str
    users: int
    address: str = ""

    def report(self) -> ServerReport:
        """As a healthy server's; a few figures change with every look."""
        return ServerReport(
            self.name, self.pool, "0", ServerState.UP, ServerTarget.UP, users=self.users, devices=self.users,
            availability_index=random.randint(60, 80), database="db1", epoch=1, lease_seconds=4.5,
            requests_per_second=random.uniform(10, 20), latency_ms=random.uniform(2, 4),
            cpu_percent=random.uniform(5, 30), memory_bytes=150_000_000, queue=0, started_at=1_795_000_000.0,
            clock=time.time())

    def answer(self) -> bytes:
        """To any request."""
        body = json.dumps(asdict(self.report())).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


class Connection(asyncio.Protocol):
    """Answers every request, which are small and come whole."""

    def __init__(self, server: Pretended) -> None:
        self._server = server
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        """Somebody looks."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each of the requests."""
        for _ in range(data.count(b"\r\n\r\n")):
            self._transport.write(self._server.answer())


@dataclass
class Hearts:
    """The servers' life in the database."""

    database: asyncpg.Pool
    servers: list[Pretended]
    all_look: bool = False
    took: list[float] = field(default_factory=list)  # seconds from when a beat was due until it was done
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def beat(self, count: int) -> None:
        """So many of them from now on."""
        while len(self._tasks) < count:
            self._tasks.append(asyncio.create_task(self._live(self.servers[len(self._tasks)])))
        while len(self._tasks) > count:
            self._tasks.pop().cancel()

    async def _live(self, server: Pretended) -> None:
        due = look_at = time.monotonic() + random.random()
        while True:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            async with self.database.acquire() as connection:
                await connection.fetchval(RENEW, server.name, 1, "one", _LEASE)
                await connection.fetchval(BEAT, server.name, server.address, "0", "UP", 70, 3000, server.users, 1, 0.0)
                await connection.fetch(MAIL_SERVICE)
                if time.monotonic() >= look_at:
                    candidates(await connection.fetch(CANDIDATES, _WINDOW))
                    look_at = time.monotonic() + (0.0 if self.all_look else look_interval(len(self.servers), 1.0))
            self.took.append(time.monotonic() - due)
            due = max(due + 1.0, time.monotonic())

    def figures(self) -> dict[str, float]:
        """Since they were last asked for."""
        took, self.took = sorted(self.took), []
        return {"beats": len(took), "median": statistics.median(took) if took else 0.0,
                "p99": took[int(0.99 * len(took))] if took else 0.0}


async def run(config: Path, count: int, users: int) -> None:
    """Until stdin ends."""
    settings, loop = load(config), asyncio.get_running_loop()
    servers = [Pretended(name_of(number), settings.pool, users) for number in range(count)]
    listening = []
    for server in servers:
        listener = await loop.create_server(lambda server=server: Connection(server), "127.0.0.1", 0)  # type: ignore[misc]
        server.address = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        listening.append(listener)
    node, role = settings.database.nodes[0], settings.database.roles.pool
    host, _, port = node.address.rpartition(":")
    async with asyncpg.create_pool(
        host=host, port=int(port), user=role.user, password=resolve(role.password, config.parent), ssl=False,
        database=settings.database.name, min_size=1, max_size=CONNECTIONS,
    ) as database:
        hearts = Hearts(database, servers)
        _tell([server.address for server in servers])
        for _ in itertools.count():
            line = await asyncio.to_thread(sys.stdin.readline)
            if not line:
                break
            _tell(hearts.figures())
            told = json.loads(line)
            hearts.all_look = told["all_look"]
            hearts.beat(told["beating"])
        hearts.beat(0)
    for listener in listening:
        listener.close()


def _tell(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("count", type=int)
    parser.add_argument("--users", type=int, default=1000, help="that each of them says it has")
    arguments = parser.parse_args()
    asyncio.run(run(arguments.config, arguments.count, arguments.users))


if __name__ == "__main__":
    main()
