"""Devices and mail of an embedded pool, as tests of who may come in use them."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tuiha.config.load import load
from tuiha.drivers.mail.client import ImapClient
from tuiha.lab.embedded import EmbeddedPool
from tuiha.operate.plans.look import answering, look
from tuiha.operate.reach.world import World


@dataclass
class Answer:
    """What a server said, and when."""

    status: int
    body: Any
    at: float  # loop time


@dataclass
class Phone:
    """A device of a user that asks the server that it is told to."""

    session: aiohttp.ClientSession
    addresses: dict[str, str]  # server -> address
    user: str
    password: str
    name: str = "phone"
    key: str = ""
    got: list[str] = field(default_factory=list)  # Message-IDs

    async def ask(self, method: str, server: str, path: str, **more: Any) -> Answer:
        coded = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        async with self.session.request(
            method, f"{self.addresses[server]}{path}", headers={"Authorization": f"Basic {coded}"}, **more
        ) as answer:
            body = await answer.json(content_type=None)
            return Answer(answer.status, body, asyncio.get_running_loop().time())

    async def register(self, server: str) -> Answer:
        answer = await self.ask("PUT", server, f"/v1/devices/{self.name}", json={"kind": "phone"})
        self.key = answer.body.get("key", "")
        return answer

    async def poll(self, server: str, wait: float = 50.0) -> Answer:
        answer = await self.ask("GET", server, f"/v1/devices/{self.name}/changes?since={self.key}&wait={wait:g}")
        if answer.status in (200, 410):
            self.key = answer.body["key"]
            self.got += [change["message_id"] for change in answer.body.get("changes", ())]
        return answer

    async def until(self, server: str, message_id: str, seconds: float = 30.0) -> None:
        """Poll until a message came."""
        async with asyncio.timeout(seconds):
            while message_id not in self.got:
                answer = await self.poll(server, 5.0)
                if answer.status != 200:
                    await asyncio.sleep(0.1)


def passwords(pool: EmbeddedPool) -> dict[str, str]:
    """User -> password, of users with mail."""
    lines = (line.split("\t") for line in pool.users_path.read_text().splitlines())
    return {line[0]: line[1] for line in lines}


@asynccontextmanager
async def phones(world: World) -> AsyncIterator[tuple[aiohttp.ClientSession, dict[str, str]]]:
    """A session, and the addresses of the servers that answer."""
    addresses = {name: server.address for name, server in answering(await look(world)).items()}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield session, addresses


async def deliver(pool: EmbeddedPool, user: str, password: str, message_id: str) -> None:
    """Put one message into the user's mailbox."""
    settings = load(pool.config_path)
    server = settings.mail[0].servers[0]
    host, _, port = server.address.rpartition(":")
    client = await ImapClient.connect(host, int(port), "plain", None, 10.0)
    try:
        await client.login(user, password)
        await client.append("INBOX", f"Message-ID: {message_id}\r\nSubject: x\r\n\r\nx\r\n".encode())
    finally:
        client.close()
