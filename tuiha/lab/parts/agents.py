"""The embedded pair's agent: carries out the order `agent` for one of its databases, without a host in between."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import shutil
import signal
import struct
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from tuiha.config.places import data_file
from tuiha.lab.parts.postgres import PROOF, SUPERUSER, Pair, system_identifier
from tuiha.lab.pool.children import ChildCommand, ChildError, Children
from tuiha.model.quotes import conninfo, pgpass

_SECONDS = 55.0  # inside the agent's own limit in the configuration
_REHEARSAL = 14.0  # seconds for the script's log-ins
_CONTROL = struct.Struct("=QIIi4xqQQI")  # pg_control: identifier, versions, state, time, checkpoint, redo, timeline
_SHUT_DOWN, _SHUT_DOWN_RECOVERING = 1, 2  # cleanly as a primary; while it replayed, as a secondary mostly does
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
            "rehearse": self._rehearse, "identity": self._identity, "discard": self._discard,
        }
        self._turn = asyncio.Lock()  # of rehearsals: each answer is the end of a log

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

    async def _identity(self, name: str, argument: str) -> Answer:
        data = self._pair.data(name)
        with self._pair.layout.acting():
            there = (data / "global" / "pg_control").exists()
            return {"system_identifier": system_identifier(data) if there else None}

    async def _rehearse(self, name: str, source: str) -> Answer:
        """Whether the others would find what they need; nothing is changed. To a partner the host's script logs in."""
        pair, folder = self._pair, self._pair.layout.node(name)
        programs = [pair.programs / program for program in ("postgres", "pg_rewind", "pg_basebackup")]
        needed = [folder / "postgresql.conf", *([] if source else [pair.data(name) / "global" / "pg_control"]),
                  *(pair.layout.secret(user) for user in (SUPERUSER, "tuiha_replica"))]
        missing = [*(file for file in programs if not os.access(file, os.X_OK)),
                   *(file for file in needed if not os.access(file, os.R_OK)),
                   *([] if os.access(folder, os.W_OK) else [folder])]
        if missing:
            raise ChildError(f"{missing[0]} is not there, or may not be used")
        if not source:
            return {"ready": True}
        async with self._turn:
            return await self._script(name, source)

    async def _script(self, name: str, source: str) -> Answer:
        """What the script that pools on hosts of their own use says of the way back."""
        layout, folder, port = self._pair.layout, self._pair.layout.node(name), str(self._port(source))
        passwords, settings, script = (folder / f"rehearsal.{part}" for part in ("pgpass", "conf", "sh"))
        users = (SUPERUSER, "tuiha_replica")
        lines = [pgpass("127.0.0.1", port, "*", user, layout.read_secret(user)) for user in users]
        layout.write(passwords, "\n".join([*lines, ""]))
        where = {"host": "127.0.0.1", "port": port, "passfile": str(passwords), "require_auth": PROOF}
        words = {
            "NODE": name, "SOURCE": source, "DATA": str(self._pair.data(name)), "BIN": str(self._pair.programs),
            "CONFIG": str(folder / "postgresql.conf"), "COPY": conninfo({**where, "user": "tuiha_replica"}),
            "REWIND": conninfo({**where, "user": SUPERUSER, "dbname": "postgres"}),
        }
        layout.write(settings, "".join(f"{word}={shlex.quote(value)}\n" for word, value in words.items()))
        layout.write(script, data_file("config/agent/tuiha-node-agent").read_text(encoding="utf-8"))
        command = ChildCommand(["/bin/sh", str(script), "rehearse", name, source], cwd=folder, ends=True,
                               env={**self._pair.environment, "TUIHA_NODE_AGENT": str(settings)})
        log = layout.logs / f"{name}-rehearse.log"
        before = log.stat().st_size if log.exists() else 0
        try:
            await self._children.finish(f"{name}-rehearse", command, _REHEARSAL)
            with log.open("rb") as said:
                said.seek(before)
                return dict(json.loads(said.read()))
        except ValueError:
            raise ChildError("the rehearsal said something that is no JSON object") from None
        finally:
            with layout.acting():
                passwords.unlink(missing_ok=True)

    async def _rewind(self, name: str, source: str) -> Answer:
        self._stopped(name)
        pair, settings = self._pair, self._pair.layout.node(name) / "postgresql.conf"
        with pair.layout.acting():
            recovering = interrupted(pair.data(name))
        if recovering:
            # pg_rewind would see nothing to rewind: its recovery is brought to its end first, as it does after a crash.
            single = ChildCommand([str(pair.programs / "postgres"), "--single", "-F", "-D", str(pair.data(name)), "-c",
                                   f"config_file={settings}", "template1"], cwd=pair.layout.node(name), ends=True,
                                  env=pair.environment)
            await self._children.finish(f"{name}-recovery", single, _SECONDS)
        await self._run(name, "pg_rewind", "-D", str(pair.data(name)), "--no-sync",
                        f"--source-server={self._where(source, SUPERUSER)} dbname=postgres",
                        f"--config-file={settings}", user=SUPERUSER, source=source)
        return {"text": f"rewound to {source}"}

    async def _base_backup(self, name: str, source: str) -> Answer:
        """The copy is made beside the data folder and verified; the old folder is kept until `discard`."""
        self._stopped(name)
        layout, data, fresh = self._pair.layout, self._pair.data(name), self._pair.layout.node(name) / "data.new"
        await asyncio.to_thread(layout.remove, fresh)
        await self._run(name, "pg_basebackup", "-D", str(fresh), "-X", "stream", "-c", "fast", "-w", "--no-sync",
                        "-d", self._where(source, "tuiha_replica"), user="tuiha_replica", source=source)
        verify = ChildCommand([str(self._pair.programs / "pg_verifybackup"), "-q", str(fresh)],
                              cwd=layout.node(name), ends=True, env=self._pair.environment)
        await self._children.finish(f"{name}-pg_verifybackup", verify, _SECONDS)
        ours = (await self._identity(name, ""))["system_identifier"]
        with layout.acting():
            theirs = system_identifier(fresh)
        if ours not in (None, theirs):
            await asyncio.to_thread(layout.remove, fresh)
            raise ChildError(f"{data} holds another database system ({ours}; {source} is {theirs}): "
                             "it is left as it is")
        if data.exists():
            layout.move(data, data.with_name(f"{data.name}.old.{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}"))
        layout.move(fresh, data)
        return {}

    async def _discard(self, name: str, argument: str) -> Answer:
        if not self._runs(name):
            raise ChildError(f"{name} does not run: data folders that were replaced stay beside it")
        kept = list(self._pair.layout.node(name).glob("data.old.*"))
        for folder in kept:
            await asyncio.to_thread(self._pair.layout.remove, folder)
        return {"removed": len(kept)}

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
        command = ChildCommand([str(self._pair.programs / program), *arguments], cwd=folder, ends=True,
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
    state, checkpoint, timeline = _control(data)
    clean = state == _SHUT_DOWN or (state == _SHUT_DOWN_RECOVERING and not interrupted(data))
    return {"clean": clean, "position": checkpoint + 1, "timeline": timeline}


def interrupted(data: Path) -> bool:
    """Whether a former primary was stopped while it recovered from a crash: then it has not replayed all it wrote."""
    state, _, _ = _control(data)
    return state == _SHUT_DOWN_RECOVERING and not (data / "standby.signal").exists()


def _control(data: Path) -> tuple[int, int, int]:
    """State, latest checkpoint and timeline of a control file."""
    raw = (data / "global" / "pg_control").read_bytes()
    _, _, _, state, _, checkpoint, _, timeline = _CONTROL.unpack_from(raw)
    return state, checkpoint, timeline
