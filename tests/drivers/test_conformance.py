"""The contract of each kind, on our own drivers, on doubles, and on drivers that break it."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.drivers.conftest import MailCluster, Pair, Sprayer
from tests.drivers.daemons import PASSWORD
from tests.drivers.serving import serving
from tests.drivers.test_ledgers import Kind as LedgerKind
from tests.drivers.test_ledgers import etcd_node as etcd_node
from tests.drivers.test_ledgers import kind as kind
from tests.drivers.test_pool_server import FULL
from tests.model import looks
from tests.proof.operations.ground import Ground
from tests.proof.virtual import VirtualLoop
from tests.proof.world import World
from tuiha.drivers.agents.command import CommandAgent
from tuiha.drivers.agents.socket import SocketAgent
from tuiha.drivers.conformance import (
    DATABASE,
    MAIL,
    SERVER,
    SPRAYER,
    Broken,
    PolledContract,
    check_agent,
    check_ledger,
    check_replacing,
    misfits,
)
from tuiha.drivers.databases.postgres import Postgres
from tuiha.drivers.ledgers.file import FileLedger
from tuiha.drivers.mail.imap import Imap
from tuiha.drivers.protocols import Agent, AgentError, DriverError, Stopped
from tuiha.drivers.servers.pool import PoolServerDriver
from tuiha.drivers.sprayers.haproxy import Haproxy
from tuiha.model.databases.durability import Durability, LogReceiver
from tuiha.model.reports import LedgerRecord, ServerReport


@asynccontextmanager
async def pool_server() -> AsyncIterator[str]:
    """A control interface that is well, as HOST:PORT."""
    async def status(_: web.Request) -> web.Response:
        return web.json_response(asdict(FULL))

    async with serving({"/control/status": status}) as address:
        yield address.removeprefix("http://")


async def test_a_pool_server_conforms() -> None:
    async with pool_server() as address:
        seen = await SERVER.check(
            lambda there: PoolServerDriver("s1", f"http://{there}", "token", None, "demo"),
            address,
            well=lambda report: report == FULL,
        )
    assert "refused" in seen.refused


@pytest.mark.parametrize("name", ["db1", "db2"])
async def test_a_database_conforms(pair: Pair, name: str) -> None:
    seen = await DATABASE.check(lambda there: Postgres(name, there, "tuiha", "tuiha_watch", PASSWORD),
                                getattr(pair, name).address, well=lambda report: report.writable is (name == "db1"))
    assert seen.refused == "connection refused"


async def test_a_sprayer_conforms(sprayer: Sprayer) -> None:
    seen = await SPRAYER.check(lambda there: Haproxy("spray1", f"tcp:{there}", "pool", sprayer.map),
                               sprayer.tcp.removeprefix("tcp:"), well=lambda report: report.learned == 1)
    assert "refused" in seen.refused


async def test_a_mail_server_conforms(cluster: MailCluster) -> None:
    cluster.add_user("conform", "pw")
    seen = await MAIL.check(lambda there: Imap("mail1", there, "plain", "conform", "pw"),
                            f"127.0.0.1:{cluster.ports[0]}", well=lambda report: "ready" in report.greeting)
    assert seen.refused == "connection refused"


async def test_ledgers_conform(kind: LedgerKind) -> None:
    assert (await check_ledger(kind, kind.pool)).epoch == 3


AGENT = """
import json, pathlib, sys
place, action = pathlib.Path(sys.argv[1]), sys.argv[2]
up, answer = place.exists(), {}
if action == "start":
    place.touch()
elif action in ("stop", "fence"):
    place.unlink(missing_ok=True)
if action in ("stop", "position"):
    answer = {"clean": True, "position": 4096, "timeline": 2}
elif action == "fence":
    answer = {"ran": up}
