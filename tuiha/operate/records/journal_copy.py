"""The journal's copy in the pool's database, for operators on other hosts and for the list of events."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tuiha.drivers.protocols import DriverError
from tuiha.operate.plans.plan import Plan
from tuiha.operate.reach.sql import DatabaseGone
from tuiha.operate.reach.world import World
from tuiha.operate.records.state import SETTLED, OperationState, Record
from tuiha.pooldb.errors import DatabaseError, NoFunction
from tuiha.pooldb.statements.events import ADD_EVENT
from tuiha.pooldb.statements.operations import KEEP_OPERATION, KEEP_OPERATION_BEFORE

_SEVERITIES = dict.fromkeys(SETTLED, "note")


async def keep_in_database(world: World, state: OperationState, records: Sequence[Record]) -> tuple[int, str] | None:
    """Record an event, and copy the journal into the history, which seals it; the number and digest of its record.

    The journal file is what counts: without a database nothing is lost.
    """
    try:
        ledger = world.drivers.ledger
        active = (await ledger.poll()).active if ledger is not None else world.pool.database.nodes[0].name
        database = world.databases[active]
        severity = _SEVERITIES.get(state.state, "warning" if state.settled else "bad")
        await database.fetch(ADD_EVENT, severity, state.plan.confirm or state.plan.pool, event_text(state))
        try:
            rows = await database.fetch(KEEP_OPERATION, _content(state, records))
        except NoFunction:
            rows = await database.fetch(KEEP_OPERATION_BEFORE, _content(state, records))
    except (DatabaseGone, DriverError, KeyError, DatabaseError) as error:
        print(f"the journal was not copied to the database: {error}", file=sys.stderr)  # noqa: T201
        return None
    return (rows[0]["link"], rows[0]["total"]) if rows else None


def _content(state: OperationState, records: Sequence[Record]) -> str:
    """The operation as the history keeps it."""
    kept = {
        "id": state.id, "kind": state.kind, "target": " ".join(state.plan.target) or None, "state": state.state,
        "who": state.who, "reason": state.reason or None, "started_at": state.started_at or 0.0,
        "ended_at": state.ended_at, "journal": [{"record": "plan", "plan": _short(state.plan)}, *records],
    }
    return json.dumps(kept)


def _short(plan: Plan) -> dict[str, Any]:
    """The plan without what only running it needs: a rebalance names every user that moves."""
    return replace(plan, details={"options": plan.details.get("options", {})}).document()


def event_text(state: OperationState) -> str:
    """The operation as an event: what, by whom, why, and how it ended."""
    what = " ".join((state.kind, *state.plan.target))
    why = f" ({state.reason})" if state.reason else ""
    return f"{what} by {state.who}{why}: {state.state}; {state.text}"[:1000]
