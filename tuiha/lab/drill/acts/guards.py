"""Acts with guards: started, stopped and killed beside the pool; what they did, and that they did nothing else."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tuiha.drivers.protocols import DriverError
from tuiha.lab.drill.acts.operate import concluded
from tuiha.lab.drill.stage import NotReached, Stage
from tuiha.lab.pool.configuration import ORDERS
from tuiha.operate.guard.store import store_in
from tuiha.operate.reach.world import open_world
from tuiha.operate.records.state import OperationState

_STARTED = 30.0  # seconds until a guard is active, on a very busy machine


def by_guards(stage: Stage) -> list[OperationState]:
    """The operations that guards started, oldest first."""
    return [state for state in reversed(stage.operator.operations()) if state.who.startswith("guard ")]


async def active_guard(stage: Stage) -> str | None:
    """The name of the active guard; None when there is none, or nobody can tell."""
    async with open_world(stage.settings, stage.pool.folder) as world:
        try:
            report = (await store_in(world.drivers.ledger).read()).report
        except DriverError:
            return None
    return None if report is None else report.name


@dataclass(frozen=True, slots=True)
class Guards:
    """Start guards that see the pool as the coordinator does, and wait until one of them is active."""

    names: tuple[str, ...] = ("g1",)
    orders: Mapping[str, Any] = field(default_factory=dict)  # beside those of an embedded pool

    @property
    def text(self) -> str:
        """In words."""
        return f"guard {' and '.join(self.names)} begins to look"

    async def do(self, stage: Stage) -> None:
        """Start them with a configuration that has orders. Raises NotReached."""
        import yaml

        document = yaml.safe_load(stage.coordinator.read_text(encoding="utf-8"))
        document["guard"] = {name: dict(order) for name, order in ORDERS.items()} | dict(self.orders)
        path = stage.layout.folder / "pool.guard.yaml"
        stage.layout.publish(path, yaml.safe_dump(document, sort_keys=False, width=110))
        for name in self.names:
            with (stage.layout.logs / f"{name}.log").open("ab") as log:
                stage.guards[name] = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "tuiha", "guard", name, "--config", str(path),
                    stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        stage.programs.extend(stage.guards.values())
        await _until_active(stage, self.names)


async def _until_active(stage: Stage, names: tuple[str, ...]) -> None:
    deadline = time.monotonic() + _STARTED
    while (active := await active_guard(stage)) not in names:
        if time.monotonic() > deadline:
            raise NotReached(f"no guard of {', '.join(names)} is active after {_STARTED:g} s, but {active}")
        await asyncio.sleep(0.1)


@dataclass(frozen=True, slots=True)
class SignalGuard:
    """A signal to the active guard."""

    number: signal.Signals
    what: str

    @property
    def text(self) -> str:
        """In words."""
        return f"the active guard {self.what}"

    async def do(self, stage: Stage) -> None:
        """Send it. Raises NotReached when no guard is active."""
        name = await active_guard(stage)
        if name not in stage.guards:
            raise NotReached(f"the active guard is {name}, which the drill did not start")
        os.kill(stage.guards[name].pid, self.number)


KILL_GUARD = SignalGuard(signal.SIGKILL, "dies")
STOP_GUARD = SignalGuard(signal.SIGSTOP, "stops")


@dataclass(frozen=True, slots=True)
class WakeGuards:
    """Let all guards go on."""

    text: str = "all guards go on"

    async def do(self, stage: Stage) -> None:
        """Wake them; one that died stays dead."""
        for process in stage.guards.values():
            if process.returncode is None:
                process.send_signal(signal.SIGCONT)


@dataclass(frozen=True, slots=True)
class Acted:
    """Wait until guards did these, in this order, and nothing else."""

    kinds: tuple[str, ...] = ()
    results: tuple[str, ...] = ("done",)  # that are allowed
    seconds: float = 90.0

    @property
    def text(self) -> str:
        """In words."""
        return f"guards did {', then '.join(self.kinds) or 'nothing'}"

    async def do(self, stage: Stage) -> None:
        """Wait for them. Raises NotReached when they did others, or one ended otherwise."""
        deadline = time.monotonic() + self.seconds
        while True:
            found = by_guards(stage)
            kinds = tuple(state.kind for state in found)
            if kinds != self.kinds[:len(kinds)]:
                raise NotReached(f"guards did {', '.join(kinds)} in place of {', '.join(self.kinds) or 'nothing'}")
            if kinds == self.kinds and all(state.ended and not state.alive for state in found):
                break
            if time.monotonic() > deadline:
                raise NotReached(f"guards did {', '.join(kinds) or 'nothing'} in {self.seconds:g} s, and not "
                                 f"{', '.join(self.kinds)}")
            await asyncio.sleep(0.2)
        for state in found:
            stage.operating = state.id
            concluded(stage, state, self.results)