print(json.dumps(answer))
"""


@asynccontextmanager
async def agent(way: str, folder: Path) -> AsyncIterator[Callable[[bool], Agent]]:
    """An agent of a database that is a file, and one that cannot be asked."""
    program = folder / "agent.py"
    program.write_text(AGENT)
    command = [sys.executable, str(program), str(folder / "up")]
    if way == "command":
        yield lambda there: CommandAgent("db1", command if there else [str(folder / "none")], 20.0)
        return

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        order = json.loads(await reader.readline())
        process = await asyncio.create_subprocess_exec(*command, order["action"], stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        writer.write(json.dumps({"ok": True, **json.loads(out)}).encode() + b"\n")
        writer.close()

    async with await asyncio.start_unix_server(serve, str(folder / "sock")):
        yield lambda there: SocketAgent("db1", folder / ("sock" if there else "none"), 20.0)


@pytest.mark.parametrize("way", ["command", "socket"])
async def test_agents_conform(way: str, tmp_path: Path) -> None:
    async with agent(way, tmp_path) as made:
        assert await check_agent(made(True), made(False)) == Stopped(True, 4096, 2)


def test_what_doubles_report_is_what_drivers_can_report() -> None:
    """The looks that other tests are made of: a value that no driver could have would prove nothing."""
    polled = (looks.primary(), looks.secondary(), looks.server("s1"), looks.sprayer("spray1"), looks.mail("mail1"),
              looks.record())
    for one in polled:
        assert one.report is not None
        assert [*misfits(one.report, type(one.report))] == []


# ---------------------------------------------------------------------------- drivers that break their contract


class Good:
    """A pool server's driver in a few lines: it reads one line. Those below break one rule each."""

    capabilities: frozenset[str] = frozenset({"poll"})
    report = FULL

    def __init__(self, address: str) -> None:
        self.host, _, self.port = address.rpartition(":")
        self.closed = False

    async def line(self) -> bytes:
        try:
            reader, writer = await asyncio.open_connection(self.host, int(self.port))
        except OSError:
            raise DriverError("connection refused") from None
        try:
            return await reader.read(5)
        except OSError:
            raise DriverError("connection reset") from None
        finally:
            writer.close()

    async def poll(self) -> ServerReport:
        if await self.line() != b"well\n":
            raise DriverError("that is no answer")
        return self.report

    async def close(self) -> None:
        self.closed = True


class NoCapabilities(Good):
    capabilities = frozenset()


class WrongType(Good):
    report = replace(FULL, users="5")  # type: ignore[arg-type]


class OfAnotherKind(Good):
    report = looks.primary().report  # type: ignore[assignment]


class OnlyOnce(Good):
    async def poll(self) -> ServerReport:
        if self.closed:
            raise DriverError("it is closed")
        return await super().poll()


class Invents(Good):
    async def poll(self) -> ServerReport:
        return replace(self.report, users=len(await self.line()))


class OtherErrors(Good):
    async def poll(self) -> ServerReport:
        try:
            return await super().poll()
        except DriverError:
            raise KeyError("users") from None


class Talks(Good):
    async def poll(self) -> ServerReport:
        try:
            return await super().poll()
        except DriverError:
            raise DriverError("Traceback:\n  File") from None


class Blocks(Good):
    async def line(self) -> bytes:
        with socket.socket() as connection:
            if connection.connect_ex((self.host, int(self.port))):
                raise DriverError("connection refused")
            return connection.recv(5)


class Hasty(Good):
    async def line(self) -> bytes:
        try:
            async with asyncio.timeout(0.02):
                return await super().line()
        except TimeoutError:
            raise DriverError("no answer") from None


