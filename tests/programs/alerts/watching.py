"""Everything that stands between a pool and the person who is woken: `tuiha export`, Prometheus, Alertmanager."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

from tests.until import until

ROOT = Path(__file__).parents[3]
CONFIG = ROOT / "config" / "prometheus"
PROGRAMS = ("prometheus", "prometheus-alertmanager")
SCRAPE = "2s"


def missing() -> str | None:
    """Why this cannot be run here; None when it can."""
    lacking = [name for name in PROGRAMS if shutil.which(name) is None]
    return f"{', '.join(lacking)} not installed (Debian: apt-get install {' '.join(PROGRAMS)})" if lacking else None


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@dataclass
class Watching:
    """The processes, and what the person was told."""

    folder: Path
    pool: Path  # its configuration
    ports: dict[str, int] = field(default_factory=lambda: {
        name: free_port() for name in ("export", "prometheus", "alertmanager", "person")})
    told: list[tuple[float, str, str]] = field(default_factory=list)  # when, the alert, its subject
    processes: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    @property
    def export(self) -> asyncio.subprocess.Process:
        """The process of `tuiha export`."""
        return self.processes["export"]

    def address(self, name: str) -> str:
        """Where one of them listens."""
        return f"127.0.0.1:{self.ports[name]}"

    async def start_export(self) -> None:
        """Start `tuiha export`, and wait until it has metrics."""
        await self._start("export", sys.executable, "-m", "tuiha", "export", "--config", str(self.pool), "--listen",
                          self.address("export"))
        await until(lambda: self._answers("export", "/metrics"))

    async def start_prometheus(self) -> None:
        """Start Prometheus with the rules as they are shipped."""
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump({
            "global": {"scrape_interval": SCRAPE, "scrape_timeout": "1500ms", "evaluation_interval": SCRAPE},
            "rule_files": [str(CONFIG / "rules.yml")],
            "scrape_configs": [{"job_name": "tuiha", "static_configs": [{"targets": [self.address("export")]}]}],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [self.address("alertmanager")]}]}]}}))
        await self._start("prometheus", "prometheus", f"--config.file={self.folder}/prometheus.yml",
                          f"--storage.tsdb.path={self.folder}/tsdb",
                          f"--web.listen-address={self.address('prometheus')}")
        await until(lambda: self._answers("prometheus", "/-/ready"))

    async def start_alertmanager(self) -> None:
        """A new Alertmanager, with the example as it is shipped; both receivers of it are the person."""
        await self.end("alertmanager")
        settings = yaml.safe_load((CONFIG / "alertmanager.example.yml").read_text())
        for receiver in settings["receivers"]:
            receiver["webhook_configs"] = [{"url": f"http://{self.address('person')}/"}]
        (self.folder / "alertmanager.yml").write_text(yaml.safe_dump(settings))
        shutil.rmtree(self.folder / "alertmanager", ignore_errors=True)
        await self._start("alertmanager", "prometheus-alertmanager", f"--config.file={self.folder}/alertmanager.yml",
                          f"--storage.path={self.folder}/alertmanager", "--cluster.listen-address=",
                          f"--web.listen-address={self.address('alertmanager')}")
        await until(lambda: self._answers("alertmanager", "/-/ready"))

    async def firing(self) -> list[str]:
        """The alerts that Prometheus has now, pending ones too."""
        found = await self._get("prometheus", "/api/v1/alerts")
        return [one["labels"]["alertname"] for one in found["data"]["alerts"]]

    async def end(self, name: str) -> None:
        """End a process, also one that is stopped."""
        process = self.processes.pop(name, None)
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()

    async def hear(self, request: web.Request) -> web.Response:
        """The person is told."""
        for one in (await request.json())["alerts"]:
            if one["status"] == "firing":
                self.told.append((time.monotonic(), one["labels"]["alertname"], one["labels"].get("subject", "")))
        return web.Response()

    async def _start(self, name: str, *words: str) -> None:
        await self.end(name)
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = await asyncio.create_subprocess_exec(*words, stdout=log, stderr=log, cwd=ROOT)

    async def _answers(self, name: str, path: str) -> bool:
        try:
            async with aiohttp.ClientSession() as session, session.get(f"http://{self.address(name)}{path}") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def _get(self, name: str, path: str) -> Any:
        async with aiohttp.ClientSession() as session, session.get(f"http://{self.address(name)}{path}") as answer:
            return json.loads(await answer.text())


@asynccontextmanager
async def watching(folder: Path, pool: Path) -> AsyncIterator[Watching]:
    """Everything started; ended at the end."""
    made = Watching(folder, pool)
    app = web.Application()
    app.router.add_post("/", made.hear)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", made.ports["person"]).start()
        await made.start_export()
        await made.start_alertmanager()
        await made.start_prometheus()
        yield made
    finally:
        for name in list(made.processes):
            with suppress(ProcessLookupError):
                await made.end(name)
        await runner.cleanup()
