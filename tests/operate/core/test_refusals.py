"""Every reason for which nothing is done. In each case the wall, the ledger and the store stay as they were."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import psutil
import pytest
from aiohttp import web

from tests.drivers.daemons import free_port
from tests.operate.core.conftest import Studio
from tuiha.cli import exits
from tuiha.cli.exits import CommandError
from tuiha.cli.operations.follow import acted
from tuiha.drivers.protocols import DriverError
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.plans.plan import Plan
from tuiha.operate.reach.world import NoCredentials
from tuiha.operate.records.store import NotThere
from tuiha.operate.run import intent as intents
from tuiha.operate.run.apply import changed_facts


async def refused(studio: Studio, plan: Plan, match: str, **changes: object) -> None:
    before = studio.ledger, studio.wall
    with pytest.raises(OperationRefused, match=match):
        await studio.apply(plan, **changes)
    assert (studio.ledger, studio.wall) == before
    assert studio.store.folders() == []


async def test_a_stale_plan_says_which_fact_changed(studio: Studio) -> None:
    plan = await studio.plan()
    studio.change(owner="carol")
    await refused(studio, plan, rf"{plan.id} is void.*wall\.owner: bob -> carol.\nPlan again: tuiha plan paint red")


async def test_the_runner_that_was_loading_for_a_refused_plan_ends(studio: Studio) -> None:
    plan = await studio.plan()
    studio.change(owner="carol")
    await refused(studio, plan, "is void")
    for runner in [child for child in psutil.Process().children() if "--handed" in " ".join(child.cmdline())]:
        await asyncio.to_thread(runner.wait, 30)


async def test_figures_that_are_no_facts_void_nothing(studio: Studio) -> None:
    plan = await studio.plan()
    studio.change(dry="very")
    assert (await studio.end(await studio.apply(plan))).state == "done"


async def test_the_options_are_kept_for_planning_again(studio: Studio) -> None:
    plan = await studio.plan(brush="large")
    assert plan.id != (await studio.plan()).id
    assert (await studio.end(await studio.apply(plan))).state == "done"


@pytest.mark.parametrize(("typed", "said"), [("", "nothing was typed"), ("Wall", "'Wall' was typed")])
async def test_a_wrong_name(studio: Studio, typed: str, said: str) -> None:
    await refused(studio, await studio.plan(), f"asks for the name 'wall' to be typed, and {said}", confirm=typed)


async def test_a_plan_that_is_too_old(studio: Studio) -> None:
    await refused(studio, replace(await studio.plan(), expires_at=time.time() - 1), "is too old; plan again")


async def test_a_bad_check_stops_unless_named_and_with_a_reason(studio: Studio) -> None:
    studio.change(dry="no", dry_verdict="bad")
    plan = await studio.plan()
    await refused(studio, plan, r"BAD  dry wall: no, wanted yes; wait for the sun\n.*--override dry --reason")
    await refused(studio, plan, "checks stop it", overrides=["owner"])
    await refused(studio, plan, "there is no check 'wet' in this plan; it has dry, owner", overrides=["wet"])
    await refused(studio, plan, "an override needs a reason", overrides=["dry"], reason="  ")
    state = await studio.end(await studio.apply(plan, overrides=["dry"]))
    assert (state.state, state.overrides) == ("done", ("dry",))
    assert state.plan.details["overrides"] == ["dry"]


async def test_a_check_that_turned_bad_after_the_plan(studio: Studio) -> None:
    plan = await studio.plan()
    studio.change(dry="no", dry_verdict="bad")
    await refused(studio, plan, "BAD  dry")


async def test_never_is_never(studio: Studio) -> None:
    studio.change(dry="no wall", dry_verdict="never")
    await refused(studio, await studio.plan(), "no override helps", overrides=["dry"])


async def test_a_target_that_does_not_exist(studio: Studio) -> None:
    with pytest.raises(OperationRefused, match="there is no colour green"):
        await studio.plan(colour="green")
    with pytest.raises(OperationRefused, match="no kind of operation 'pant'; did you mean 'paint'"):
        await studio.plan("pant")


async def test_without_credentials_nobody_plans(studio: Studio) -> None:
    del studio.settings["control"]["operator"]
    with pytest.raises(NoCredentials, match=r"control\.operator"):
        await studio.plan()


async def test_without_a_ledger_nobody_applies(studio: Studio) -> None:
    plan = await studio.plan()
    del studio.settings["ledger"]
    with pytest.raises(OperationRefused, match="names no ledger"):
        await studio.apply(plan)


async def test_under_patroni_a_ledger_is_needed_all_the_same(studio: Studio) -> None:
    """Patroni's word on who leads keeps no operations apart. Refused, and not unreachable: code 4."""
    plan = await studio.plan()
    del studio.settings["ledger"]
    studio.settings["database"]["driver"] = "patroni"
    studio.settings["database"]["nodes"][0]["rest"] = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(CommandError) as refused:
        await asyncio.to_thread(acted, studio.apply(plan))
    assert (refused.value.code, "names no ledger" in str(refused.value)) == (exits.REFUSED, True)


