"""Faults in a database that goes on running: its sender stopped, its replay paused, strangers and long transactions."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import struct
from dataclasses import dataclass
from typing import Any

import psutil

from tuiha.drivers.databases import scram
from tuiha.drivers.databases.commands import (
    ARCHIVE_STREAMS,
    PAUSE_REPLAY,
    PROMOTE_AND_WAIT,
    RELOAD,
    RESUME_REPLAY,
    set_parameter,
)
from tuiha.lab.drill.acts.base import main_process
from tuiha.lab.drill.stage import NotReached, Stage, until
from tuiha.lab.parts.postgres import DATABASE, SUPERUSER
from tuiha.lab.runtime.binaries import find
from tuiha.model.quotes import conninfo
from tuiha.pooldb.connection import OwnConnection
from tuiha.pooldb.errors import UNREAD

_SECONDS = 5.0
_MOST = 400  # connections that a stranger tries
_STARTUP = b"user\0tuiha_watch\0database\0" + DATABASE.encode() + b"\0\0"


async def connected(stage: Stage, name: str, database: str = DATABASE) -> OwnConnection:
    """A superuser's connection to a database. Raises NotReached."""
    try:
        return await scram.connect(
            host="127.0.0.1", port=stage.port(name), user=SUPERUSER, database=database, timeout=_SECONDS, ssl=False,
            password=stage.layout.read_secret("postgres"), server_settings={"application_name": "drill stranger"})
    except UNREAD as error:
        raise NotReached(f"the drill cannot reach {name}: {error}") from None


async def ask(stage: Stage, name: str, statement: str) -> Any:
    """One value from a database, as its superuser. Raises NotReached."""
    connection = await connected(stage, name)
    try:
        return await connection.fetchval(statement, timeout=_SECONDS)
    except UNREAD as error:
        raise NotReached(f"{name} did not take '{statement}': {error}") from None
    finally:
        await connection.close(timeout=_SECONDS)


@dataclass(frozen=True, slots=True)
class RunStatement:
    """Something that somebody does in a database by hand."""

    database: str
    statement: str
    text: str
    marks: bool = True

    async def do(self, stage: Stage) -> None:
        """Do it."""
        if self.marks:
            stage.mark()
        await ask(stage, self.database, self.statement)


def wait_for_anybody(name: str) -> tuple[RunStatement, RunStatement]:
    """Commits are acknowledged by whoever receives them first."""
    return (RunStatement(name, set_parameter("synchronous_standby_names", "ANY 1 (*)"),
                         f"somebody lets any follower of {name} acknowledge commits"),
            RunStatement(name, RELOAD, f"{name} reads its settings again", marks=False))


@dataclass(frozen=True, slots=True)
class Archive:
    """A program on another host archives the log of a database, and confirms at once what it has."""

    database: str

    @property
    def text(self) -> str:
        """In words."""
        return f"pg_receivewal --synchronous archives the log of {self.database}"

    async def do(self, stage: Stage) -> None:
        """Start it, and wait until it receives. Raises NotReached."""
        folder = stage.layout.folder / "archive"
        folder.mkdir(mode=0o700, exist_ok=True)
        stage.programs.append(await asyncio.create_subprocess_exec(
            str(find().postgres / "pg_receivewal"), "--synchronous", "--no-loop", "-D", str(folder), "-d",
            conninfo({"host": "127.0.0.1", "port": str(stage.port(self.database)), "user": "tuiha_replica",
                      "application_name": "archive"}),
            env={**os.environ, "PGPASSWORD": stage.layout.read_secret("tuiha_replica")},
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL))
        async with asyncio.timeout(_SECONDS):
            while not await ask(stage, self.database, ARCHIVE_STREAMS):  # noqa: ASYNC110 - it is in another process
                await asyncio.sleep(0.1)


@dataclass(frozen=True, slots=True)
class ArchiveEnds:
    """The archive's program ends."""

    text: str = "the archive ends"

    async def do(self, stage: Stage) -> None:
        """End it."""
        while stage.programs:
            program = stage.programs.pop()
            if program.returncode is None:
                program.kill()
            await program.wait()


def pause_replay(name: str) -> RunStatement:
    """The secondary receives and does not replay."""
    return RunStatement(name, PAUSE_REPLAY, f"{name} replays nothing")


def resume_replay(name: str) -> RunStatement:
    """It replays again."""
    return RunStatement(name, RESUME_REPLAY, f"{name} replays again", marks=False)


