"""A real pool for tests of operations, and who is where in it."""

from __future__ import annotations

import asyncio
from collections import Counter

from tests.until import until
from tuiha.lab.embedded import EmbeddedPool
from tuiha.operate.plans.look import answering, look
from tuiha.operate.reach.active_database import Active
from tuiha.operate.reach.control import ControlError
from tuiha.operate.reach.world import World

_BOUND = """
SELECT u.name, b.server, b.generation FROM binding b JOIN app_user u ON u.id = b.user_id
WHERE b.expires_at > clock_timestamp() ORDER BY u.name
"""


def names(pool: EmbeddedPool) -> list[str]:
    """The users' names."""
    return [line.split("\t")[0] for line in pool.users_path.read_text().splitlines()]


async def bind(world: World, users: dict[str, str]) -> None:
    """Bind users to servers (user -> server), and wait until they are monitored there."""
    servers = answering(await look(world))
    first = next(iter(servers.values())).address
    for user, server in users.items():
        await _bind(world, first, user, server)
    await monitored_once(world)


async def _bind(world: World, address: str, user: str, server: str) -> None:
    """A device of the user may be asking at the same time: then a server says to look again."""
    for _ in range(20):
        try:
            await world.control.post(address, "bind", {"user": user, "server": server})
            return
        except ControlError as error:
            if "look again" not in str(error):
                raise
        await asyncio.sleep(0.1)
    raise AssertionError(f"{user} is moved all the time")


async def bound(world: World) -> dict[str, str]:
    """User -> server, as the rows say."""
    return {row["name"]: row["server"] for row in await Active(world).rows(_BOUND)}


async def monitored_once(world: World, seconds: float = 60.0) -> Counter[str]:
    """Wait until every bound user is monitored on exactly the server of its row; server -> users."""
    servers = answering(await look(world))

    async def agree() -> bool:
        rows = await bound(world)
        said: list[tuple[str, str]] = []
        for name, server in servers.items():
            try:
                told = await world.control.get(server.address, "users", seconds=10.0)
            except ControlError:
                return False  # busy; it is asked again
            said += [(user["user"], name) for user in told["users"]]
        return sorted(said) == sorted(rows.items())

    await until(agree, seconds=seconds)
    return Counter((await bound(world)).values())
