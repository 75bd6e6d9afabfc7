"""Record the operations of the pictures' story on a real pool: `python -m tests.programs.docs.tape`, from the top.

An embedded pool of four servers under load: s2 is drained and enabled, then the primary is killed and the pool fails
over. What is kept of each operation is its plan and its journal: codes and figures, which the application puts into
words when it draws. Takes a minute; needed again only when the steps of an operation change.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.until import until
from tuiha.config.load import load
from tuiha.lab.embedded import EmbeddedPool
from tuiha.operate.api import Operator
from tuiha.operate.plans.plan import Plan
from tuiha.operate.records.journal import read_records
from tuiha.operate.records.state import OperationState, from_document, read_state
from tuiha.watch.once import look_once

FILE = Path(__file__).with_name("operations.json")
USERS = 30
SERVERS = ("s1", "s2", "s3", "s4")
WHO, HOST, POOL = "ann", "bastion", "corp-east"
OPERATIONS = (("drain", ("s2",), "kernel patch"), ("enable", ("s2",), "patched"),
              ("failover", (), "db1 DOWN connection refused"))
_EPOCH = 1_000_000_000.0  # numbers above are moments


@dataclass(frozen=True)
class Taped:
    """An operation as it went on a real pool, moved to another time."""

    plan: Plan
    id: str
    records: tuple[dict[str, Any], ...]

    @property
    def began(self) -> float:
        """Unix seconds."""
        return float(self.records[0]["at"])

    @property
    def ended(self) -> float:
        """Unix seconds."""
        return float(self.records[-1]["at"])

    def at(self, moment: float) -> OperationState | None:
        """How it was then; None before it began."""
        known = [record for record in self.records if record["at"] <= moment]
        return read_state(self.id, self.plan, known, alive=True) if known else None


def tape(began: dict[str, float]) -> dict[str, Taped]:
    """The operations by kind, each begun at the given moment."""
    return {kind: _taped(document, began[kind]) for kind, document in json.loads(FILE.read_text("utf-8")).items()}


def _taped(document: dict[str, Any], began: float) -> Taped:
    later = began - document["records"][0]["at"]
    name = f"{datetime.fromtimestamp(began, UTC):%Y%m%d-%H%M%S}-{document['id'].rpartition('-')[2]}"
    moved = json.loads(json.dumps(_moved(document, later)).replace(document["id"], name))
    plan = replace(from_document(moved["plan"]), pool=POOL)
    return Taped(plan, moved["id"], tuple(moved["records"]))


def _moved(value: Any, seconds: float) -> Any:
    """The same value with every moment in it so much later."""
    if isinstance(value, dict):
        return {key: _moved(part, seconds) for key, part in value.items()}
    if isinstance(value, list):
        return [_moved(part, seconds) for part in value]
    return value + seconds if isinstance(value, float) and value > _EPOCH else value


async def _done(operator: Operator, kind: str, target: Sequence[str], reason: str) -> dict[str, Any]:
    plan = await operator.plan(kind, target, {})
    operation = await operator.apply(plan, plan.confirm, reason, ())
    async for state in operator.follow(operation):
        last = state
    if not last.settled:
        raise RuntimeError(f"{kind} is {last.status}: {last.text}")
    records = read_records(operator.store.find(operation).journal)
    for record in records:
        record.update({key: value for key, value in (("host", HOST), ("who", f"{WHO}@{HOST}"), ("by", f"{WHO}@{HOST}"))
                       if key in record})
    return {"id": operation, "plan": plan.document(), "records": records}


async def record() -> dict[str, Any]:
    """The operations on a real pool."""
    async with EmbeddedPool(servers=len(SERVERS), users=USERS, load=True) as pool:
        settings = load(pool.config_path)
        operator = Operator(settings, pool.folder, pool.config_path, f"{WHO}@{HOST}")

        async def users() -> int:
            return sum(server.users or 0 for server in (await look_once(settings, pool.folder)).servers)

        await until(users, met=lambda found: found == USERS, pause=0.5, seconds=200)
        found = {}
        for kind, target, reason in OPERATIONS:
            if kind == "failover":
                await pool.kill("db1")
                await asyncio.sleep(20.0)  # as long as an operator needs to read the screen and the plan
            found[kind] = await _done(operator, kind, target, reason)
            sys.stderr.write(f"{kind}: {len(found[kind]['records'])} records\n")
        return found


if __name__ == "__main__":
    FILE.write_text(json.dumps(asyncio.run(record()), indent=1) + "\n", encoding="utf-8")
