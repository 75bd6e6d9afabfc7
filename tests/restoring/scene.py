"""An embedded pool, one of its devices, its mail, and its first database's files."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from tuiha.config.load import load
from tuiha.drivers.reach import host_and_port
from tuiha.lab.embedded import EmbeddedPool
from tuiha.lab.load.books import DeliveredMessage
from tuiha.lab.load.database import Records
from tuiha.lab.load.mailer import MailTarget, compose, deliver
from tuiha.lab.load.setup import setting
from tuiha.lab.runtime import binaries

DEVICE = "/v1/devices/phone"


@dataclass
class Scene:
    """What the steps work on."""

    pool: EmbeddedPool
    user: str
    mail: MailTarget
    device: aiohttp.ClientSession
    key: str = ""
    sent: int = 0

    def tuiha(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command."""
        return subprocess.run([sys.executable, "-m", "tuiha", *arguments, "--config", str(self.pool.config_path)],
                              capture_output=True, text=True, check=False, timeout=120)

    async def send(self, count: int) -> list[str]:
        """Deliver messages; their Message-IDs."""
        ids = [f"{self.sent + number}@restoring" for number in range(1, count + 1)]
        self.sent += count
        for one in ids:
            await deliver(self.mail, self.user, compose(DeliveredMessage(one, self.user, 0.0)))
        return [f"<{one}>" for one in ids]

    async def ask(self) -> tuple[int, dict[str, Any]]:
        """One request for changes; the device keeps the key that it is given."""
        async with self.device.get(f"{DEVICE}/changes", params={"since": self.key, "wait": "2"}) as answer:
            body: dict[str, Any] = await answer.json(content_type=None)
        self.key = body.get("key", self.key)
        return answer.status, body

    async def fetch(self, count: int) -> list[str]:
        """Changes until there are `count`; their Message-IDs. Fails when an answer is not 200."""
        found: list[str] = []
        async with asyncio.timeout(30):
            while len(found) < count:
                status, body = await self.ask()
                assert status == 200, f"{status}: {body}"
                found += [change["message_id"] for change in body["changes"]]
        return found

    async def admin(self) -> Any:
        """A superuser's connection to db1, waited for until it is no longer recovering."""
        host, port = host_and_port(load(self.pool.config_path).database.nodes[0].address)
        async with asyncio.timeout(60):
            while True:
                try:
                    found = await asyncpg.connect(host=host, port=port, user="postgres", database="tuiha", ssl=False,
                                                  password=self.secret("postgres"))
                except (OSError, asyncpg.PostgresError):
                    await asyncio.sleep(0.1)
                    continue
                if not await found.fetchval("SELECT pg_is_in_recovery()"):
                    return found
                await found.close()
                await asyncio.sleep(0.1)

    def secret(self, name: str) -> str:
        """One of the pool's secrets."""
        return (self.pool.folder / "secrets" / name).read_text().strip()

    def back_up(self, target: Path) -> None:
        """A base backup from the secondary."""
        host, port = host_and_port(load(self.pool.config_path).database.nodes[1].address)
        subprocess.run(
            [binaries.find().postgres / "pg_basebackup", "-D", target, "-X", "stream", "-c", "fast", "-w",
             "-d", f"host={host} port={port} user=tuiha_replica"], check=True, timeout=60,
            env={"PATH": "/usr/bin:/bin", "PGPASSWORD": self.secret("tuiha_replica")})

    def put_back(self, backup: Path) -> None:
        """Step 2. The backup holds all the WAL that it needs, so there is no archive."""
        data = self.pool.folder / "db1" / "data"
        owner = data.stat()
        shutil.rmtree(data)
        shutil.copytree(backup, data)
        (data / "standby.signal").unlink(missing_ok=True)
        (data / "recovery.signal").touch()
        own = data / "postgresql.auto.conf"
        role = r"(?m)^(synchronous_standby_names|primary_conninfo|primary_slot_name).*\n"
        recovery = "restore_command = 'false'\nrecovery_target_action = 'promote'\n"
        own.write_text(re.sub(role, "", own.read_text()) + recovery)
        for path in (data, *data.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)
        data.chmod(0o700)

    def new_ledger(self) -> str:
        """Step 5; what the command says."""
        ledger = self.pool.folder / "ledger.json"
        owner = ledger.stat()
        ledger.rename(ledger.with_name("ledger.before"))
        said = self.tuiha("check", "--create-ledger").stderr.strip().splitlines()[-1]
        os.chown(ledger, owner.st_uid, owner.st_gid)
        return said


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    """A pool of two servers, and a registered device of one user who has no mail yet."""
    async with EmbeddedPool(servers=2, users=10, load=False) as pool:
        settings = load(pool.config_path)
        user, password = pool.users_path.read_text().splitlines()[0].split("\t")
        about = setting(settings, pool.folder)
        cluster = (await Records(about.databases).clusters())[user]
        headers = {"Authorization": aiohttp.encode_basic_auth(user, password)}
        base = f"http://{settings.sprayers[0].address}"
        async with aiohttp.ClientSession(base, headers=headers) as device:
            made = Scene(pool, user, about.clusters[cluster][0], device)
            async with device.put(DEVICE, json={"kind": "phone"}) as answer:
                made.key = (await answer.json())["key"]
            yield made
