"""How servers are told of the new primary, whichever version they are of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from tests.operate.database.test_epochs import JOB
from tests.operate.support import Told
from tuiha.config.settings import Pool
from tuiha.operate.database.steps.servers import Attach
from tuiha.operate.reach.world import World
from tuiha.words.operations import text

ON_NEW: dict[str, Any] = {"database": "db2", "epoch": 5, "lease_seconds": 4.9, "queue": 0, "reason": None}
NOT_YET: dict[str, Any] = {**ON_NEW, "database": None, "epoch": None, "lease_seconds": 0.0, "reason": "no lease yet"}


class Server:
    """A server's control interface that notes what it is told."""

    def __init__(self, attach: list[dict[str, Any]], status: list[dict[str, Any]]) -> None:
        self._answers = {"attach": attach, "status": status, "release": [{"held": False}]}
        self.told: list[tuple[str, Mapping[str, Any] | None]] = []

    async def get(self, address: str, path: str, *, seconds: float = 2.0) -> Any:
        return await self.post(address, path)

    async def post(self, address: str, path: str, body: Mapping[str, Any] | None = None, *,
                   seconds: float = 2.0) -> Any:
        self.told.append((path, body))
        answers = self._answers[path]
        return answers.pop(0) if len(answers) > 1 else answers[0]


async def attach(server: Server) -> str:
    world = World(Pool.model_construct(), cast(Any, None), cast(Any, None), cast(Any, server), {}, {})
    return text(await Attach(replace(JOB, servers={"s1": "http://s1"}), 10).run(world, Told()))


async def test_one_order_attaches_releases_and_answers_with_the_lease() -> None:
    server = Server([{**ON_NEW, "queue": 7}], [])
    assert "1 servers on db2 with leases, 7 requests waited" in await attach(server)
    assert server.told == [("attach", {"epoch": 5, "database": "db2", "seconds": 3.0})]


async def test_without_a_lease_in_time_it_is_told_again() -> None:
    server = Server([NOT_YET, ON_NEW], [])
    assert "1 servers on db2 with leases" in await attach(server)
    assert [path for path, _ in server.told] == ["attach", "attach"]


async def test_a_lease_in_another_epoch_does_not_count() -> None:
    server = Server([{**ON_NEW, "epoch": 4}, {**ON_NEW, "database": "db1"}, ON_NEW], [])
    await attach(server)
    assert len(server.told) == 3


async def test_a_server_of_the_version_before_is_told_once_and_then_looked_at() -> None:
    """Its answer tells of no lease, its hold goes on, and each order would end the attempt that is under way."""
    server = Server([{"epoch": 5, "database": "db2"}], [NOT_YET, {**NOT_YET, "queue": 3}, ON_NEW])
    assert "1 servers on db2 with leases, 3 requests waited" in await attach(server)
    assert [path for path, _ in server.told] == ["attach", "release", "status", "status", "status"]