async def test_a_ledger_that_is_lost(studio: Studio) -> None:
    plan = await studio.plan()
    (studio.base / "ledger.json").unlink()
    with pytest.raises(DriverError, match="does not exist"):
        await studio.apply(plan)
    assert studio.store.folders() == []


async def test_of_two_operators_at_once_one_wins(studio: Studio) -> None:
    plans = [await studio.plan(colour=colour) for colour in ("red", "blue")]
    found = await asyncio.gather(*(studio.apply(plan, who=f"operator {n}") for n, plan in enumerate(plans)),
                                 return_exceptions=True)
    started = [operation for operation in found if isinstance(operation, str)]
    assert len(started) == 1
    assert sum(isinstance(operation, OperationRefused) for operation in found) == 1
    assert (await studio.end(started[0])).state == "done"
    assert len(studio.store.folders()) == 1


async def test_an_intent_of_another_version_is_respected(studio: Studio) -> None:
    from tuiha.drivers.ledgers.file import FileLedger

    plan = await studio.plan()
    ledger = FileLedger(studio.base / "ledger.json", "studio")
    await ledger.replace(studio.ledger, replace(studio.ledger, intent="moving house"))
    with pytest.raises(intents.Busy, match="an operation of another version"):
        await studio.apply(plan)


@asynccontextmanager
async def server(status: int) -> AsyncIterator[str]:
    """A pool server's control interface that answers every request so."""
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"title": "A viewer may not do this", "detail": "Use an operator's token."},
                                 status=status)

    app = web.Application()
    app.router.add_post("/control/probe", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_viewers_token_may_not_act(studio: Studio) -> None:
    async with server(403) as address:
        studio.settings["servers"] = [{"name": "s1", "address": address}]
        await refused(studio, await studio.plan(), "server s1 does not let this token act.*operator's token")


async def test_an_operators_token_may(studio: Studio) -> None:
    async with server(400) as address:  # the request has no body
        studio.settings["servers"] = [{"name": "s0", "address": f"http://127.0.0.1:{free_port()}"},
                                      {"name": "s1", "address": address}]
        assert (await studio.end(await studio.apply(await studio.plan()))).state == "done"


async def test_what_is_over_stays_over(studio: Studio) -> None:
    operation = await studio.apply(await studio.plan())
    await studio.end(operation)
    with pytest.raises(OperationRefused, match="is over: done"):
        await studio.by().resume(operation)
    with pytest.raises(OperationRefused, match="is done; to lead back, plan the opposite"):
        await studio.by("eve").undo(operation)
    with pytest.raises(OperationRefused, match="is over: done"):
        await studio.by("eve").cancel(operation)
    with pytest.raises(NotThere, match="no operation 'nothing' here"):
        await studio.by("eve").cancel("nothing")


async def test_an_operation_that_never_began_is_not_resumed(studio: Studio) -> None:
    folder = studio.store.create(await studio.plan())
    with pytest.raises(OperationRefused, match="never began"):
        await studio.by().resume(folder.id)


def test_changed_facts_name_the_values() -> None:
    old = {"a": 1, "b": {"c": [1], "d": 2}, "gone": True}
    new = {"a": 1, "b": {"c": [1, 2], "d": 2}, "new": None}
    assert changed_facts(old, new) == ["b.c: 1 -> 1, 2", "gone: yes -> absent", "new: absent -> none"]
    known, lost = {"db2": {"role": "SECONDARY", "follows": {"db1": "sync"}}}, {"db2": "no answer"}
    assert changed_facts(known, lost) == ["db2: role SECONDARY, follows db1 sync -> no answer"]
    assert changed_facts(old, old) == []
