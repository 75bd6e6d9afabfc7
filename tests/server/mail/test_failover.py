"""A mail server is gone: its users are monitored through the other one, and nothing is lost or doubled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.server.mail.world import NODES, PATIENCE, QUICK, World
from tests.until import until
from tuiha.server.mail import Bound, Monitor

PARTNER = {"mail1": "mail2", "mail2": "mail1"}


async def on(lab: World, node: str, users: list[Bound]) -> bool:
    return all([await lab.assigned(user) == node for user in users])


async def where(lab: World, monitor: Monitor, user: Bound) -> str:
    found = await until(lambda: lab.assigned(user), "the user has a mail server")
    await until(lambda: monitor.figures().connected == monitor.figures().users, "everybody is connected")
    return str(found)


@pytest.mark.parametrize("hurt", ["kill", "pause"])
async def test_mail_sent_while_a_server_is_gone_arrives_once(lab: World, hurt: str) -> None:
    users = [await lab.user() for _ in range(12)]
    for user in users:
        await lab.send(user, "<before@x>")
    async with lab.monitor(users) as monitor:
        node = await where(lab, monitor, users[0])
        for user in users:
            await lab.arrived(user, "<before@x>")
        harm: Callable[[str], None] = getattr(lab.processes, hurt)
        harm(node)
        for user in users:
            await lab.send(user, "<meanwhile@x>", node=PARTNER[node])
        await until(lambda: on(lab, PARTNER[node], users), "all users are monitored through the partner")
        for user in users:
            await lab.arrived(user, "<before@x>", "<meanwhile@x>")
        lab.processes.start(node)  # it is there again, and nobody is told
        for user in users:
            await lab.send(user, "<after@x>", node=PARTNER[node])
            await lab.arrived(user, "<before@x>", "<meanwhile@x>", "<after@x>")
        assert await on(lab, PARTNER[node], users)
        assert figures(monitor, node).gone


def figures(monitor: Monitor, node: str) -> Any:
    return next(one for one in monitor.figures().servers if one.name == node)


async def test_users_return_when_the_operator_says_so(lab: World) -> None:
    users = [await lab.user() for _ in range(20)]
    async with lab.monitor(users) as monitor:
        monitor.set_in_service({"mail1": False})
        await until(lambda: on(lab, "mail2", users), "everybody left")
        monitor.set_in_service({"mail1": True})

        async def both() -> bool:
            return {await lab.assigned(user) for user in users} == set(NODES)

        await until(both, "those who belong there are back")
        await until(lambda: monitor.figures().connected == len(users), "everybody is connected")
        for user in users:
            await lab.send(user, "<a@x>")
        for user in users:
            await lab.arrived(user, "<a@x>")


async def test_a_whole_cluster_that_is_gone_is_used_again_as_soon_as_one_answers(lab: World) -> None:
    user = await lab.user()
    async with lab.monitor([user]) as monitor:
        for node in NODES:
            lab.processes.kill(node)
        await until(lambda: all(one.gone for one in monitor.figures().servers), "both are judged gone")
        lab.processes.start("mail2")
        await until(lambda: on(lab, "mail2", [user]), "the user is monitored again")
        await until(lambda: monitor.figures().connected == 1, "and connected")
        await lab.send(user, "<a@x>", node="mail2")
        await lab.arrived(user, "<a@x>")


async def test_a_partner_that_was_gone_before_is_asked_at_once_when_it_is_needed(lab: World) -> None:
    users = [await lab.user() for _ in range(4)]
    late = 10 * PATIENCE  # neither the next probe nor the patience of a user helps in time
    never = replace(QUICK, gone_interval=late, deadline=late)
    async with lab.monitor(users, pace=never) as monitor:
        lab.processes.kill("mail1")
        await until(lambda: on(lab, "mail2", users), "everybody is at the partner")
        await until(lambda: figures(monitor, "mail1").gone, "mail1 is judged gone")
        lab.processes.start("mail1")  # nobody is told
        lab.processes.pause("mail2")
        await until(lambda: on(lab, "mail1", users), "everybody is back")


async def test_log_ins_are_spread_over_time(lab: World) -> None:
    users = [await lab.user() for _ in range(30)]
    began = asyncio.get_running_loop().time()
    async with lab.monitor(users, logins_per_second=10.0, login_burst=5) as monitor:
        seconds = asyncio.get_running_loop().time() - began
        most = max(one.logins for one in monitor.figures().servers)
        assert seconds >= (most - 5) / 10.0 - 0.05  # a lower bound only: a slow machine may take longer
        assert sum(one.logins for one in monitor.figures().servers) == 30


async def test_a_user_that_the_mail_cluster_does_not_let_in_does_not_hurt_the_others(lab: World) -> None:
    good = await lab.user()
    bad = Bound((await lab.user()).user_id, "\N{SNOWMAN}\0", good.cluster, 1)  # no log-in has a NUL
    async with lab.monitor([good]) as monitor:
        monitor.set_bound({good.user_id: good, bad.user_id: bad})
        await until(lambda: sum(one.errors for one in monitor.figures().servers) >= 4, "it failed several times")
        assert not any(one.gone for one in monitor.figures().servers)
        await lab.send(good, "<a@x>")
        await lab.arrived(good, "<a@x>")