def promote_by_hand(name: str) -> RunStatement:
    """Somebody promotes the secondary who has not read the manual."""
    return RunStatement(name, PROMOTE_AND_WAIT, f"somebody promotes {name} by hand")


@dataclass(frozen=True, slots=True)
class StopSender:
    """SIGSTOP the process that sends the write-ahead log; the database goes on otherwise."""

    database: str

    @property
    def text(self) -> str:
        """In words."""
        return f"stop only the WAL sender of {self.database} (SIGSTOP)"

    async def do(self, stage: Stage) -> None:
        """Stop it. Raises NotReached when there is none.

        The database itself is not asked: a switchover that has come to its fence ends every connection.
        """
        stage.mark()
        postmaster = await main_process(stage, self.database)
        try:
            sender = next(one for one in psutil.Process(postmaster).children() if "walsender" in _title(one))
            sender.suspend()
        except (StopIteration, psutil.NoSuchProcess):
            raise NotReached(f"nobody receives from {self.database}") from None
        stage.stopped.append(sender.pid)


def _title(process: psutil.Process) -> str:
    """What it says it does; nothing when it has ended meanwhile."""
    try:
        return "".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


@dataclass(frozen=True, slots=True)
class Go:
    """Let processes go on that were stopped one by one."""

    text: str = "the stopped process goes on"

    async def do(self, stage: Stage) -> None:
        """Let them go on; they may have ended meanwhile."""
        while stage.stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(stage.stopped.pop(), signal.SIGCONT)


@dataclass(frozen=True, slots=True)
class Strangers:
    """Somebody takes every connection that a database has to give."""

    database: str

    @property
    def text(self) -> str:
        """In words."""
        return f"a stranger takes all connections of {self.database}"

    async def do(self, stage: Stage) -> None:
        """Begin connections, and never finish their log-in, until one is refused. Raises NotReached."""
        stage.mark()
        port = stage.port(self.database)
        for number in range(_MOST):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            stage.strangers.append(writer)
            writer.write(struct.pack("!II", 8 + len(_STARTUP), 196608) + _STARTUP)
            if number % 8 == 0 and await self._refused(reader):
                return
        raise NotReached(f"{self.database} still takes connections after {_MOST}")

    async def _refused(self, reader: asyncio.StreamReader) -> bool:
        try:
            async with asyncio.timeout(_SECONDS):
                return await reader.read(1) in (b"E", b"")
        except OSError:
            return True


@dataclass(frozen=True, slots=True)
class StrangersLeave:
    """Strangers hang up."""

    text: str = "the stranger leaves"

    async def do(self, stage: Stage) -> None:
        """Close their connections."""
        for writer in stage.strangers:
            writer.transport.abort()
        stage.strangers.clear()


@dataclass(frozen=True, slots=True)
class LongTransaction:
    """Somebody begins a transaction in the active database, writes, and goes for a coffee."""

    database: str
    seconds: float  # how old it is when the drill goes on

    @property
    def text(self) -> str:
        """In words."""
        return f"a stranger's transaction on {self.database} stays open"

    async def do(self, stage: Stage) -> None:
        """Begin it, and wait until it is old."""
        stage.mark()
        connection = await connected(stage, self.database)
        stage.guests.append(connection)
        await connection.execute("BEGIN")
        await connection.execute("LOCK TABLE event IN ROW EXCLUSIVE MODE")
        await asyncio.sleep(self.seconds)


@dataclass(frozen=True, slots=True)
class GuestsLeave:
    """Whoever has a transaction open hangs up."""

    text: str = "the stranger hangs up"

    async def do(self, stage: Stage) -> None:
        """Close the connections."""
        for connection in stage.guests:
            connection.terminate()
        stage.guests.clear()


@dataclass(frozen=True, slots=True)
class WaitFollows:
    """Wait until commits of a database wait for its partner again."""

    database: str
    seconds: float = 60.0

    @property
    def text(self) -> str:
        """In words."""
        return f"commits of {self.database} wait for its partner"

    async def do(self, stage: Stage) -> None:
        """Wait for it."""
        await stage.protected(self.database, self.seconds)


@dataclass(frozen=True, slots=True)
class Writable:
    """Wait until a database that was promoted takes writes."""

    database: str

    @property
    def text(self) -> str:
        """In words."""
        return f"{self.database} takes writes"

    async def do(self, stage: Stage) -> None:
        """Wait for it, as the sampler sees it."""

        def writable() -> bool:
            mine = [s for s in stage.observer.recording.samples[-50:] if s.database == self.database]
            return bool(mine) and mine[-1].writable

        await until(writable, 10.0, f"{self.database} does not take writes")
