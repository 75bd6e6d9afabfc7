"""The embedded pair's agent: carries out the order `agent` for one of its databases, without a host in between."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import struct
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from tuiha.lab.children import ChildError, Children, Command
from tuiha.lab.postgres import PROOF, SUPERUSER, Pair
from tuiha.model.quoting import conninfo, pgpass

_SECONDS = 55.0  # inside the agent's own limit in the configuration
_CONTROL = struct.Struct("=QIIi4xqQQI")  # pg_control: identifier, versions, state, time, checkpoint, redo, timeline
_SHUT_DOWN = (1, 2)  # as a primary, as a secondary
_ROLE_LINES = ("primary_conninfo", "primary_slot_name", "synchronous_standby_names")

Answer = dict[str, Any]


class Agents:
    """Stops, starts, fences, rewinds and copies the databases of one embedded pool."""

    def __init__(self, pair: Pair, children: Children) -> None:
        self._pair = pair
        self._children = children
        self._actions: Mapping[str, Callable[[str, str], Awaitable[Answer]]] = {
            "stop": self._stop, "start": self._start, "position": self._position, "fence": self._fence,
            "rewind": self._rewind, "base_backup": self._base_backup, "follow": self._follow, "space": self._space,
            "rehearse": self._rehearse,
        }

    async def act(self, name: str, action: str, argument: str) -> Answer:
        """Do one action. Raises ChildError."""
        if name not in self._pair.ports:
            raise ChildError(f"'{name}' is not a database of this pool; there are {', '.join(self._pair.ports)}")
        if action not in self._actions:
            raise ChildError(f"'{action}' is not an action; there are {', '.join(self._actions)}")
        return await self._actions[action](name, argument)

    def _runs(self, name: str) -> bool:
        child = self._children.get(name)
        return child is not None and child.alive

    def _stopped(self, name: str) -> None:
        if self._runs(name):
            raise ChildError(f"{name} is running; stop it first")

    async def _stop(self, name: str, mode: str) -> Answer:
        number = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}.get(mode)
        if number is None:
            raise ChildError(f"'{mode}' is not a way to stop; there are fast and immediate")
        if self._runs(name):
            await self._children.stop(name, number, _SECONDS)
        return await self._position(name, "")

    async def _start(self, name: str, argument: str) -> Answer:
        if not self._runs(name):
            self._children.start(name, self._pair.command(name))
        return {}

    async def _position(self, name: str, argument: str) -> Answer:
        self._stopped(name)
        with self._pair.layout.acting():
            return shutdown_position(self._pair.data(name))

    async def _fence(self, name: str, argument: str) -> Answer:
        ran = self._runs(name)
        if ran:
            await self._children.kill(name)
        return {"ran": ran}

    async def _space(self, name: str, argument: str) -> Answer:
        return {"free": shutil.disk_usage(self._pair.data(name)).free}

    async def _rehearse(self, name: str, argument: str) -> Answer:
        """Whether the others would find what they need; nothing is changed."""
        pair, folder = self._pair, self._pair.layout.node(name)
        programs = [pair.programs / program for program in ("postgres", "pg_rewind", "pg_basebackup")]
        needed = [folder / "postgresql.conf", pair.data(name) / "global" / "pg_control",
                  *(pair.layout.secret(user) for user in (SUPERUSER, "tuiha_replica"))]
        missing = [*(file for file in programs if not os.access(file, os.X_OK)),
                   *(file for file in needed if not os.access(file, os.R_OK)),
                   *([] if os.access(folder, os.W_OK) else [folder])]
        if missing:
            raise ChildError(f"{missing[0]} is not there, or may not be used")
        return {"ready": True}

    async def _rewind(self, name: str, source: str) -> Answer:
        self._stopped(name)
        pair, settings = self._pair, self._pair.layout.node(name) / "postgresql.conf"
        await self._run(name, "pg_rewind", "-D", str(pair.data(name)), "--no-sync",
                        f"--source-server={self._where(source, SUPERUSER)} dbname=postgres",
                        f"--config-file={settings}", user=SUPERUSER, source=source)
        return {"text": f"rewound to {source}"}

    async def _base_backup(self, name: str, source: str) -> Answer:
        self._stopped(name)
        fresh = self._pair.layout.node(name) / "data.new"
        layout = self._pair.layout
        await asyncio.to_thread(layout.remove, fresh)
        await self._run(name, "pg_basebackup", "-D", str(fresh), "-X", "stream", "-c", "fast", "-w", "--no-sync",
                        "-d", self._where(source, "tuiha_replica"), user="tuiha_replica", source=source)
        data = self._pair.data(name)
        await asyncio.to_thread(layout.remove, data)
        layout.move(fresh, data)
        return {}

    async def _follow(self, name: str, source: str) -> Answer:
        """Settings of a role that came with the data (pg_rewind copies the source's) go: node.conf has its own."""
        self._stopped(name)
        self._port(source)
        data, layout = self._pair.data(name), self._pair.layout
        automatic = data / "postgresql.auto.conf"
        kept = [line for line in layout.read(automatic).decode().splitlines()
                if not line.startswith(_ROLE_LINES)]
        layout.write(automatic, "\n".join(kept) + "\n")
        layout.write(data / "standby.signal", "")
        return {}

    def _where(self, source: str, user: str) -> str:
        """Where and how libpq logs in to a database."""
        return conninfo({"host": "127.0.0.1", "port": str(self._port(source)), "user": user, "connect_timeout": "5",
                         "require_auth": PROOF})

    def _port(self, source: str) -> int:
        if source not in self._pair.ports:
            raise ChildError(f"'{source}' is not a database of this pool; there are {', '.join(self._pair.ports)}")
        return self._pair.ports[source]

    async def _run(self, name: str, program: str, *arguments: str, user: str, source: str) -> None:
        layout, folder = self._pair.layout, self._pair.layout.node(name)
        passwords = folder / f"{program}.pgpass"
        line = pgpass("127.0.0.1", str(self._port(source)), "*", user, layout.read_secret(user))
        layout.write(passwords, f"{line}\n")
        command = Command([str(self._pair.programs / program), *arguments], cwd=folder, ends=True,
                          env={**self._pair.environment, "PGPASSFILE": str(passwords)})
        try:
            await self._children.finish(f"{name}-{program}", command, _SECONDS)
        finally:
            with layout.acting():
                passwords.unlink(missing_ok=True)


def shutdown_position(data: Path) -> Answer:
    """What a stopped database's control file says: whether it ended cleanly, where, on which timeline.

    The last record of a clean end is its checkpoint; who has replayed a byte of it has replayed everything.
    """
    raw = (data / "global" / "pg_control").read_bytes()
    _, _, _, state, _, checkpoint, _, timeline = _CONTROL.unpack_from(raw)
    return {"clean": state in _SHUT_DOWN, "position": checkpoint + 1, "timeline": timeline}
