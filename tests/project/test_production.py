"""The files for production name the same things."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from tuiha.config.load import load
from tuiha.config.places import data_file

POOL = load(data_file("config/pool.example.yaml"))
HAPROXY = data_file("config/haproxy.cfg").read_text()
KEEPALIVED = data_file("config/keepalived.conf").read_text()
POSTGRESQL = data_file("config/postgresql.md").read_text()


def test_sprayers_send_to_the_servers_of_the_pool() -> None:
    found = dict(re.findall(r"(?m)^    server (s\d+) (\S+)", HAPROXY))
    assert found == {server.name: urlsplit(server.address).netloc for server in POOL.servers}


def test_the_watcher_finds_the_sprayers() -> None:
    for sprayer in POOL.sprayers:
        assert f"backend {sprayer.backend}\n" in HAPROXY
        assert f"map_str({sprayer.map})" in HAPROXY
        assert sprayer.socket is not None
        host, _, port = sprayer.socket.removeprefix("tcp:").rpartition(":")
        assert f"bind :{port} ssl" in HAPROXY.partition("frontend runtime\n")[2]
        assert f"peer {sprayer.name} {host}:" in HAPROXY
        assert f"bind :{sprayer.address.rpartition(':')[2]} ssl" in HAPROXY.partition("frontend devices\n")[2]


def test_keepalived_asks_the_sprayer_of_its_host() -> None:
    (asked,) = re.findall(r"http://(\S+?)\"", KEEPALIVED)
    address, _, path = asked.partition("/")
    alive = HAPROXY.partition("frontend alive\n")[2]
    assert f"bind {address}\n" in alive
    assert f"monitor-uri /{path}\n" in alive


def test_keepalived_is_whole() -> None:
    text = re.sub(r"(?m)#.*$", "", KEEPALIVED)
    assert text.count("{") == text.count("}")
    assert len(set(re.findall(r"virtual_router_id (\d+)", text))) == 2
    (weight,) = re.findall(r"weight -(\d+)", text)
    priorities = sorted(int(one) for one in re.findall(r"priority (\d+)", text))
    assert priorities[1] - int(weight) < priorities[0]  # without its sprayer the master is below its partner


def test_roles_and_databases_have_one_name_everywhere() -> None:
    roles = POOL.database.roles
    named = set(re.findall(r"CREATE ROLE (\w+)", POSTGRESQL))
    assert {roles.pool.user, roles.watcher.user} <= named
    assert f"CREATE DATABASE {POOL.database.name} " in POSTGRESQL
    for node in POOL.database.nodes:
        assert f"`{node.name}`" in POSTGRESQL
