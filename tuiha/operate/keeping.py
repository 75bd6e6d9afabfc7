"""The journal's copy in the pool's database, for operators on other hosts and for the list of events."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import asyncpg

from tuiha.drivers.protocols import DriverError
from tuiha.operate.plan import Plan
from tuiha.operate.sql import DatabaseGone
from tuiha.operate.state import OperationState, Record
from tuiha.operate.world import World

_OPERATION = """
INSERT INTO operation (id, kind, target, state, who, reason, started_at, ended_at, journal)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, ended_at = excluded.ended_at, journal = excluded.journal
"""
_EVENT = "INSERT INTO event (severity, subject, text) VALUES ($1, $2, $3)"
_SEVERITIES = {"done": "note", "undone": "note", "cancelled": "note"}


async def keep_in_database(world: World, state: OperationState, records: Sequence[Record]) -> None:
    """Copy the journal, and record an event. The journal file is what counts: without a database nothing is lost."""
    try:
        ledger = world.drivers.ledger
        active = (await ledger.poll()).active if ledger is not None else world.pool.database.nodes[0].name
        database = world.databases[active]
        await database.fetch(
            _OPERATION, state.id, state.kind, " ".join(state.plan.target) or None, state.state, state.who,
            state.reason or None, _time(state.started_at), _time(state.ended_at),
            json.dumps([{"record": "plan", "plan": _short(state.plan)}, *records]))
        severity = _SEVERITIES.get(state.state, "warning" if state.settled else "bad")
        await database.fetch(_EVENT, severity, state.plan.confirm or state.plan.pool, event_text(state))
    except (DatabaseGone, DriverError, KeyError, asyncpg.PostgresError) as error:
        print(f"the journal was not copied to the database: {error}", file=sys.stderr)  # noqa: T201


def _short(plan: Plan) -> dict[str, Any]:
    """The plan without what only running it needs: a rebalance names every user that moves."""
    return replace(plan, details={"options": plan.details.get("options", {})}).document()


def event_text(state: OperationState) -> str:
    """The operation as an event: what, by whom, why, and how it ended."""
    what = " ".join((state.kind, *state.plan.target))
    why = f" ({state.reason})" if state.reason else ""
    return f"{what} by {state.who}{why}: {state.state}; {state.text}"[:1000]


def _time(at: float | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at, UTC)
