"""Users whom only the mail cluster knows, on a real database and two real mail servers."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from tests.drivers.conftest import MailCluster, certificate, cluster  # noqa: F401  the same real mail servers
from tests.drivers.daemons import free_port
from tests.server.support import Attach, Node
from tuiha.server.database.access import Unavailable
from tuiha.server.devices.enrolment import Provisioner
from tuiha.server.devices.user import User
from tuiha.server.devices.users import Users
from tuiha.server.http.problems import HttpProblem
from tuiha.server.mail.cluster import Cluster, Credentials
from tuiha.server.mail.cluster import MailServer as Server


def known_to(name: str, *ports: int) -> Cluster:
    servers = tuple(Server(f"{name}{number}", "127.0.0.1", port, "plain") for number, port in enumerate(ports))
    return Cluster(name, servers, Credentials("monitor", "x"), Credentials("probe", "x"))


async def log_in(users: Users, name: str, password: str) -> User:
    credentials = base64.b64encode(f"{name}:{password}".encode()).decode()
    return await users.authenticate(make_mocked_request("GET", "/v1/me", {"Authorization": f"Basic {credentials}"}))


@pytest.fixture
async def users(attach: Attach, cluster: MailCluster) -> Users:  # noqa: F811
    one = await attach()
    dead = free_port()
    mail = [known_to("east", dead, *cluster.ports)]  # its first server is gone
    return Users(one.gate, Provisioner(mail, one.gate))


async def test_the_first_log_in_makes_a_user_and_the_mail_server_is_not_asked_again(
    users: Users, node: Node, cluster: MailCluster  # noqa: F811
) -> None:
    cluster.add_user("dora", "first")
    user = await log_in(users, "dora", "first")
    row = await node.admin.fetchrow("SELECT id, mail_cluster, password_hash FROM app_user WHERE name = 'dora'")
    assert (row["id"], row["mail_cluster"]) == (user.id, "east")
    assert row["password_hash"].startswith("scrypt$17$")
    users.logins._provisioner = None
    assert await log_in(users, "dora", "first") == user


async def test_a_password_that_changed_at_the_mail_server_replaces_the_old_one(
    users: Users, cluster: MailCluster  # noqa: F811
) -> None:
    cluster.add_user("emil", "old")
    await log_in(users, "emil", "old")
    cluster.add_user("emil", "new")
    await log_in(users, "emil", "new")
    with pytest.raises(HttpProblem, match="Not logged in"):
        await log_in(users, "emil", "old")


async def test_whom_the_mail_server_refuses_is_nobody(users: Users, node: Node, cluster: MailCluster) -> None:  # noqa: F811
    cluster.add_user("finn", "right")
    for name, password in (("finn", "wrong"), ("nobody", "right")):
        with pytest.raises(HttpProblem, match="Not logged in"):
            await log_in(users, name, password)
    assert await node.admin.fetchval("SELECT count(*) FROM app_user") == 0


@pytest.mark.parametrize("name", ["monitor", "MONITOR", "finn*monitor"])
async def test_the_monitor_s_own_log_in_is_nobody(attach: Attach, cluster: MailCluster, name: str) -> None:  # noqa: F811
    one = await attach()
    cluster.add_user(name.lower(), "the right one")
    mail = known_to("east", *cluster.ports)
    with pytest.raises(HttpProblem, match="Not logged in"):
        await log_in(Users(one.gate, Provisioner([replace(mail, separator="*")], one.gate)), name, "the right one")
    other = replace(mail, monitor=Credentials("another", "x"))  # control: here it is a name like any other
    await log_in(Users(one.gate, Provisioner([other], one.gate)), name, "the right one")
    cluster.add_user("monitor", "the monitor's", "admin")


async def test_a_refusal_takes_as_long_for_a_user_of_one_cluster_as_for_a_stranger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The time of a cluster that is not asked about a known user tells nobody that the user is known."""
    slept = list[float]()

    async def asked(self: Provisioner, one: Cluster, name: str, password: str, opinions: int = 1) -> bool:
        await asyncio.sleep(0.3 if one.name == "west" else 0.0)
        return False

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await real(seconds)

    real = asyncio.sleep
    monkeypatch.setattr(Provisioner, "_accepts", asked)
    gate: Any = None
    provisioner = Provisioner([known_to("east"), known_to("west")], gate)
    assert not await provisioner.admit("nobody", "x", None)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    assert not await provisioner.admit("anna", "x", "east")
    assert slept[0] == 0.0
    assert slept[1] >= 0.29, "as west takes"
    slept.clear()
    assert not await provisioner.admit("nobody", "x", None)
    assert slept == [0.0, 0.3], "a stranger waits for nothing but the answers"


async def test_when_no_mail_server_answers_that_is_not_a_wrong_password(attach: Attach) -> None:
    one = await attach()
    users = Users(one.gate, Provisioner([known_to("east", free_port(), free_port())], one.gate))
    with pytest.raises(Unavailable, match="east"):
        await log_in(users, "gina", "secret")
