"""The dashboard's operator on a real pool: plan, start, follow; a start that is refused; and without a token."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuiha.cli.operations.operator import PoolOperator
from tuiha.config.load import load
from tuiha.config.places import data_file
from tuiha.config.settings import Pool
from tuiha.lab.embedded import EmbeddedPool
from tuiha.operate.plans.plan import Plan
from tuiha.tui.operations.operator import OperatorTrouble, StartedOperation
from tuiha.watch.child.messages import outline_of
from tuiha.watch.lookup import UserPage

PATIENCE = 60.0


def operator_of(pool: Pool, base: Path, config_path: Path) -> PoolOperator:
    return PoolOperator(outline_of(pool), lambda: pool, base, config_path)


async def answer(ask: Callable[[Callable[[Any], None]], object]) -> Any:
    """What the operator answers, which it does on its own thread."""
    loop, found = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
    here = threading.current_thread()

    def answered(value: Any) -> None:
        assert threading.current_thread() is not here
        loop.call_soon_threadsafe(keep, value)

    def keep(value: Any) -> None:
        if not found.done():  # a list is told again
            found.set_result(value)

    ask(answered)
    async with asyncio.timeout(PATIENCE):
        return await found


async def followed(operator: PoolOperator, operation: str) -> list[StartedOperation]:
    """Everything that is told until the operation has ended."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    told: list[StartedOperation] = []

    def tell(news: StartedOperation | OperatorTrouble) -> None:
        assert isinstance(news, StartedOperation), news
        told.append(news)
        if news.ended:
            loop.call_soon_threadsafe(done.set)

    end = operator.follow(operation, tell)
    async with asyncio.timeout(PATIENCE):
        await done.wait()
    end()
    return told


async def on_another_host(pool: EmbeddedPool, operation: str) -> StartedOperation:
    """The operation as an operator sees it who has none of this host's journals: from the database."""
    operator = operator_of(load(pool.config_path), pool.folder, pool.config_path)
    loop, found = asyncio.get_running_loop(), asyncio.Event()
    seen: list[StartedOperation] = []

    def told(known: tuple[StartedOperation, ...] | OperatorTrouble) -> None:
        if isinstance(known, tuple) and any(one.id == operation for one in known):
            seen.append(next(one for one in known if one.id == operation))
            loop.call_soon_threadsafe(found.set)

    try:
        async with asyncio.timeout(PATIENCE):
            while not found.is_set():
                operator.operations(told)
                await asyncio.sleep(0.5)
    finally:
        operator.close()
    return seen[0]


async def test_a_server_is_drained_through_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with EmbeddedPool(servers=2, users=20, load=False) as pool:
        operator = operator_of(load(pool.config_path), pool.folder, pool.config_path)
        try:
            assert operator.refusal is None
            plan = await answer(lambda call: operator.ask(lambda who: who.plan("drain", ("s1",)), call))
            assert isinstance(plan, Plan), plan
            refused = await answer(lambda call: operator.ask(lambda who: who.apply(plan, "s2", "test"), call))
            assert isinstance(refused, OperatorTrouble)
            assert await answer(operator.operations) == ()
            started = await answer(lambda call: operator.ask(lambda who: who.apply(plan, plan.confirm, "test"), call))
            assert isinstance(started, str), started
            told = await followed(operator, started)
            assert told[-1].state == "done", told[-1]
            assert all(step.state == "done" and step.evidence for step in told[-1].steps)
            assert told[-1].command.startswith(
                f"tuiha plan drain s1 && tuiha apply {plan.id} --confirm {plan.confirm}")
            (known,) = await answer(operator.operations)
            assert (known.id, known.reason, known.settled) == (started, "test", True)
            late = await answer(lambda call: operator.ask(lambda who: who.cancel(started), call))
            assert isinstance(late, OperatorTrouble)
            unknown = await answer(lambda call: operator.ask(lambda who: who.plan("drain", ("s9",)), call))
            assert isinstance(unknown, OperatorTrouble)
            assert "s9" in unknown.text
            user = pool.users_path.read_text().partition("\t")[0]
            page = await answer(lambda call: operator.find_users(user, "", 10, call))
            assert isinstance(page, UserPage), page
            assert (page.users[0].name, set(page.servers), page.active) == (user, {"s1", "s2"}, True)
        finally:
            operator.close()
        monkeypatch.setenv("TUIHA_STATE", str(tmp_path / "nothing here"))
        copy = await on_another_host(pool, started)
        assert (copy.elsewhere, copy.state, copy.reason, copy.target) == (True, "done", "test", ("s1",))
        assert copy.steps == told[-1].steps


def test_without_a_token_or_a_role_it_says_which(tmp_path: Path) -> None:
    example = load(data_file("config/pool.example.yaml"))
    control = example.control.model_copy(update={"operator": example.control.viewer})
    roles = example.database.roles.model_copy(update={"coordinator": example.database.roles.watcher})
    pool = example.model_copy(update={
        "control": control, "database": example.database.model_copy(update={"roles": roles}),
    })
    assert operator_of(pool, tmp_path, tmp_path / "pool.yaml").refusal is None
    control = pool.control.model_copy(update={"operator": None})
    roles = pool.database.roles.model_copy(update={"coordinator": None})
    database = pool.database.model_copy(update={"roles": roles})
    for change, missing in (({"control": control}, "control.operator"), ({"database": database}, "roles.coordinator")):
        refusal = operator_of(pool.model_copy(update=change), tmp_path, tmp_path / "pool.yaml").refusal
        assert refusal is not None
        assert missing in refusal
