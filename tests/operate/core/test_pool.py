"""The whole walk on a real pool: plan, apply, the runner's death, resume, and what the database keeps of it."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest
import yaml

from tests.operate.pools import bind, bound, names
from tests.until import until
from tuiha.config.load import load
from tuiha.lab.embedded import EmbeddedPool
from tuiha.operate import api
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.reach.control import ControlError
from tuiha.operate.reach.sql import Coordinator
from tuiha.operate.reach.world import World, open_world

pytestmark = pytest.mark.pool


async def test_a_drain_whose_runner_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUIHA_STATE", raising=False)
    async with EmbeddedPool(servers=2, users=12, load=False) as running:
        path, base = running.config_path, running.folder
        pool = load(path)
        async with open_world(pool, base) as world:
            await until(lambda: bound_to_s2(running, world))
        await refused_with_a_viewers_token(running)

        plan = await api.Operator(pool, base, path).plan("drain", ["s2"], {"rate": "4"})
        assert api.Operator(pool, base, path).store.root == base.resolve() / "operations"
        operation = await api.Operator(pool, base, path, "ada@studio").apply(plan, "s2", "a new disk", [])
        async for state in api.Operator(pool, base, path).follow(operation):
            if any(step.done for step in state.steps):
                break
        started = [r["pid"] for r in records(running, operation) if "pid" in r]
        os.kill(started[-1], signal.SIGKILL)
        dead = [state async for state in api.Operator(pool, base, path).follow(operation)][-1]
        assert dead.interrupted
        async with open_world(pool, base) as world:
            left = list((await bound(world)).values()).count("s2")
        assert 0 < left < 12

        await api.Operator(pool, base, path, "eve@studio").resume(operation)
        state = [state async for state in api.Operator(pool, base, path).follow(operation)][-1]
        assert state.state == "done", state
        async with open_world(pool, base) as world:
            assert set((await bound(world)).values()) == {"s1"}
            await kept_in_the_database(world.databases["db1"], operation)


async def bound_to_s2(running: EmbeddedPool, world: World) -> bool:
    """Whether all users could be bound to s2; the other server may not have seen it yet."""
    try:
        await bind(world, dict.fromkeys(names(running), "s2"))
    except ControlError:
        return False
    return True


def records(running: EmbeddedPool, operation: str) -> list[dict[str, Any]]:
    journal = running.folder / "operations" / operation / "journal.jsonl"
    return [json.loads(line) for line in journal.read_text().splitlines()]


async def refused_with_a_viewers_token(running: EmbeddedPool) -> None:
    settings = yaml.safe_load(running.config_path.read_text())
    settings["control"]["operator"] = settings["control"]["viewer"]
    path = running.folder / "viewer.yaml"
    path.write_text(yaml.safe_dump(settings))
    pool = load(path)
    plan = await api.Operator(pool, running.folder, path).plan("drain", ["s2"])
    with pytest.raises(OperationRefused, match="does not let this token act"):
        await api.Operator(pool, running.folder, path, "mallory").apply(plan, "s2", "", [])


async def kept_in_the_database(database: Coordinator, operation: str) -> None:
    text = "drain s2 by ada@studio (a new disk): done%"

    async def copied() -> bool:
        return bool(await database.fetch("SELECT text FROM event WHERE text LIKE $1", text))

    await until(copied)
    row = (await database.fetch("SELECT kind, target, state, who, reason, journal FROM operation WHERE id = $1",
                                operation))[0]
    assert tuple(row)[:5] == ("drain", "s2", "done", "ada@studio", "a new disk")
    assert json.loads(row["journal"])[-1]["record"] == "result"
