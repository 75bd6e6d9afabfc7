"""Devices are counted in turn where they are nearly too many, and else wait for nobody."""

from __future__ import annotations

import asyncio

from tests.server.support import PATIENCE, Attach, Node
from tuiha.pooldb.statements.changes import HOLD_USER
from tuiha.server.devices import history

MOST = 8


async def test_a_server_that_holds_the_user_keeps_nobody_from_registering_a_second_device(
    node: Node, attach: Attach
) -> None:
    """It may be cut off from the network: the database keeps its lock until it notices."""
    one, cut = await attach("s1"), await attach("s2")
    (user,) = await node.add_users("anna")
    async with cut.gate.transaction() as holding, asyncio.timeout(PATIENCE):
        await holding.execute(HOLD_USER, user)
        assert await one.gate.write(lambda c: history.register(c, user, "phone", "phone", MOST)) is not None


async def test_of_many_that_register_at_once_as_many_come_in_as_there_is_room_for(node: Node, attach: Attach) -> None:
    one, two = await attach("s1"), await attach("s2")
    (user,) = await node.add_users("anna")
    for number in range(MOST // 2):
        assert await history.register(node.admin, user, f"old{number}", "phone", MOST) is not None
    found = await asyncio.gather(*(
        gate.write(lambda c, name=name: history.register(c, user, name, "phone", MOST))
        for number in range(12) for gate, name in ((one.gate, f"a{number}"), (two.gate, f"b{number}"))))
    assert sum(device is not None for device in found) == MOST - MOST // 2
