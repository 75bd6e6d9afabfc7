"""A pool of settings alone, with a real ledger file; runners are real processes."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.drivers.daemons import free_port
from tests.operate.core import painting
from tuiha.config.load import load
from tuiha.config.settings import Pool
from tuiha.drivers.ledgers.file import FileLedger
from tuiha.drivers.ledgers.record import parse
from tuiha.model.operations import catalogue
from tuiha.model.reports import LedgerRecord, Standby
from tuiha.operate import api
from tuiha.operate.plans import draft
from tuiha.operate.plans.plan import Plan
from tuiha.operate.records.journal import read_records
from tuiha.operate.records.state import OperationState
from tuiha.operate.records.store import Folder, Store
from tuiha.operate.run import launch

RECORD = LedgerRecord(pool="studio", epoch=1, active="db1", standby=Standby.SYNC, system_identifier="7", timeline=1)


@dataclass
class Studio:
    """The pool, and what operations do in it."""

    base: Path
    settings: dict[str, Any]
    started: list[str] = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.base / "tuiha.yaml"

    @property
    def pool(self) -> Pool:
        self.config.write_text(yaml.safe_dump(self.settings))
        return load(self.config)

    @property
    def store(self) -> Store:
        return Store(self.base / "operations")

    @property
    def ledger(self) -> LedgerRecord:
        return parse((self.base / "ledger.json").read_bytes())

    @property
    def wall(self) -> dict[str, Any]:
        return painting.wall(self.base)

    def change(self, **changes: Any) -> None:
        painting.change_wall(self.base, **changes)

    def fault(self, step: int, when: str, what: str) -> Path:
        file = self.base / f"fault-{step}-{when}"
        file.write_text(what)
        return file

    def by(self, who: str = "") -> api.Operator:
        """An operator of the pool, on this host."""
        return api.Operator(self.pool, self.base, self.config, who)

    async def plan(self, kind: str = "paint", colour: str = "red", **options: str) -> Plan:
        return await self.by().plan(kind, [colour], options)

    async def apply(self, plan: Plan, **changes: Any) -> str:
        given: dict[str, Any] = {"confirm": "wall", "reason": "it is ugly"}
        who = changes.pop("who", "ada@studio")
        return await self.by(who).apply(plan, **given | changes)

    async def end(self, operation: str) -> OperationState:
        """Follow to the end, however it is."""
        return [state async for state in self.by().follow(operation)][-1]

    async def until(self, operation: str, wanted: Callable[[OperationState], bool]) -> OperationState:
        """Follow until the state is as wanted."""
        async for state in self.by().follow(operation):
            if wanted(state):
                return state
        raise AssertionError(f"it ended before: {self.folder(operation).state()}")

    def folder(self, operation: str) -> Folder:
        return self.store.find(operation)

    def records(self, operation: str) -> list[dict[str, Any]]:
        return read_records(self.folder(operation).journal)


@pytest.fixture
async def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    monkeypatch.setenv("TUIHA_TEST_PASSWORD", "a password")
    monkeypatch.setenv("TUIHA_TEST_TOKEN", "an operator's token")
    monkeypatch.delenv("TUIHA_STATE", raising=False)
    monkeypatch.setattr(draft, "KINDS", painting.KINDS)
    monkeypatch.setattr(catalogue, "OPERATIONS", painting.OPERATIONS)
    monkeypatch.setattr(launch, "RUNNER", (sys.executable, "-m", "tests.operate.core.run"))
    monkeypatch.chdir(Path(__file__).parents[3])
    secret = {"env": "TUIHA_TEST_PASSWORD"}
    roles = {name: {"user": f"tuiha_{name}", "password": secret} for name in ("pool", "watcher", "coordinator")}
    (tmp_path / "wall.json").write_text(json.dumps(
        {"owner": "bob", "size": 12, "dry": "yes", "dry_verdict": "ok", "done": [], "colour": "grey"}))
    await FileLedger(tmp_path / "ledger.json", RECORD.pool).create(RECORD)
    return Studio(tmp_path, {
        "pool": "studio",
        "database": {"nodes": [{"name": "db1", "address": f"127.0.0.1:{free_port()}"}], "roles": roles},
        "control": {"viewer": {"env": "TUIHA_TEST_TOKEN"}, "operator": {"env": "TUIHA_TEST_TOKEN"}},
        "ledger": {"path": "ledger.json"},
    })


@pytest.fixture(autouse=True)
def no_runner_stays(tmp_path: Path) -> Iterator[None]:
    """Whatever a test did: its runners end."""
    yield
    for journal in tmp_path.glob("operations/*/journal.jsonl"):
        folder = Folder(journal.parent)
        pids = [r["pid"] for r in read_records(journal) if r["record"] == "start" and "pid" in r]
        if pids and folder.alive():
            with suppress(ProcessLookupError):
                os.kill(pids[-1], signal.SIGKILL)
