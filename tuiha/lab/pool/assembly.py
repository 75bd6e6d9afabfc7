"""All parts of an embedded pool: started together in the right order, and single ones again later."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import random
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuiha.drivers.protocols import GuardLedger
from tuiha.lab.parts import enterprise, etcd, mail, users
from tuiha.lab.parts.agents import Agents
from tuiha.lab.parts.haproxy import SprayerError, Sprayers
from tuiha.lab.parts.mail import Mail
from tuiha.lab.parts.postgres import Pair, system_identifier
from tuiha.lab.pool import configuration
from tuiha.lab.pool.children import ChildCommand, ChildError, Children, ChildState
from tuiha.lab.pool.layout import Layout
from tuiha.lab.runtime import binaries, python
from tuiha.lab.runtime.python import Python

_PR_SET_CHILD_SUBREAPER = 36
_IMPORTED = 60.0  # seconds: the imports, on a very busy machine


def take_orphans_in(yes: bool) -> None:
    """Whether this process becomes the parent of descendants whose parent ended."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, int(yes), 0, 0, 0)


class Nursery:
    """One nursery, for the processes of one plan: name -> module and its arguments."""

    def __init__(self, name: str, imports: str, plan: Mapping[str, Sequence[str]], python: Python, cwd: Path,
                 children: Children) -> None:
        self._name = name
        self._children = children
        self._plan = plan
        self._command = {
            part: ChildCommand(python.module(*words), cwd=cwd, env=python.env) for part, words in plan.items()
        }
        logs = {part: children.open_log(part) for part in plan}
        try:
            fitted = {part: [str(logs[part]), *words] for part, words in plan.items()}
            argv = python.module("tuiha.lab.pool.nursery", imports, json.dumps(fitted), str(os.getpid()))
            self._child = children.start(name, ChildCommand(argv, cwd=cwd, env=python.env, talks=True, ends=True,
                                                            files=tuple(logs.values())))
        finally:
            for descriptor in logs.values():
                os.close(descriptor)
        self._reader: asyncio.StreamReader | None = None

    async def release(self, *names: str) -> None:
        """Start processes of the plan; returns when they are children. Raises ChildError."""
        process = self._child.process
        assert process.stdin is not None
        try:
            process.stdin.write("".join(f"{name}\n" for name in names).encode())
            process.stdin.flush()
            async with asyncio.timeout(_IMPORTED):
                reader = await self._answers()
                for _ in names:
                    words = (await reader.readline()).split()
                    if len(words) != 2:
                        raise ChildError(f"{self._name} ended too early. {self._children.last_words(self._name)}")
                    name = words[0].decode()
                    self._children.adopt(name, int(words[1]), self._command[name])
        except BrokenPipeError:
            raise ChildError(f"{self._name} ended. {self._children.last_words(self._name)}") from None
        except TimeoutError:
            raise ChildError(f"{self._name} does not answer after {_IMPORTED:g} s") from None

    async def _answers(self) -> asyncio.StreamReader:
        if self._reader is None:
            reader = asyncio.StreamReader()
            await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), self._child.process.stdout)
            self._reader = reader
        return self._reader

    def close(self) -> None:
        """Let the nursery end; what it started goes on."""
        if self._child.process.stdin is not None:
            self._child.process.stdin.close()


# Below the ports that the kernel gives to outgoing connections: nothing takes one while its owner is down.
PORTS = range(18000, 32000)


class Ports:
    """Ports that one process has claimed for its children.

    A port that is free to bind is not enough: two pools that start at once would choose the same, and a part that is
    down for a moment would find its port taken. A claim is a socket with the port in its abstract name, which the
    kernel gives to one process of a network namespace and takes back when that ends, however it ends.
    """

    def __init__(self) -> None:
        self._claims: dict[int, socket.socket] = {}

    def take(self, count: int) -> list[int]:
        """Claim so many ports that nothing listens on. Raises OSError when there are not enough."""
        found: list[int] = []
        candidates = random.sample(PORTS, len(PORTS))
        while len(found) < count and candidates:
            port = candidates.pop()
            if port not in self._claims and self._claim(port):
                found.append(port)
        if len(found) < count:
            for port in found:
                self._claims.pop(port).close()
            raise OSError(f"{count} free ports were wanted on 127.0.0.1 between {PORTS.start} and {PORTS.stop}, "
                          f"{len(found)} were found")
        return found

    def _claim(self, port: int) -> bool:
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            claim.bind(f"\0tuiha-port-{port}")
        except OSError:
            claim.close()
            return False
        if not is_free(port):
            claim.close()
            return False
        self._claims[port] = claim
        return True


