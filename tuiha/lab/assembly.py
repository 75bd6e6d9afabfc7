"""All parts of an embedded pool: started together in the right order, and single ones again later."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuiha.lab import binaries, configuration, enterprise, mail, python, users
from tuiha.lab.children import Children, ChildState, Command
from tuiha.lab.haproxy import SprayerError, Sprayers
from tuiha.lab.layout import Layout, free_ports
from tuiha.lab.mail import Mail
from tuiha.lab.postgres import Pair, system_identifier

DATABASES = ("db1", "db2")
SPRAYERS = ("spray1", "spray2")
LOAD = "load"

_STEP = 0.02
_ANSWER = 30.0  # seconds until a part must answer, on a busy machine
_INITDB = 60.0
_SPARE_SERVERS = 8  # that may be added later, in the databases' max_connections

_SERVER_IMPORTS = ("aiohttp.web,asyncpg,psutil,tuiha.cli.main,tuiha.cli.commands.serve,tuiha.config.find,"
                   "tuiha.config.load,tuiha.server.run")
_LOAD_IMPORTS = "tuiha.config.load,tuiha.lab.load.run,tuiha.lab.load.setting"


class OrderError(Exception):
    """An order cannot be carried out. The text is for people."""


@dataclass(frozen=True, slots=True)
class Options:
    """What kind of pool is built."""

    servers: int = 4
    users: int = 200
    load: bool = True


Say = Callable[[str], None]


class Assembly:
    """The parts of one embedded pool. Everything here runs on the supervisor's event loop."""

    def __init__(self, layout: Layout, options: Options, children: Children, say: Say) -> None:
        self._layout = layout
        self._options = options
        self._children = children
        self._say = say
        self._programs = binaries.find()
        names = [*DATABASES, *SPRAYERS, *("peer " + name for name in SPRAYERS), *mail.NODES,
                 *(f"s{number}" for number in range(1, options.servers + 1))]
        self._ports = dict(zip(names, free_ports(len(names)), strict=True))
        self._servers = {name: self._ports[name] for name in names if name.startswith("s") and name[1:].isdigit()}
        self._configured = dict(self._servers)
        self._sprayers = Sprayers(layout, {name: self._ports[name] for name in SPRAYERS},
                                  {name: self._ports["peer " + name] for name in SPRAYERS})
        self._mail = Mail(layout, {name: self._ports[name] for name in mail.NODES})
        self._users = users.make(options.users)
        self._growing = asyncio.Lock()
        self._commands: dict[str, Callable[[], Command]] = {}

    # Building

    async def build(self) -> None:
        """Start everything; returns when every part answers. Raises errors with a text for people."""
        began = time.monotonic()
        layout = self._layout
        layout.write(layout.users, users.as_text(self._users))
        if layout.account is not None:
            self._programs = await asyncio.to_thread(binaries.copy, self._programs, layout.folder / "programs")
        self._pair = Pair(layout, self._programs.postgres, {name: self._ports[name] for name in DATABASES},
                          connections=(len(self._servers) + _SPARE_SERVERS) * 10 + 40)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._build_databases())
            group.create_task(self._build_the_rest())
        for name in self._servers:
            self._children.release(name)
        for name in SPRAYERS:
            await self._until(name, lambda name=name: self._sprays(name, list(self._servers)))  # type: ignore[misc]
        self._say(f"servers: {', '.join(self._servers)} take devices ({_since(began)})")
        if self._options.load:
            self._children.release(LOAD)
        self._say(f"the pool answers after {_since(began)}")

    async def _build_databases(self) -> None:
        began = time.monotonic()
        pair = self._pair
        pair.prepare()
        await self._children.finish("initdb", pair.initdb(), _INITDB)
        await self._configure(system_identifier(pair.data(pair.names[0])))
        await self._children.finish("copy", pair.copy(), _INITDB)
        pair.make_secondary()
        for name in pair.names:
            self._commands[name] = lambda name=name: pair.command(name)  # type: ignore[misc]
            self._children.start(name, pair.command(name))
        await enterprise.set_up(pair, configuration.POOL, users.as_rows(self._users))
        await enterprise.make_synchronous(pair)
        self._say(f"databases: {' and '.join(pair.names)} replicate synchronously ({_since(began)})")

    async def _configure(self, identifier: str) -> None:
        """Write the configuration and the ledger's first record."""
        from tuiha.drivers.ledgers.file import FileLedger
        from tuiha.model.reports import LedgerRecord, Standby

        self._layout.write(self._layout.config, configuration.text(
            self._layout, identifier, self._servers, self._pair, self._sprayers, self._mail.ports), 0o644)
        await FileLedger(self._layout.ledger).create(LedgerRecord(
            pool=configuration.POOL, epoch=1, active=DATABASES[0], standby=Standby.SYNC,
            system_identifier=identifier, timeline=1))

    async def _build_the_rest(self) -> None:
        self._python = await asyncio.to_thread(python.for_children, self._layout)
        self._start_servers()
        for name in SPRAYERS:
            self._layout.make_node(name)
            self._commands[name] = lambda name=name: self._sprayer(name)  # type: ignore[misc]
            self._children.start(name, self._sprayer(name))
        await self._build_mail()

    async def _build_mail(self) -> None:
        began = time.monotonic()
        self._layout.make_node(mail.VALKEY)
        self._commands[mail.VALKEY] = lambda: self._mail.valkey(self._programs)
        self._children.start(mail.VALKEY, self._mail.valkey(self._programs))
        await mail.add_users(self._mail, self._users)
        for name in mail.NODES:
            self._commands[name] = lambda name=name: self._mail_server(name)  # type: ignore[misc]
            self._children.start(name, self._mail_server(name))
        for name, port in self._mail.ports.items():
            await self._until(name, lambda port=port: mail.greets(port))  # type: ignore[misc]
        self._say(f"mail: {', '.join(mail.NODES)} serve {len(self._users)} mailboxes ({_since(began)})")

    def _start_servers(self) -> None:
        for name in self._servers:
            self._commands[name] = lambda name=name: self._server(name)  # type: ignore[misc]
            self._children.start(name, self._server(name, waits=True))
        folder = self._layout.make_node(LOAD)
        self._commands[LOAD] = lambda: self._load(folder)
        if self._options.load:
            self._children.start(LOAD, self._load(folder, waits=True))

    # How parts are started

    def _python_command(self, module: str, arguments: list[str], imports: str | None = None) -> Command:
        argv = self._python.module(module, *arguments)
        if imports is not None:
            argv = self._python.module("tuiha.lab.prepared", imports, module, *arguments)
        return Command(argv, cwd=self._layout.folder, env=self._python.env, waits=imports is not None)

    def _server(self, name: str, waits: bool = False) -> Command:
        arguments = ["serve", name, "--config", str(self._layout.config)]
        if name not in self._configured:
            arguments += ["--listen", f"127.0.0.1:{self._servers[name]}"]
        return self._python_command("tuiha", arguments, _SERVER_IMPORTS if waits else None)

    def _load(self, folder: Path, waits: bool = False) -> Command:
        arguments = ["--config", str(self._layout.config), "--users", str(self._layout.users),
                     "--stats", str(folder / "load.json")]
        return self._python_command("tuiha.lab.load", arguments, _LOAD_IMPORTS if waits else None)

    def _mail_server(self, name: str) -> Command:
        return self._python_command("tuiha.lab.mailnode", self._mail.arguments(name))

    def _sprayer(self, name: str) -> Command:
        self._sprayers.write(name, self._servers)  # a started sprayer knows servers that were added meanwhile
        return self._sprayers.command(name, self._programs)

    # Waiting

    async def _until(self, name: str, answers: Callable[[], Awaitable[bool]]) -> None:
        """Wait until a part answers. Raises OrderError when it does not, or ended."""
        deadline = time.monotonic() + _ANSWER
        while not await answers():
            child = self._children.get(name)
            if child is None or not child.alive:
                raise OrderError(f"{name} ended while it started. {self._children.last_words(name)}")
            if time.monotonic() > deadline:
                raise OrderError(f"{name} does not answer after {_ANSWER:g} s. {self._children.last_words(name)}")
            await asyncio.sleep(_STEP)

    async def _sprays(self, name: str, servers: list[str]) -> bool:
        """Whether a sprayer finds all these servers healthy."""
        try:
            states = await self._sprayers.states(name)
        except SprayerError:
            return False
        return all(states.get(server, False) for server in servers)

    # Orders

    def names(self) -> list[str]:
        """The parts that orders can name."""
        return sorted(self._commands)

    async def start(self, name: str) -> None:
        """Start a part again that was killed or ended."""
        if name not in self._commands:
            raise OrderError(self.unknown(name))
        self._children.start(name, self._commands[name]())

    def unknown(self, name: str) -> str:
        """The message for a name that is none."""
        return f"there is no part '{name}' in this pool; there are {', '.join(self.names())}"

    async def resume(self, name: str) -> None:
        """Let a paused part go on; a sprayer is told of servers that were added while it was paused."""
        self._children.resume(name)
        if name in SPRAYERS:
            await self._catch_up(name)

    async def _catch_up(self, name: str) -> None:
        known = await self._sprayers.states(name)
        for server, port in self._servers.items():
            if server not in known:
                await self._sprayers.add_server(name, server, port)

    async def add_server(self) -> str:
        """Start one more pool server, known to the sprayers and not in the configuration; returns its name."""
        async with self._growing:
            number = 1 + max((int(name[1:]) for name in self._servers), default=0)
            name = f"s{number}"
            port = free_ports(1, taken=self._ports.values())[0]
            self._ports[name] = self._servers[name] = port
            self._commands[name] = lambda: self._server(name)
            self._children.start(name, self._server(name))
            for sprayer in SPRAYERS:
                child = self._children.get(sprayer)
                if child is not None and child.state is ChildState.RUNNING:
                    await self._sprayers.add_server(sprayer, name, port)
            return name

    def parts(self) -> list[dict[str, Any]]:
        """Every part: name, what it is doing, process id, port."""
        found = []
        for name in self.names():
            child = self._children.get(name)
            found.append({
                "name": name,
                "state": "absent" if child is None else str(child.state),
                "pid": child.process.pid if child is not None and child.alive else None,
                "port": self._ports.get(name),
            })
        return found


def _since(began: float) -> str:
    return f"{time.monotonic() - began:.1f} s"