@asynccontextmanager
async def well() -> AsyncIterator[str]:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"well\n")
        writer.close()

    async with await asyncio.start_server(say, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_driver_that_keeps_the_contract_passes() -> None:
    async with well() as address:
        assert (await SERVER.check(Good, address)).report == FULL


@pytest.mark.parametrize(("driver", "rule"), [
    (NoCapabilities, "'poll' in it"),
    (WrongType, "of its type: users is '5'"),
    (OfAnotherKind, "a ServerReport, not DatabaseReport"),
    (OnlyOnce, "it is closed"),
    (Invents, "nothing is invented"),
    (OtherErrors, "DriverError alone, not KeyError"),
    (Talks, "one short line"),
    (Hasty, "no deadline of its own"),
])
async def test_a_driver_that_breaks_a_rule_is_found(
    driver: Callable[[str], PolledContract[ServerReport]], rule: str
) -> None:
    async with well() as address:
        with pytest.raises((Broken, DriverError), match=rule):
            await SERVER.check(driver, address, well=lambda report: report.users == 5)


async def test_a_driver_that_blocks_the_loop_is_found() -> None:
    """The target that is well is in another process: a driver that blocks would silence one in this loop."""
    target = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import socket\ns = socket.create_server(('127.0.0.1', 0))\nprint(s.getsockname()[1], "
        "flush=True)\nwhile True:\n    c, _ = s.accept()\n    c.sendall(b'well\\n')\n    c.close()",
        stdout=asyncio.subprocess.PIPE)
    try:
        assert target.stdout is not None
        port = int(await target.stdout.readline())
        with pytest.raises(Broken, match="never blocks the event loop"):
            await SERVER.check(Blocks, f"127.0.0.1:{port}")
    finally:
        target.kill()
        await target.wait()


@pytest.mark.parametrize("world", [World, lambda seed: Ground(seed, troubled=False)])
def test_the_doubles_of_the_ledger_compare_as_the_real_ones_do(world: Callable[[int], World]) -> None:
    """The simulations prove nothing with a ledger that lets two hands change one revision."""
    async def run() -> int:
        stage = world(7)
        ledger = stage.ledger
        return (await check_replacing([ledger] * 5, await ledger.poll())).epoch

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(run()) == 3


def test_a_double_that_compares_nothing_is_found() -> None:
    async def run() -> None:
        stage = Ground(7, troubled=False)
        stage.memory.compares = False
        await check_replacing([stage.memory] * 5, stage.memory.record)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner, pytest.raises(Broken, match="an old revision"):
        runner.run(run())


class Forgetful(FileLedger):
    """It compares nothing."""

    async def replace(self, old: LedgerRecord, new: LedgerRecord) -> LedgerRecord:
        return await super().replace(await self.poll(), new)


class Careless(FileLedger):
    """A second create writes over the first record."""

    async def create(self, record: LedgerRecord) -> LedgerRecord:
        try:
            return await super().replace(await self.poll(), record)
        except DriverError:
            return await super().create(record)


@pytest.mark.parametrize(("ledger", "rule"), [(Forgetful, "an old revision is a Conflict"),
                                              (Careless, "a second create is a Conflict")])
async def test_a_ledger_that_breaks_a_rule_is_found(tmp_path: Path, ledger: type[FileLedger], rule: str) -> None:
    with pytest.raises(Broken, match=rule):
        await check_ledger(lambda: ledger(tmp_path / "ledger.json", "demo"), "demo")


class Liar(CommandAgent):
    """It says of each database that it ran."""

    async def _order(self, action: str, argument: str, seconds: float) -> Mapping[str, Any]:
        return {**await super()._order(action, argument, seconds), "ran": True}


async def test_an_agent_that_breaks_a_rule_is_found(tmp_path: Path) -> None:
    async with agent("command", tmp_path) as made:
        with pytest.raises(Broken, match="an agent that cannot be asked is an AgentError"):
            await check_agent(made(True), made(True))
        program = [sys.executable, str(tmp_path / "agent.py"), str(tmp_path / "up")]
        with pytest.raises(Broken, match="fence says that a stopped database did not run"):
            await check_agent(Liar("db1", program, 20.0), made(False))
        with pytest.raises(AgentError):
            await check_agent(made(False), made(False))


def test_misfits_are_found_however_deep() -> None:
    durability = Durability("db2", (LogReceiver("db2", "streaming", "sync"),))
    report = looks.primary().report
    assert report is not None
    assert [*misfits(replace(report, durability=durability), type(report))] == []
    deep = replace(durability, followers=(LogReceiver("db2", "streaming", None),))  # type: ignore[arg-type]
    assert [*misfits(replace(report, durability=deep), type(report))] != []
    assert [*misfits(replace(report, timeline=True), type(report))] == ["timeline is True, not int"]
    assert [*misfits(replace(report, replay_lag_seconds=float("nan")), type(report))] == ["replay_lag_seconds is nan"]
