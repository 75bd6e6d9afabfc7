"""Agents: what a program or a socket is told, and what becomes of its answers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tuiha.drivers.agents.command import CommandAgent
from tuiha.drivers.agents.socket import SocketAgent
from tuiha.drivers.protocols import AgentError, Stopped


def program(folder: Path, text: str) -> list[str]:
    script = folder / "agent"
    script.write_text(f"#!/bin/sh\n{text}\n")
    script.chmod(0o700)
    return [str(script), "first"]


async def test_a_program_gets_action_node_and_argument(tmp_path: Path) -> None:
    command = program(tmp_path, f'echo "$@" >> {tmp_path}/told\n'
                                'case $2 in stop|position) echo \'{"clean": true, "position": 9, "timeline": 3}\';;\n'
                                'fence) echo \'{"ran": true}\';; esac')
    agent = CommandAgent("db1", command, 10.0)
    assert await agent.stop() == Stopped(True, 9, 3) == await agent.position()
    assert await agent.fence() is True
    await agent.start()
    await agent.rewind("db2")
    await agent.base_backup("db2")
    await agent.follow("db2")
    assert (tmp_path / "told").read_text().splitlines() == [
        "first stop db1 fast", "first position db1", "first fence db1", "first start db1", "first rewind db1 db2",
        "first base_backup db1 db2", "first follow db1 db2"]


@pytest.mark.parametrize(("text", "words"), [
    ("echo it is broken >&2; exit 3", "could not stop: it is broken"),
    ("exit 3", "exit code 3"),
    ("echo no", "not a JSON object"),
    ("echo '[]'", "not a JSON object"),
    ("echo '{}'", "clean, position and timeline"),
    ("sleep 30", "did not finish stop in 0.3 s"),
])
async def test_a_program_that_fails_says_so(tmp_path: Path, text: str, words: str) -> None:
    agent = CommandAgent("db1", program(tmp_path, text), 0.3 if "sleep" in text else 10.0)
    with pytest.raises(AgentError, match=words):
        await agent.stop()


async def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="cannot be run"):
        await CommandAgent("db1", [str(tmp_path / "none")], 1.0).start()


async def test_a_socket_gets_orders_and_refuses(tmp_path: Path) -> None:
    orders = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        orders.append(json.loads(await reader.readline()))
        good = orders[-1]["action"] == "fence"
        writer.write(json.dumps({"ok": good, "ran": False} if good else {"ok": good, "error": "it is paused"}).encode()
                     + b"\n")
        writer.close()

    async with await asyncio.start_unix_server(serve, str(tmp_path / "sock")):
        agent = SocketAgent("db1", tmp_path / "sock", 5.0)
        assert await agent.fence() is False
        with pytest.raises(AgentError, match="could not rewind: it is paused"):
            await agent.rewind("db2")
    assert orders[1] == {"do": "agent", "name": "db1", "action": "rewind", "argument": "db2"}
    with pytest.raises(AgentError, match="cannot be asked"):
        await SocketAgent("db1", tmp_path / "none", 1.0).start()
