"""The configuration of an embedded pool, as `tuiha --config` reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuiha.lab.parts import haproxy, mail, postgres
from tuiha.lab.pool.layout import Layout

POOL = "demo"
_DEVICES = 10_000  # of one user: a drill's witness registers each device once, under a new name

ORDERS: Mapping[str, Mapping[str, str]] = {  # of a pool's guard: short ones, for its hosts are one
    "failover": {"after": "3s"}, "degrade": {"after": "3s"}, "rejoin": {"after": "15s"}, "protect": {"after": "5s"},
}

_HEAD = """\
# The configuration of an embedded pool, written by tuiha; it goes when the pool does.
# config/pool.example.yaml explains every key. Secrets are in files beside this one.
"""


def text(layout: Layout, system_identifier: str, servers: Mapping[str, int], pair: postgres.Pair,
         sprayers: haproxy.Sprayers, mail_ports: Mapping[str, int], users: int,
         ledger: Mapping[str, Any], guard: bool = False) -> str:
    """The YAML document; with `guard` it gives guards all their orders.

    Servers are sized so that the pool can do without one of them, with a quarter to spare.
    """
    import yaml

    capacity = max(10, -(-5 * users // (4 * max(1, len(servers) - 1))))

    sections: dict[str, Any] = {
        "pool": POOL,
        "servers": [
            {"name": name, "address": f"http://127.0.0.1:{port}", "capacity": capacity}
            for name, port in servers.items()
        ],
        "database": _database(layout, system_identifier, pair),
        "sprayers": [
            {"name": name, "address": f"127.0.0.1:{port}", "socket": f"unix:{sprayers.watched(name)}",
             "operator": f"unix:{sprayers.socket(name)}", "backend": haproxy.BACKEND, "map": str(sprayers.map(name))}
            for name, port in sprayers.ports.items()
        ],
        "mail": [_cluster(layout, cluster, names, mail_ports) for cluster, names in mail.CLUSTERS.items()],
        "ledger": dict(ledger),
        "control": {"viewer": _secret(layout, "viewer"), "operator": _secret(layout, "operator")},
        "limits": {"devices": _DEVICES},
        "recording": {"path": "recording.sqlite"},  # it goes with the pool
    }
    if guard:
        sections["guard"] = {name: dict(order) for name, order in ORDERS.items()}
    return _HEAD + yaml.safe_dump(sections, sort_keys=False, width=110)


def _database(layout: Layout, system_identifier: str, pair: postgres.Pair) -> dict[str, Any]:
    roles = {"pool": "tuiha_pool", "watcher": "tuiha_watch", "coordinator": "tuiha_coordinator",
             "owner": "tuiha_owner"}
    return {
        "name": postgres.DATABASE,
        "nodes": [{"name": name, "address": f"127.0.0.1:{port}", "agent": {"socket": layout.socket.name}}
                  for name, port in pair.ports.items()],
        "system_identifier": system_identifier,
        "roles": {key: {"user": role, "password": _secret(layout, role)} for key, role in roles.items()},
    }


def _cluster(layout: Layout, cluster: str, names: tuple[str, ...], ports: Mapping[str, int]) -> dict[str, Any]:
    return {
        "cluster": cluster,
        "servers": [{"name": name, "address": f"127.0.0.1:{ports[name]}", "security": "plain"} for name in names],
        "monitor": {"user": mail.MONITOR, "password": _secret(layout, "mail_monitor")},
        "probe": {"user": mail.PROBE, "password": _secret(layout, "mail_probe")},
        "logins_per_second": 400,
        "login_burst": 200,
    }


def _secret(layout: Layout, name: str) -> dict[str, str]:
    return {"file": str(layout.secret(name).relative_to(layout.folder))}
