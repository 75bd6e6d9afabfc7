"""Telling somebody when the verdict changes: a configured command, once for each change, again until it succeeds."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuiha.config.pace import Alerts
from tuiha.model.documents import AlertDocument
from tuiha.model.facts import Snapshot, Verdict
from tuiha.words.explain import RUNBOOKS, runbook
from tuiha.words.next import command
from tuiha.words.problems import means, what

_log = logging.getLogger(__name__)
_SAID = 300  # characters of what a failing command says


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """A verdict that has lasted long enough to be told, and the one that was told before."""

    before: Verdict | None
    snapshot: Snapshot

    def document(self, runbooks: str = RUNBOOKS) -> AlertDocument:
        """What the command reads on its standard input, as one line of JSON. `runbooks`: the address of their pages."""
        now = self.snapshot
        return {
            "schema": "tuiha.alert/2", "pool": now.pool, "verdict": now.verdict,
            "before": self.before, "at": now.at, "active": now.active,
            "epoch": now.epoch,
            "problems": [{"severity": p.severity, "subject": p.subject, "code": p.code, "what": what(p),
                          "means": means(p), "next": None if p.next is None else command(p.next),
                          "runbook": runbook(p.code, runbooks)}
                         for p in now.problems],
        }


class Steady:
    """Decides when a verdict is to be told: when it differs from the last one told and has lasted. Pure.

    The first verdict after the start is told only when it is not HEALTHY.
    """

    def __init__(self, after: float) -> None:
        self._after = after
        self._told: Verdict = Verdict.HEALTHY
        self._ever = False
        self._since: tuple[Verdict, float] | None = None

    def look(self, snapshot: Snapshot) -> VerdictChange | None:
        """What is to be told now, if anything."""
        if snapshot.verdict == self._told:
            self._since = None
            return None
        if self._since is None or self._since[0] != snapshot.verdict:
            self._since = (snapshot.verdict, snapshot.at)
        if snapshot.at - self._since[1] < self._after:
            return None
        change = VerdictChange(self._told if self._ever else None, snapshot)
        self._told, self._ever, self._since = snapshot.verdict, True, None
        return change


class Alerting:
    """Runs the command. `add` is called with every snapshot, on the loop that `run` runs on."""

    def __init__(
        self, settings: Alerts, command: Sequence[str], base: Path, say: Callable[[str], None],
        environment: Mapping[str, str], runbooks: str = RUNBOOKS,
    ) -> None:
        """`environment` is what the command gets, beside the pool's name and its verdict."""
        self._runbooks = runbooks
        self._settings = settings
        self._command = tuple(command)
        self._environment = environment
        self._base = base
        self._say = say
        self._steady = Steady(settings.after)
        self._waiting: VerdictChange | None = (
            None  # the newest; an older one that could not be told is no news any more
        )
        self._news = asyncio.Event()

    def add(self, snapshot: Snapshot) -> None:
        """Look at a snapshot."""
        change = self._steady.look(snapshot)
        if change is not None:
            self._waiting = change
            self._news.set()

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            while (change := self._waiting) is not None:
                why = await self._tell(change)
                if why is None:
                    if self._waiting is change:
                        self._waiting = None
                    self._say(f"told: {change.snapshot.pool} is {change.snapshot.verdict}")
                    continue
                self._say(f"the alert that {change.snapshot.pool} is {change.snapshot.verdict} was not delivered: "
                          f"{why}; again in {self._settings.again:g} s")
                await asyncio.sleep(self._settings.again)

    async def _tell(self, change: VerdictChange) -> str | None:
        """Run the command; why it failed, None when it did not."""
        pool, verdict = change.snapshot.pool, str(change.snapshot.verdict)
        text = json.dumps(change.document(self._runbooks)) + "\n"
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, cwd=self._base, stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True,
                env={**self._environment, "TUIHA_POOL": pool, "TUIHA_VERDICT": verdict})
        except OSError as error:
            return f"{self._command[0]}: {error.strerror or error}"
        try:
            async with asyncio.timeout(self._settings.seconds):
                _, said = await process.communicate(text.encode())
        except TimeoutError:
            return f"the command did not end within {self._settings.seconds:g} s"
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode == 0:
            return None
        words = " ".join(said.decode("utf-8", "replace").split())[-_SAID:]
        return f"the command ended with {process.returncode}" + (f": {words}" if words else "")
