"""`python -m tests.benchmarks.revocation`: how long after an order a revoked device's waiting poll ends.

Three servers, under load. In each run a device polls at one of them, its user is monitored at one of them, and the
order goes to one of them: all three change from run to run. Timed from sending the order to the device's 403, and once
more with the notification lost: the same rows are written without it, and only the servers' own looks find them.

Exit code 1 when a poll took a second or more. About a minute.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from itertools import product
from typing import Any

import asyncpg

from tests.operate.access.devices import Phone, passwords, phones
from tests.operate.pools import bind
from tests.until import until
from tuiha.cli.output.table import aligned
from tuiha.config import secrets
from tuiha.config.load import load
from tuiha.lab.embedded import EmbeddedPool
from tuiha.operate.plans.look import answering, look
from tuiha.operate.reach.active_database import Active
from tuiha.operate.reach.world import World, open_world

RUNS = 20
MOST = 1.0  # seconds
HEAD = ["order", "runs", "median", "most", "reach", "reached"]
_SILENT = """
WITH revoked AS (UPDATE device SET revoked_at = now() WHERE user_id = $1 AND name = $2)
INSERT INTO access_change (number, user_id) SELECT coalesce(max(number), 0) + 1, $1 FROM access_change
"""

Give = Callable[[int, Phone, str], Awaitable[Any]]  # the user's id, the device, the server that is told


async def one(world: World, phone: Phone, monitored: str, asked: str, told: str, give: Give) -> float:
    """The seconds from an order to the end of the poll that waits."""
    await bind(world, {phone.user: monitored})
    assert (await phone.register(asked)).status == 201
    user_id = int(await Active(world).value("SELECT id FROM app_user WHERE name = $1", phone.user))

    async def polling() -> int:
        """Poll on, whatever comes, until the server has something else to say."""
        while (answer := await phone.poll(asked)).status == 200:
            pass
        return answer.status

    poll = asyncio.create_task(polling())
    servers = answering(await look(world)).values()

    async def waits() -> bool:
        said = [await world.control.get(server.address, f"access?user_id={user_id}") for server in servers]
        return any(server["waiting"] for server in said) or poll.done()

    await until(waits)
    await asyncio.sleep(random.uniform(0.1, 0.7))  # at any moment between two looks of the servers
    began = time.monotonic()
    _, status = await asyncio.gather(give(user_id, phone, told), poll)
    took = time.monotonic() - began
    assert status == 403, status
    return took


async def measure(pool: EmbeddedPool, world: World) -> dict[str, list[float]]:
    """All runs, each with a device of its own."""
    settings = load(pool.config_path)
    role, node = settings.database.roles.pool, settings.database.nodes[0]
    host, _, port = node.address.rpartition(":")
    connection = await asyncpg.connect(host=host, port=int(port), user=role.user, database=settings.database.name,
                                       password=secrets.resolve(role.password, pool.folder))
    found: dict[str, list[float]] = {"announced": [], "notification lost": []}
    async with phones(world) as (session, addresses):
        async def order(user_id: int, phone: Phone, told: str) -> None:
            body = {"user": phone.user, "user_id": user_id, "device": phone.name, "reason": "measured"}
            await world.control.post(addresses[told], "devices/revoke", body, seconds=10.0)

        async def silent(user_id: int, phone: Phone, _told: str) -> None:
            await connection.execute(_SILENT, user_id, phone.name)

        places = list(product(sorted(addresses), repeat=3))
        users = list(passwords(pool).items())
        for what, give in (("announced", order), ("notification lost", silent)):
            for run in range(RUNS):
                monitored, asked, told = places[run * 4 % len(places)]
                user, password = users[run % len(users)]
                phone = Phone(session, addresses, user, password, f"{what.split()[0]}-{run}")
                found[what].append(await one(world, phone, monitored, asked, told, give))
    await connection.close()
    return found


async def main() -> int:
    """Measure and print."""
    async with EmbeddedPool(servers=3, users=30, load=True) as pool, \
            open_world(load(pool.config_path), pool.folder) as world:
        found = await measure(pool, world)
    rows = [[what, str(len(took)), f"{statistics.median(took) * 1000:.0f} ms", f"{max(took) * 1000:.0f} ms",
             f"{MOST:g} s", "yes" if max(took) < MOST else "NO"] for what, took in found.items()]
    sys.stdout.write("\n".join(aligned([HEAD, *rows], (1, 2, 3))) + "\n")
    return 0 if all(max(took) < MOST for took in found.values()) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