def is_free(port: int) -> bool:
    """Whether nothing has that port of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


DATABASES = ("db1", "db2")
SPRAYERS = ("spray1", "spray2")
LOAD = "load"

_STEP = 0.02
_ANSWER = 30.0  # seconds until a part must answer, on a busy machine
_INITDB = 60.0
_SPARE_SERVERS = 8  # that may be added later, in the databases' max_connections

# What a pool server, the load and a mail server need from their first moment.
_SERVER_IMPORTS = ("aiohttp.web,asyncpg,psutil,tuiha.cli.main,tuiha.cli.commands.run.serve,tuiha.config.find,"
                   "tuiha.config.load,tuiha.server.main,tuiha.lab.load.run,tuiha.lab.load.setup,tuiha.lab.load.devices")
_MAIL_IMPORTS = "tuiha.lab.parts.mailnode"


class OrderError(Exception):
    """An order cannot be carried out. The text is for people."""


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """What kind of pool is built."""

    servers: int = 4
    users: int = 200
    load: bool = True
    ledger: str = "file"  # or "etcd"
    guards: int = 0


Say = Callable[[str], None]


class Assembly:
    """The parts of one embedded pool. Everything here runs on the supervisor's event loop."""

    def __init__(self, layout: Layout, options: PoolOptions, children: Children, say: Say) -> None:
        self._layout = layout
        self._options = options
        self._children = children
        self._say = say
        self._programs = binaries.find()
        in_etcd = options.ledger == "etcd"
        self._etcd_program = etcd.find() if in_etcd else None
        names = [*DATABASES, *SPRAYERS, *("peer " + name for name in SPRAYERS), *mail.NODES,
                 *((etcd.NAME, etcd.PEER) if in_etcd else ()),
                 *(f"s{number}" for number in range(1, options.servers + 1))]
        self._free = Ports()
        self._ports = dict(zip(names, self._free.take(len(names)), strict=True))
        self._servers = {name: self._ports[name] for name in names if name.startswith("s") and name[1:].isdigit()}
        self._configured = dict(self._servers)
        self._sprayers = Sprayers(layout, {name: self._ports[name] for name in SPRAYERS},
                                  {name: self._ports["peer " + name] for name in SPRAYERS})
        self._mail = Mail(layout, {name: self._ports[name] for name in mail.NODES})
        self._etcd = etcd.Etcd(layout, self._ports[etcd.NAME], self._ports[etcd.PEER]) if in_etcd else None
        self._users = users.make(options.users)
        self._growing = asyncio.Lock()
        self._commands: dict[str, Callable[[], ChildCommand]] = {}

    # Building

    async def build(self) -> None:
        """Start everything; returns when every part answers. Raises errors with a text for people."""
        began = time.monotonic()
        layout = self._layout
        layout.publish(layout.users, users.as_text(self._users))
        if layout.account is not None:
            self._programs = await asyncio.to_thread(binaries.copy, self._programs, layout.folder / "programs")
        self._pair = Pair(layout, self._programs.postgres, {name: self._ports[name] for name in DATABASES},
                          connections=(len(self._servers) + _SPARE_SERVERS) * 10 + 40)
        self.agents = Agents(self._pair, self._children)
        await self._start_etcd()
        take_orphans_in(True)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._build_databases())
            group.create_task(self._build_the_rest())
        await self._nursery.release(*self._servers)
        for name in SPRAYERS:
            await self._until(name, lambda name=name: self._sprays(name, list(self._servers)))  # type: ignore[misc]
        self._say(f"servers: {', '.join(self._servers)} take devices ({_since(began)})")
        if self._options.load:
            await self._nursery.release(LOAD)
        self._nursery.close()
        await self._start_guards()
        take_orphans_in(False)
        self._say(f"the pool answers after {_since(began)}")

    async def _start_guards(self) -> None:
        """Guards act for the operator who started the pool, so they run as that user. One is active at the end."""
        for number in range(1, self._options.guards + 1):
            command = self._guard(f"g{number}")
            self._commands[f"g{number}"] = lambda command=command: command  # type: ignore[misc]
            self._children.start(f"g{number}", command)
        if self._options.guards:
            await self._until("g1", self._is_guarded)

    async def _is_guarded(self) -> bool:
        ledger = (self._etcd or etcd.NoEtcd(self._layout)).ledger(configuration.POOL)
        try:
            return isinstance(ledger, GuardLedger) and (await ledger.guard_texts()).report is not None
        finally:
            await ledger.close()

    def _guard(self, name: str) -> ChildCommand:
        argv = (sys.executable, "-m", "tuiha", "guard", name, "--config", str(self._layout.config))
        return ChildCommand(argv, cwd=self._layout.folder, env=os.environ, ours=True)

    async def _start_etcd(self) -> None:
        """Start the etcd that the ledger is in, if it is; it elects itself while the databases are made."""
        if self._etcd is None or self._etcd_program is None:
            return
        program = self._etcd_program
        if self._layout.account is not None:
            program = await asyncio.to_thread(etcd.copy, program, self._layout.folder / "programs")
        self._layout.make_node(etcd.NAME)
        command = self._etcd.command(program)
        self._commands[etcd.NAME] = lambda: command
        self._children.start(etcd.NAME, command)

    async def _build_databases(self) -> None:
        began = time.monotonic()
        pair = self._pair
        pair.prepare()
        await self._children.finish("initdb", pair.initdb(), _INITDB)
        with self._layout.acting():
            identifier = system_identifier(pair.data(pair.names[0]))
        await self._configure(identifier)
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
        from tuiha.model.reports import LedgerRecord, Standby

        place = self._etcd or etcd.NoEtcd(self._layout)
        self._layout.publish(self._layout.config, configuration.text(
            self._layout, identifier, self._servers, self._pair, self._sprayers, self._mail.ports,
            self._options.users, place.settings(), self._options.guards > 0), everyone=True)
        if self._etcd is not None:
            endpoint = self._etcd.endpoint
            await self._until(etcd.NAME, lambda: etcd.answers(endpoint))
        ledger = place.ledger(configuration.POOL)
        try:
            await ledger.create(LedgerRecord(
                pool=configuration.POOL, epoch=1, active=DATABASES[0], standby=Standby.SYNC,
                system_identifier=identifier, timeline=1))
        finally:
            await ledger.close()

    async def _build_the_rest(self) -> None:
        self._python = await asyncio.to_thread(python.for_children, self._layout)
        self._prepare_servers()
        for name in SPRAYERS:
            self._layout.make_node(name)
            self._commands[name] = lambda name=name: self._sprayer(name)  # type: ignore[misc]
            self._children.start(name, self._sprayer(name))
        await self._build_mail()

    async def _build_mail(self) -> None:
        began = time.monotonic()
        self._layout.make_node(mail.VALKEY)
        plan = {name: ("tuiha.lab.parts.mailnode", *self._mail.arguments(name)) for name in mail.NODES}
        nursery = Nursery("mail-nursery", _MAIL_IMPORTS, plan, self._python, self._layout.folder, self._children)
        self._commands[mail.VALKEY] = lambda: self._mail.valkey(self._programs)
        self._children.start(mail.VALKEY, self._mail.valkey(self._programs))
        await mail.add_users(self._mail, self._users)
        await nursery.release(*mail.NODES)
        nursery.close()
        for name, port in self._mail.ports.items():
            self._commands[name] = lambda name=name: self._run(*plan[name])  # type: ignore[misc]
            await self._until(name, lambda port=port: mail.greets(port))  # type: ignore[misc]
        self._say(f"mail: {', '.join(mail.NODES)} serve {len(self._users)} mailboxes ({_since(began)})")

    def _prepare_servers(self) -> None:
        """Have pool servers and load imported, to be started when the databases are ready."""
        self._layout.make_node(LOAD)
        plan = {name: self._server(name) for name in self._servers} | {LOAD: self._load()}
        for name in self._servers:
            self._commands[name] = lambda name=name: self._run(*self._server(name))  # type: ignore[misc]
        self._commands[LOAD] = lambda: self._run(*self._load())
        self._nursery = Nursery("server-nursery", _SERVER_IMPORTS, plan, self._python, self._layout.folder,
                                self._children)

    # How parts are started

    def _run(self, module: str, *arguments: str) -> ChildCommand:
        return ChildCommand(self._python.module(module, *arguments), cwd=self._layout.folder, env=self._python.env)

    def _server(self, name: str) -> list[str]:
        """Module and arguments of a pool server."""
        words = ["tuiha", "serve", name, "--config", str(self._layout.config)]
        if name not in self._configured:
            words += ["--listen", f"127.0.0.1:{self._servers[name]}"]
        return words

    def _load(self) -> list[str]:
        """Module and arguments of the load."""
        return ["tuiha.lab.load", "--config", str(self._layout.config), "--users", str(self._layout.users),
                "--stats", str(self._layout.node(LOAD) / "load.json")]

    def _sprayer(self, name: str) -> ChildCommand:
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

    async def start(self, name: str, words: Sequence[str] = ()) -> None:
        """Start a part again that was killed or ended; a pool server, if wanted, as another module with arguments.

        From then on that is how it is started.
        """
        if name not in self._commands:
            raise OrderError(self.unknown(name))
        if words and name not in self._servers:
            raise OrderError(f"{name} is not a pool server: only those are started otherwise than they were")
        command = self._commands[name] if not words else lambda: self._run(*words)
        self._children.start(name, command())
        self._commands[name] = command

    def unknown(self, name: str) -> str:
        """The message for a name that is none."""
        return f"there is no part '{name}' in this pool; there are {', '.join(self.names())}"

    async def resume(self, name: str) -> None:
        """Let a paused part go on; a sprayer is told of servers that were added while it was paused."""
        self._children.resume(name)
        if name in SPRAYERS:
            await self._catch_up(name)

    async def _catch_up(self, name: str) -> None:
        await self._until(name, lambda: self._sprays(name, []))  # at first it may drop whoever asks: others waited
        known = await self._sprayers.states(name)
        for server, port in self._servers.items():
            if server not in known:
                await self._sprayers.add_server(name, server, port)

    async def add_server(self) -> str:
        """Start one more pool server, known to the sprayers and not in the configuration; returns its name."""
        async with self._growing:
            number = 1 + max((int(name[1:]) for name in self._servers), default=0)
            name = f"s{number}"
            [port] = self._free.take(1)
            self._ports[name] = self._servers[name] = port
            self._commands[name] = lambda: self._run(*self._server(name))
            self._children.start(name, self._commands[name]())
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
