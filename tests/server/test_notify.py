"""Messages to the service manager, over a real datagram socket."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
import yaml

from tests.drivers.daemons import free_port
from tests.server.interfaces import settings_of
from tests.server.support import PATIENCE
from tests.until import until
from tuiha.server.database.lifeline import Lifeline
from tuiha.server.notify import ServiceManager


class Socket:
    """The service manager's end."""

    def __init__(self, address: str) -> None:
        self.environment = {"NOTIFY_SOCKET": address}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.setblocking(False)
        self.heard: list[str] = []

    def read(self) -> list[str]:
        """All that was said until now."""
        with suppress(BlockingIOError):
            while True:
                self.heard.append(self._socket.recv(4096).decode())
        return self.heard

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["a file", "abstract"])
def heard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Socket]:
    address = str(tmp_path / "notify") if request.param == "a file" else f"@tuiha-test-{uuid4().hex}"
    there = Socket(address)
    yield there
    there.close()


def test_each_word(heard: Socket) -> None:
    manager = ServiceManager(heard.environment)
    manager.ready()
    manager.status("UP: 5 users,\non db1")
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    manager.reloading()
    manager.alive()
    manager.stopping()
    ready, status, reloading, alive, stopping = heard.read()
    assert (ready, status, alive, stopping) == ("READY=1", "STATUS=UP: 5 users, on db1", "WATCHDOG=1", "STOPPING=1")
    first, _, moment = reloading.partition("\nMONOTONIC_USEC=")
    assert first == "RELOADING=1"
    assert before <= int(moment) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"},
                                         {"WATCHDOG_USEC": "1000"}])
async def test_without_a_socket_nothing_happens(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("a socket was opened")

    lifeline = Lifeline()
    monkeypatch.setattr("tuiha.server.notify.socket.socket", refused)
    manager = ServiceManager(environment)
    manager.ready()
    manager.alive()
    async with asyncio.timeout(PATIENCE):
        await manager.tell(lambda: "UP")
        await manager.give_signs_of_life(lifeline)
    assert manager.watchdog is None


def test_a_service_manager_that_is_gone_ends_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).ready()
    assert "was not told" in caplog.text


@pytest.mark.parametrize(("said", "seconds"), [
    ({"WATCHDOG_USEC": "2500000"}, 2.5), ({}, None), ({"WATCHDOG_USEC": "0"}, None), ({"WATCHDOG_USEC": "soon"}, None),
    ({"WATCHDOG_USEC": "2500000", "WATCHDOG_PID": str(os.getpid())}, 2.5),
    ({"WATCHDOG_USEC": "2500000", "WATCHDOG_PID": "1"}, None),
])
def test_for_how_long_a_sign_may_be_missed(said: dict[str, str], seconds: float | None) -> None:
    assert ServiceManager({"NOTIFY_SOCKET": "/run/notify", **said}).watchdog == seconds


async def test_a_line_is_told_when_it_changes(heard: Socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuiha.server.notify._LOOK", 0.001)
    lines, looks = ["WAITS", "WAITS", "UP"], list[str]()

    def line() -> str:
        looks.append(lines[min(len(looks), 2)])
        return looks[-1]

    task = asyncio.create_task(ServiceManager(heard.environment).tell(line))
    await until(lambda: len(looks) > 5, "looks at the line")
    task.cancel()
    assert heard.read() == ["STATUS=WAITS", "STATUS=UP"]


@pytest.mark.parametrize("hanging", ["serving", "lifeline"])
async def test_a_hanging_loop_gives_no_sign_of_life(heard: Socket, hanging: str) -> None:
    manager = ServiceManager({**heard.environment, "WATCHDOG_USEC": "20000"})
    lifeline, begun, woken = Lifeline(), threading.Event(), threading.Event()
    lifeline.start()
    task = asyncio.create_task(manager.give_signs_of_life(lifeline))
    try:
        await until(lambda: len(heard.read()) >= 3, "signs of life")
        if hanging == "serving":
            before = len(heard.read()) + 1  # one may be on its way
            time.sleep(0.3)  # noqa: ASYNC251 - that is the point: it would be fifteen signs
        else:
            stuck = asyncio.create_task(lifeline.do(_hang(begun, woken)))
            await asyncio.to_thread(begun.wait)
            before = len(heard.read())
            await asyncio.sleep(0.3)
        assert len(heard.read()) <= before
        woken.set()
        if hanging == "lifeline":
            await stuck
        await until(lambda: len(heard.read()) > before + 1, "signs of life again")
        assert set(heard.heard) == {"WATCHDOG=1"}
    finally:
        woken.set()
        task.cancel()
        await asyncio.wait({task})
        await lifeline.stop()


async def _hang(begun: threading.Event, woken: threading.Event) -> None:
    begun.set()
    woken.wait()


async def test_a_pool_server_from_its_start_to_its_end(heard: Socket, tmp_path: Path) -> None:
    """It is ready though there is no database: it answers, and says what it waits for."""
    nowhere: Any = SimpleNamespace(db1=SimpleNamespace(port=free_port()))
    file = tmp_path / "pool.yaml"
    file.write_text(yaml.safe_dump(settings_of(nowhere, tmp_path).model_dump(mode="json", exclude_unset=True)))
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tuiha", "serve", "s1", "--config", str(file), stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, **heard.environment, "WATCHDOG_USEC": "200000"})

    def rest(*left_out: str) -> list[str]:
        return [one.partition("\n")[0] for one in heard.read() if not one.startswith(left_out)]

    try:
        await until(lambda: "READY=1" in heard.read() and "WATCHDOG=1" in heard.heard, "it is ready")
        await until(lambda: any(one.startswith("STATUS=") and "db1" in one for one in heard.read()), "says why")
        server.send_signal(signal.SIGHUP)
        await until(lambda: heard.read().count("READY=1") == 2, "it has reloaded")
        server.send_signal(signal.SIGTERM)
        assert await server.wait() == 0
        assert rest("STATUS=", "WATCHDOG=") == ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]
    finally:
        if server.returncode is None:
            server.kill()
            await server.wait()
