"""The dashboard on pools: one that runs, beside pg_activity and hatop, and one of which nothing ever answers."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from tests.benchmarks.terminal import COLOURS, Figures, Keys, leave, running
from tests.tui.pty_terminal import TOP, Terminal
from tuiha.config.load import load
from tuiha.config.secrets import resolve
from tuiha.config.settings import Pool
from tuiha.lab.embedded import EmbeddedPool

SERVERS, USERS = 4, 200
STARTS = 7
SETTLED = 15.0  # seconds for the pool's devices to register


@contextmanager
def black_hole(folder: Path) -> Iterator[Path]:
    """A configuration of a whole pool; each of its addresses takes connections and never says a word."""
    text = (TOP / "config" / "pool.example.yaml").read_text(encoding="utf-8")
    text = re.sub(r"socket: [^\s#]+:\S+", "socket: tcp:127.0.0.1:1", text)
    text = re.sub(r"(?m)^ +tls:[^\n]*\n(?: +(?:#|(?:ca|certificate|key|verify):)[^\n]*\n)*", "", text)
    with ExitStack() as stack:

        def silent(found: re.Match[str]) -> str:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=512))
            return f"{found[1]}127.0.0.1:{listener.getsockname()[1]}"

        text = re.sub(r"(address: (?:https?://)?|tcp:)[\w.]+:\d+", silent, text)
        text = re.sub(r"https://127", "http://127", text)
        text = re.sub(r"security: \w+", "security: plain", text)
        path = folder / "pool.yaml"
        path.write_text(text, encoding="utf-8")
        for name in re.findall(r"file: ([\w./-]+)", text):
            secret = folder / name
            secret.parent.mkdir(parents=True, exist_ok=True)
            secret.write_text("x" * 40, encoding="utf-8")
            secret.chmod(0o600)
        yield path


def beside_others(seconds: float) -> dict[str, object]:
    """The dashboard on an embedded pool under load, and the others on its parts, one after the other."""
    return asyncio.run(_beside_others(seconds))


async def _beside_others(seconds: float) -> dict[str, object]:
    async with EmbeddedPool(SERVERS, USERS, load=True) as pool:
        settings = load(pool.config_path)
        with tempfile.TemporaryDirectory() as state:
            dashboard = await asyncio.to_thread(_dashboard, pool.config_path, Path(state), seconds)
        others = await asyncio.to_thread(_others, settings, pool.folder, seconds)
    return {"servers": SERVERS, "users": USERS, "dashboard": dashboard, **others}


def _dashboard(configuration: Path, state: Path, seconds: float) -> Figures:
    """What the dashboard costs; first paint and live data are medians of several starts, when all devices are there."""
    environment = {**COLOURS, "XDG_STATE_HOME": str(state)}
    command = ["-m", "tuiha", "--config", str(configuration)]
    with Terminal(command, environment=environment) as terminal:  # leaves its last picture for the next start
        terminal.shows("HEALTHY")
        terminal.read(SETTLED)
        leave(terminal)
    starts: list[tuple[float, float]] = []
    for _ in range(STARTS):
        with Terminal(command, environment=environment) as terminal:
            starts.append(_start(terminal))
            terminal.read(2.0)
            leave(terminal)
    with Terminal(command, environment=environment) as terminal:
        _start(terminal)
        terminal.read(8.0)
        found = running(terminal, seconds)
        first, live = (1000 * median(figures) for figures in zip(*starts, strict=True))
        return {"first_paint_ms": round(first, 1), "live_ms": round(live, 1),
                "live_ms_max": round(1000 * max(live for _, live in starts), 1), **found, "quit_ms": leave(terminal)}


def _start(terminal: Terminal) -> tuple[float, float]:
    """Seconds from the start to the first paint, and to live data."""
    terminal.shows("STALE, as of")
    first = time.monotonic() - terminal.started
    terminal.until(lambda seen: seen.has("HEALTHY") and not seen.has("STALE"))
    return first, time.monotonic() - terminal.started


def _others(settings: Pool, base: Path, seconds: float) -> dict[str, object]:
    role, node, sprayer = settings.database.roles.watcher, settings.database.nodes[0], settings.sprayers[0]
    host, _, port = node.address.rpartition(":")
    password = resolve(role.password, base)
    return {
        "pg_activity": _other("pg_activity", ["-h", host, "-p", port, "-U", role.user, "-d", settings.database.name,
                                              "--refresh", "1"], {"PGPASSWORD": password}, seconds, Keys(("F", "R"))),
        "hatop": _other("hatop", ["-s", (sprayer.socket or "").removeprefix("unix:")], {}, seconds, Keys(("2", "1"))),
    }


def _other(
    name: str, arguments: list[str], environment: dict[str, str], seconds: float, keys: Keys
) -> Figures | str:
    program = shutil.which(name)
    if program is None:
        return f"skipped: {name} is not installed"
    with Terminal([program, *arguments], environment={**COLOURS, **environment}) as terminal:
        while not terminal.received:
            terminal.read_once(1.0)
        first = 1000 * (time.monotonic() - terminal.started)
        terminal.read(5.0)
        if terminal.ended():
            return f"skipped: {name} ended by itself: {' '.join(line for line in terminal.lines if line)[:200]}"
        return {"first_bytes_ms": round(first, 1), **running(terminal, seconds, keys)}
