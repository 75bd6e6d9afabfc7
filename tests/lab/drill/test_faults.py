"""What drills hurt a pool with: found in the acts, put into the network, carried out in a process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from pathlib import Path

import pytest

from tuiha.lab.drill.acts.base import Wait
from tuiha.lab.drill.acts.operate import Operate
from tuiha.lab.drill.faults import disk, inside, network
from tuiha.lab.drill.matrix.unattended import table
from tuiha.lab.drill.needs import lacking, needs
from tuiha.lab.drill.network import Link, Network, link, spread
from tuiha.lab.parts.proxy import Proxy

PARTS = {"servers": ("s1", "s2", "s3"), "sprayers": ("spray1", "spray2")}
CLIENTS = {"s1", "s2", "s3", "spray1", "spray2", "db1", "db2", "coordinator", "members"}
TARGETS = {"s1", "s2", "s3", "db1", "db2", "mail1", "mail2", "mail3", "mail4"}

_CHILD = """
import sys, threading, time
from pathlib import Path
from tuiha.lab.drill.child import WallClock, hurt_at_signal
clock = WallClock()
clock.install()
hurt_at_signal(Path(sys.argv[1]), clock)
beats = []
def beat():
    while True:
        beats.append(1)
        time.sleep(0.01)
threading.Thread(target=beat, daemon=True).start()
boot = time.clock_gettime(time.CLOCK_BOOTTIME)
print("ready", flush=True)
seen = 0
while not clock.ahead:  # set by the handler, which then blocks this thread for half a second
    seen = len(beats)
    time.sleep(0.01)
print(time.time() - clock._time(), time.clock_gettime(time.CLOCK_BOOTTIME) - boot, len(beats) - seen,
      flush=True)
"""


def test_what_acts_need_is_found_in_them_and_in_those_of_an_operation() -> None:
    acts = (network.cut("servers>db1"), Operate("switchover", then=(Wait(1), inside.block(9, "s2"), disk.Fill("db2"))),
            network.mend("servers>db1"))
    found = needs(acts)
    assert found.links == (Link("servers", "db1"),)
    assert (found.hurtable, found.disks) == (("s2",), ("db2",))
    assert "only root" in (lacking(acts, root=False) or "")
    assert lacking(acts, root=True) is None
    assert lacking((Wait(1),), root=False) is None


def test_every_link_of_a_scenario_is_between_parts_that_there_are() -> None:
    for scenario in table().values():
        for wanted in needs(scenario.acts).links:
            for one in spread(wanted, PARTS):
                assert one.client in CLIENTS, scenario.name
                assert one.target in TARGETS, scenario.name
                assert one.client != one.target


def test_a_group_stands_for_its_members() -> None:
    assert spread(link("servers>db1"), PARTS) == [Link(name, "db1") for name in ("s1", "s2", "s3")]
    assert spread(link("coordinator>db2"), PARTS) == [Link("coordinator", "db2")]


async def test_a_link_is_hurt_and_mended_in_its_own_thread() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(100):
                writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    way, net = Link("s1", "db1"), Network()
    try:
        port = await net.open(way, "127.0.0.1", server.sockets[0].getsockname()[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await net.hurt(way, Proxy.cut)
        writer.write(b"one")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await reader.read(3)
        await net.hurt(way, Proxy.mend)
        async with asyncio.timeout(20):
            assert await reader.readexactly(3) == b"one"
        writer.close()
    finally:
        await net.close()
        server.close()
    assert net.links == (way,)


async def test_a_server_is_blocked_and_its_wall_clock_moved_from_inside(tmp_path: Path) -> None:
    orders = tmp_path / "s1.hurt"
    orders.write_text(json.dumps({"shift": -3600.0, "block": 0.5}))
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _CHILD, str(orders), stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    try:
        async with asyncio.timeout(90):
            assert (await child.stdout.readline()).strip() == b"ready"
            child.send_signal(signal.SIGUSR1)
            ahead, boot, beats = map(float, (await child.stdout.readline()).split())
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
    assert ahead == pytest.approx(-3600, abs=1)
    assert 0 < boot < 90  # what leases are measured by goes on
    assert beats > 5  # the fence's thread does, too
