"""Write docs/failover-transcript.md: `python -m tests.programs.docs.transcript [FILE]`, from the top of the checkout.

A real embedded pool under load, a real dashboard in tmux at 80x24. The primary is killed, and this program presses the
keys that an operator would press, no more, at the pace of a hand. What is written down is what the terminal showed.
Needs tmux; takes a minute or two.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tuiha.config.load import load
from tuiha.config.settings import Pool
from tuiha.lab.embedded import EmbeddedPool
from tuiha.operate import api
from tuiha.operate.records.state import OperationState
from tuiha.watch.once import look_once
from tuiha.words.results import requests

COLUMNS, ROWS = 80, 24
PACE = 0.4  # seconds between two keys of a hand
PATIENCE = 200.0
USERS = 30
NAMES = {"Enter": "enter", "C-x": "ctrl+x", "Escape": "esc"}
HEAD = """# From a dead primary to a protected pool, key by key

This page is a recording. A real embedded pool was under load: two servers, 30 users with their devices, a
synchronous database pair, two sprayers and four mail servers. The dashboard ran in tmux at 80x24. A program killed the
primary with `kill -9`, and pressed each key. The page has every key, and the screen after it. The machine had two
processors and other work to do, so all times are long.
"""


@dataclass
class Tmux:
    """One tmux server with one window, and what is written down of it."""

    socket: str
    page: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def command(self, *words: str) -> str:
        """Tell tmux; returns what it prints."""
        done = subprocess.run(["tmux", "-L", self.socket, *words], check=True, capture_output=True, text=True)
        return done.stdout

    def start(self, command: list[str]) -> None:
        """Run a command in a window of 80x24."""
        self.command("-f", "/dev/null", "new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), *command)

    def screen(self) -> list[str]:
        """What the terminal shows."""
        return [line.rstrip() for line in self.command("capture-pane", "-p").splitlines()]

    def until(self, text: str) -> None:
        """Wait until a regular expression is found on the screen. Raises TimeoutError with the screen."""
        end = time.monotonic() + PATIENCE
        while not re.search(text, "\n".join(self.screen())):
            if time.monotonic() > end:
                raise TimeoutError(f"{text!r} is not on the screen:\n" + "\n".join(self.screen()))
            time.sleep(0.1)

    def press(self, *keys: str) -> None:
        """Press keys as a hand does."""
        for key in keys:
            time.sleep(PACE)
            self.command("send-keys", key)
        self.keys += keys

    def say(self, text: str) -> None:
        """Write a paragraph."""
        self.page += [text, ""]

    def show(self) -> None:
        """Write the screen down."""
        self.page += ["```", *self.screen(), "```", ""]


def pressed(tmux: Tmux, keys: tuple[str, ...], why: str, then: str) -> None:
    """Press, wait for what follows, write it down."""
    tmux.press(*keys)
    tmux.until(then)
    names = " ".join(f"`{NAMES.get(key, key)}`" for key in keys)
    tmux.say(f"**{names}**  {why}")
    tmux.show()


def fail_over(tmux: Tmux) -> None:
    """The primary is dead: from the alarm to the result."""
    tmux.until(r"next: f ")
    tmux.say("The primary is dead. Line 1 says how the pool is, line 2 what is broken and what comes next.")
    tmux.show()
    pressed(tmux, ("f",), "fail over. Changes are locked: the dashboard asks why, and suggests the reason itself.",
            r"enter takes: .*db1")
    pressed(tmux, ("Enter",), "takes that reason. When one thing is possible, its plan is there at once.",
            r"POINT OF NO RETURN|FAIL OVER")
    if "FAIL OVER" in "\n".join(tmux.screen()):
        pressed(tmux, ("Enter",), "plans what the cursor is on.", r"POINT OF NO RETURN")
    pressed(tmux, ("c",), "on to the confirmation.", r"then ctrl\+x")
    pressed(tmux, ("d", "b", "2", "C-x"), "the new primary's name, typed by hand, and `ctrl+x`.", r"RUN  |RESULT  ")
    tmux.until(r"RESULT .*DONE")
    tmux.until(r"HEALTHY[^\n]*protected")
    tmux.say("The result appears without a key. The last steps have made the old primary a secondary: "
             "the pool is protected again.")
    tmux.show()


def measured(state: OperationState) -> str:
    """What an operation cost, in a sentence."""
    took = (state.ended_at or 0.0) - (state.started_at or 0.0)
    return f"The {state.kind} itself took {took:.1f} s. Requests: {requests(state.outcome or {})}."


async def everybody(settings: Pool, folder: Path) -> None:
    """Wait until each user's first device has come in. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while sum(server.users or 0 for server in (await look_once(settings, folder)).servers) < USERS:  # noqa: ASYNC110
            await asyncio.sleep(0.5)


async def played(tmux: Tmux) -> None:
    """The whole of it on a pool of its own."""
    async with EmbeddedPool(servers=2, users=USERS, load=True) as pool:
        settings = load(pool.config_path)
        await everybody(settings, pool.folder)

        async def with_keys(work: Callable[[Tmux], None]) -> None:
            await asyncio.to_thread(work, tmux)

        def newest() -> OperationState:
            return api.Operator(settings, pool.folder, pool.config_path).operations(1)[0]

        tmux.start([sys.executable, "-m", "tuiha", "--config", str(pool.config_path), "dashboard"])
        await with_keys(lambda seen: seen.until(r"HEALTHY[^\n]*protected"))
        await with_keys(lambda seen: seen.until(r"all on db1"))
        tmux.say("## 1. Before")
        tmux.show()
        killed = time.time()
        await pool.kill("db1")
        tmux.say("## 2. `kill -9` of the primary")
        await with_keys(fail_over)
        tmux.say(f"## {len(tmux.keys)} keys")
        tmux.say(" ".join(f"`{NAMES.get(key, key)}`" for key in tmux.keys))
        seconds = (newest().ended_at or 0.0) - killed
        tmux.say(f"From the death of the primary to the result: {seconds:.0f} s, with the time that the keys took. "
                 f"{measured(newest())}")


def main(path: Path) -> None:
    """Play it and write it down."""
    tmux = Tmux(f"tuiha-transcript-{os.getpid()}")
    try:
        asyncio.run(played(tmux))
    finally:
        subprocess.run(["tmux", "-L", tmux.socket, "kill-server"], check=False, capture_output=True)
    path.write_text("\n".join([HEAD, *tmux.page]).rstrip() + "\n", encoding="utf-8")
    sys.stderr.write(f"{path}: {len(tmux.keys)} keys\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/failover-transcript.md"))
