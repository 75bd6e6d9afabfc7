"""Journals that do not tell all: cut anywhere, damaged, an older copy, lost, or with their whole folder.

The runner dies at some await; its journal is harmed; somebody resumes, takes back, begins anew or reclaims. No rule may
be broken, and the pool must be whole in the end. With the old rule (the journal is believed as far as it can be read)
some run must have servers on two databases.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from tests.proof.operations.campaign import deaths, places
from tests.proof.operations.jury import Verdict
from tests.proof.operations.scenarios import SCENARIOS
from tests.proof.operations.stage import Harm, Stage, simulate
from tuiha.operate.database.steps import replication, roles, servers
from tuiha.operate.reach.world import World
from tuiha.operate.records.state import OperationState, read_state
from tuiha.operate.records.store import Folder
from tuiha.operate.run import runner, witness
from tuiha.operate.run.intent import Intent
from tuiha.operate.run.witness import Truth

SWEPT = ("switchover", "failover", "failover, a server deaf", "degrade")


def cut(records: int, *, torn: bool) -> Harm:
    """So many of the last records are gone; or the last of those that stay lacks its end."""
    def harm(folder: Folder) -> str:
        lines = folder.journal.read_bytes().splitlines(keepends=True)
        kept = b"".join(lines[:max(0, len(lines) - records)])
        folder.journal.write_bytes(kept[:-7] if torn else kept)
        return f"{records} of {len(lines)} records are cut off{', in the middle of the next' if torn else ''}"

    return harm


def flipped(records: int) -> Harm:
    """One byte of the record that is so far from the end is another one."""
    def harm(folder: Folder) -> str:
        lines = folder.journal.read_bytes().splitlines(keepends=True)
        if not lines:
            return ""
        where = max(0, len(lines) - 1 - records)
        line = bytearray(lines[where])
        line[len(line) // 2] ^= 1
        folder.journal.write_bytes(b"".join([*lines[:where], bytes(line), *lines[where + 1:]]))
        return f"record {where + 1} of {len(lines)} is damaged"

    return harm


def lost(folder: Folder) -> str:
    """The journal is gone, its folder is there."""
    folder.journal.unlink()
    return "lost"


def gone(folder: Folder) -> str:
    """The whole folder is gone."""
    shutil.rmtree(folder.path)
    return "gone, with its folder"


HARMS: Mapping[str, Harm] = {
    **{f"cut {number}": cut(number, torn=False) for number in (1, 2, 3, 5, 8, 13)},
    **{f"torn {number}": cut(number, torn=True) for number in (0, 1, 2, 5)},
    **{f"flipped {number}": flipped(number) for number in (0, 1, 4)},
    "lost": lost, "gone": gone,
}


@contextmanager
def journal_believed(_: Stage) -> Iterator[None]:
    """The old rule: what can be read of the journal is what happened, and nobody else is asked."""
    def state(folder: Folder) -> OperationState:
        return read_state(folder.id, folder.plan(), folder.reading().records, folder.alive())

    async def ask(world: World, known: OperationState, intent: Intent | None) -> Truth:
        return Truth(known)

    async def nothing(*_: Any) -> None:
        return None

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(Folder, "state", state))
        stack.enter_context(mock.patch.dict("tuiha.operate.records.state._READERS", {"damage": lambda known, _: known}))
        stack.enter_context(mock.patch.object(witness, "ask", ask))
        stack.enter_context(mock.patch.object(runner, "ask", ask))
        for module in (roles, replication, servers):
            stack.enter_context(mock.patch.object(module, "refuse_if_promoted", nothing))
        yield


@dataclass
class Harmed:
    """What the runs of one scenario showed."""

    scenario: str
    runs: int = 0
    happened: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def add(self, seed: int, at: tuple[int, ...], harm: str, verdict: Verdict) -> None:
        """One more run."""
        self.runs += 1
        self.happened += verdict.happened
        if verdict.broken:
            self.broken.append(f"{self.scenario}, seed {seed}, killed at {at}, {harm}: {'; '.join(verdict.broken[:3])}")


def sweep(scenario: str, seed: int, most: int, every: bool = False) -> Harmed:
    """The runner dies at each await, or at `most` of them, and its journal is harmed: in every way, or each in turn."""
    tally, names = Harmed(scenario), list(HARMS)
    first = simulate(SCENARIOS[scenario], seed)
    for number, place in enumerate(places(first.awaits, most)):
        at = deaths(seed, place)
        for name in names if every else [names[number % len(names)]]:
            tally.add(seed, at, name, simulate(SCENARIOS[scenario], seed, *at, harm=HARMS[name]))
    return tally
