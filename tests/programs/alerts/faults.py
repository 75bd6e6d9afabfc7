"""The faults: how each is made and undone, and which alerts it has to raise. No other may come."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from tests.programs.alerts.watching import Watching
from tuiha.lab.embedded import EmbeddedPool


class Act(Protocol):
    """Does something to the pool, or to its watcher."""

    def __call__(self, pool: EmbeddedPool, watching: Watching, /) -> Awaitable[None]:
        """Do it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault with the alerts that it has to raise: names of rules, each with its subject."""

    name: str
    make: Act
    undo: Act
    alerts: frozenset[tuple[str, str]]


def _part(name: str, make: str, undo: str, alert: str) -> Fault:
    """A part that is killed or paused."""
    async def do(pool: EmbeddedPool, _: Watching) -> None:
        await getattr(pool, make)(name)

    async def back(pool: EmbeddedPool, _: Watching) -> None:
        await getattr(pool, undo)(name)

    done = {"kill": "killed", "pause": "paused"}[make]
    return Fault(f"{name} {done}", do, back, frozenset({(alert, name)}))


def _export(number: signal.Signals, undo: Callable[[Watching], Awaitable[None]], name: str) -> Fault:
    """The watcher itself."""
    async def do(_: EmbeddedPool, watching: Watching) -> None:
        watching.export.send_signal(number)

    async def back(_: EmbeddedPool, watching: Watching) -> None:
        await undo(watching)

    return Fault(name, do, back, frozenset({("TuihaExportDown", "")}))


async def _continued(watching: Watching) -> None:
    watching.export.send_signal(signal.SIGCONT)


async def _hidden(pool: EmbeddedPool, _: Watching) -> None:
    ledger = pool.folder / "ledger.json"
    ledger.rename(ledger.with_suffix(".away"))


async def _shown(pool: EmbeddedPool, _: Watching) -> None:
    ledger = pool.folder / "ledger.json"
    ledger.with_suffix(".away").rename(ledger)


async def _nothing(_: EmbeddedPool, __: Watching) -> None:
    """Nothing happens."""


FAULTS: tuple[Fault, ...] = (
    Fault("nothing happens", _nothing, _nothing, frozenset()),
    _part("db1", "kill", "start", "TuihaDatabaseDown"),
    _part("db2", "kill", "start", "TuihaDatabaseDown"),
    _part("db1", "pause", "resume", "TuihaDatabaseDown"),
    _part("db2", "pause", "resume", "TuihaDatabaseDown"),
    _part("s1", "kill", "start", "TuihaServerDown"),
    _part("s1", "pause", "resume", "TuihaServerDown"),
    _part("spray1", "kill", "start", "TuihaSprayerDown"),
    _part("mail1", "kill", "start", "TuihaMailDown"),
    _part("mail1", "pause", "resume", "TuihaMailDown"),
    Fault("the ledger is away", _hidden, _shown, frozenset({("TuihaLedgerUnreadable", "ledger")})),
    _export(signal.SIGKILL, Watching.start_export, "tuiha export killed"),
    _export(signal.SIGSTOP, _continued, "tuiha export stopped"),
)
