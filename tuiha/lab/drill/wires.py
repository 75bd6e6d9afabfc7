"""Leads a running embedded pool's connections through the drill's network, before the load begins.

Servers are started again with a configuration of their own, in which databases and mail servers are at the proxies'
ports; the secondary is told another port to follow; sprayers are told another port of a server; the coordinator gets a
configuration of its own. Whatever is not wanted by the scenario connects as ever.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuiha.config.load import load
from tuiha.config.settings import Pool
from tuiha.drivers.sprayers.haproxy import Haproxy
from tuiha.lab.drill.needs import Setting
from tuiha.lab.drill.network import COORDINATOR, MEMBERS, Link, Network
from tuiha.lab.pool.account import unprivileged
from tuiha.lab.pool.control import LabControl
from tuiha.lab.pool.layout import Layout

_CHILD = "tuiha.lab.drill.child"
_END = 20.0  # seconds for a server to leave
_LOOPBACK = "127.0.0.1"

Ports = dict[str, int]


def ports_of(settings: Pool) -> Ports:
    """Part -> port, of everything that can be connected to."""
    named = [*((one.name, one.address) for one in settings.servers),
             *((one.name, one.address) for one in settings.database.nodes),
             *((one.name, one.address) for cluster in settings.mail for one in cluster.servers)]
    return {name: int(address.rpartition(":")[2]) for name, address in named}


def groups(settings: Pool) -> dict[str, tuple[str, ...]]:
    """Name of a group -> its members, as links name them."""
    return {"servers": tuple(server.name for server in settings.servers),
            "sprayers": tuple(sprayer.name for sprayer in settings.sprayers)}


async def wire(pool: LabControl, settings: Pool, links: Iterable[Link], hurtable: Iterable[str],
               changed: Sequence[Setting] = ()) -> Wired:
    """Put a proxy into each link; `hurtable` servers are started so that they can be hurt from inside.

    `changed`: what is different in the configuration of every server.
    """
    wired = Wired(pool, settings, changed)
    try:
        for wanted in dict.fromkeys(links):
            wired.ports[wanted] = await wired.network.open(wanted, _LOOPBACK, wired.direct[wanted.target])
        await wired.apply(set(hurtable))
    except BaseException:
        await wired.network.close()
        raise
    return wired


class Wired:
    """A pool whose connections go through a network."""

    def __init__(self, pool: LabControl, settings: Pool, changed: Sequence[Setting] = ()) -> None:
        self.network = Network()
        self.ports: dict[Link, int] = {}
        self.direct = ports_of(settings)
        self._pool = pool
        self._settings = settings
        self._changed = changed
        self._layout = Layout(pool.folder, unprivileged())

    @property
    def coordinator(self) -> Path:
        """The configuration that operations are run with."""
        own = self._layout.folder / f"pool.{COORDINATOR}.yaml"
        return own if own.exists() else self._layout.config

    async def apply(self, hurtable: set[str]) -> None:
        """Lead every connection through its proxy."""
        servers = [server.name for server in self._settings.servers]
        databases = [node.name for node in self._settings.database.nodes]
        own = [name for name in servers if self._changed or name in hurtable or self._of(name)
               or Link(MEMBERS, name) in self.ports]
        if self._of(COORDINATOR):
            self._write(COORDINATOR)
        for sprayer in self._settings.sprayers:
            for target, port in self._of(sprayer.name).items():
                await Haproxy(sprayer.name, sprayer.operator or sprayer.socket or "", sprayer.backend).set_address(
                    target, f"{_LOOPBACK}:{port}")
        for name in databases:
            for target, port in self._of(name).items():
                await self._follow(name, self.direct[target], port)
        await asyncio.gather(*(self._again(name) for name in own))

    def _of(self, client: str) -> Mapping[str, int]:
        """Target -> port of its proxy, for one client."""
        return {link.target: port for link, port in self.ports.items() if link.client == client}

    def _write(self, name: str) -> Path:
        """A configuration in which what `name` connects to is at the proxies' ports."""
        import yaml

        document: dict[str, Any] = yaml.safe_load(self._layout.config.read_text(encoding="utf-8"))
        _move(document["database"]["nodes"], self._of(name))
        for cluster in document["mail"]:
            _move(cluster["servers"], self._of(name))
        members = {link.target: port for link, port in self.ports.items() if link.client == MEMBERS}
        _move(document["servers"], members)
        for section, key, value in self._changed:
            for entry in document[section] if isinstance(document.get(section), list) else [
                    document.setdefault(section, {})]:
                entry[key] = value
        path = self._layout.folder / f"pool.{name}.yaml"
        self._layout.publish(path, yaml.safe_dump(document, sort_keys=False, width=110), everyone=True)
        load(path)
        return path

    async def _again(self, name: str) -> None:
        """End a server in order, and start it with its own configuration."""
        path = self._write(name)
        pid = (await self._pool.state()).part(name).pid
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
        async with asyncio.timeout(_END):
            while (await self._pool.state()).part(name).state == "running":  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await self._pool.start(name, [_CHILD, name, str(path), str(self.direct[name])])

    async def _follow(self, name: str, old: int, new: int) -> None:
        """Have a database follow its partner through another port, from now on and as a later secondary."""
        folder = self._layout.node(name)
        settings, passwords = folder / "node.conf", folder / "replica.pgpass"
        text = re.sub(rf"(primary_conninfo = .*?)port={old}\b", rf"\g<1>port={new}",
                      self._layout.read(settings).decode())
        self._layout.write(settings, text)
        line = self._layout.read(passwords).decode().strip()
        self._layout.write(passwords, f"{line}\n{line.replace(f':{old}:', f':{new}:', 1)}\n")
        pid = (await self._pool.state()).part(name).pid
        if pid is not None:
            os.kill(pid, signal.SIGHUP)


def _move(entries: Iterable[dict[str, Any]], ports: Mapping[str, int]) -> None:
    for entry in entries:
        if entry["name"] in ports:
            entry["address"] = re.sub(r":\d+$", f":{ports[entry['name']]}", entry["address"])
