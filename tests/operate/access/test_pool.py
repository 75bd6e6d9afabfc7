"""Users disabled and forgotten, devices revoked, on a real pool of three servers with mail."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from tests.operate.access.devices import Phone, deliver, passwords, phones
from tests.operate.pools import bind
from tests.operate.support import Told, planned, run, undo
from tests.until import until
from tuiha.config import secrets
from tuiha.config.load import load
from tuiha.lab.embedded import EmbeddedPool
from tuiha.lab.pool.layout import Layout
from tuiha.model.operations.plans import CheckVerdict
from tuiha.operate import api
from tuiha.operate.access.kinds import AllowDevice, DisableUser, EnableUser, ForgetUser, RevokeDevice
from tuiha.operate.plans.kinds import OperationRefused, StepUnknown
from tuiha.operate.plans.look import answering, look
from tuiha.operate.plans.plan import Check
from tuiha.operate.reach.active_database import Active
from tuiha.operate.reach.control import ControlError
from tuiha.operate.reach.world import World, open_world
from tuiha.operate.users.move import MoveUser
from tuiha.words.operations import text

pytestmark = [pytest.mark.pool, pytest.mark.asyncio(loop_scope="module")]

SOON = 15.0  # seconds on a busy machine; tests/benchmarks/revocation.py measures
SERVERS = ("s1", "s2", "s3")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[EmbeddedPool]:
    async with EmbeddedPool(servers=3, users=20, load=False) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(pool: EmbeddedPool) -> AsyncIterator[World]:
    async with open_world(load(pool.config_path), pool.folder) as opened:
        yield opened


async def monitored(world: World, user: str) -> bool:
    return bool(await Active(world).value(
        "SELECT count(*) FROM binding b JOIN app_user u ON u.id = b.user_id "
        "WHERE u.name = $1 AND b.expires_at > clock_timestamp()", user))


async def polled(world: World, user_id: int, polls: int) -> bool:
    servers = answering(await look(world)).values()
    said = [await world.control.get(server.address, f"access?user_id={user_id}") for server in servers]
    return bool(sum(one["waiting"] for one in said) == polls)


async def id_of(world: World, user: str) -> int:
    return int(await Active(world).value("SELECT id FROM app_user WHERE name = $1", user))


async def test_a_revoked_device_is_refused_wherever_it_asks(pool: EmbeddedPool, world: World) -> None:
    user, password = next(iter(passwords(pool).items()))
    async with phones(world) as (session, addresses):
        held = [Phone(session, addresses, user, password, f"phone-{server}") for server in SERVERS]
        for phone, server in zip(held, SERVERS, strict=True):
            assert (await phone.register(server)).status == 201
        polls = [asyncio.create_task(phone.poll(s)) for phone, s in zip(held, SERVERS, strict=True)]
        user_id = await id_of(world, user)
        await until(lambda: polled(world, user_id, 3))
        for number, phone in enumerate(held):
            kind = RevokeDevice()  # a server takes 256 characters of a reason, an operator may write more
            plan = await planned(world, kind, user, phone.name, options={"reason": "lost" * (1 + 80 * number)})
            assert (plan.confirm, plan.stopped_by) == (phone.name, ())
            assert [check.name for check in plan.checks if check.verdict == "warning"] == ["password"]
            evidence = await run(world, kind, plan)
            assert evidence[1] == f"{phone.name}: revoked, according to the database"
            assert evidence[2].startswith("seen by s1, s2, s3, announcement ")
            if number == 0:  # the others were woken by it, for nothing
                async with asyncio.timeout(SOON):
                    told = await asyncio.gather(*polls)
                assert [one.status for one in told] == [403, 200, 200]
            for server in SERVERS:
                assert (await phone.poll(server, 0)).status == 403
                assert (await phone.register(server)).status == 403
        with pytest.raises(OperationRefused, match="revoked already"):
            await kind.plan(world, (user, held[0].name), {})
        with pytest.raises(OperationRefused, match="has no device x; its devices: phone-s1"):
            await kind.plan(world, (user, "x"), {})
        kind_back = AllowDevice()
        await run(world, kind_back, await planned(world, kind_back, user, "phone-s2"))
        assert (await held[1].poll("s1", 0)).status == 410, "it was registered while it was refused: no key"
        assert (await held[1].poll("s3", 0)).status == 200
        with pytest.raises(OperationRefused, match="not revoked"):
            await kind_back.plan(world, (user, "phone-s2"), {})


async def test_no_server_tells_a_revoked_device_anything_once_that_is_reported(
    pool: EmbeddedPool, world: World
) -> None:
    """Mail comes all the time, and the device asks every server all the time, with keys that it has or had."""
    user, password = list(passwords(pool).items())[10]
    loop = asyncio.get_running_loop()
    async with phones(world) as (session, addresses):
        told: list[tuple[float, int, int]] = []  # when it was answered, status, changes

        async def ask(server: str, device: str) -> None:
            phone = Phone(session, addresses, user, password, device)
            await phone.register(server)
            while True:
                phone.key = keys[device]
                answer = await phone.poll(server, 0.5)
                told.append((answer.at, answer.status, len(answer.body.get("changes", ()))))
                await asyncio.sleep(0.2)  # its polls end each other; without a pause it is told to ask less often

        async def mail() -> None:
            for number in range(1000):
                await deliver(pool, user, password, f"<{number}@storm>")

        for round_ in range(4):
            device, keys = f"phone{round_}", {}
            first = Phone(session, addresses, user, password, device)
            await first.register("s1")
            keys[device] = first.key
            work = [asyncio.create_task(ask(server, device)) for server in SERVERS for _ in range(3)]
            work.append(asyncio.create_task(mail()))
            await until(partial(_some, told))
            kind = RevokeDevice()
            await run(world, kind, await planned(world, kind, user, device))
            reported = loop.time()
            await asyncio.sleep(1.0)
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            late = [one for one in told if one[0] > reported]
            assert late
            assert [one for one in late if one[2]] == [], "after the report nobody is told changes"
            assert {one[1] for one in late} <= {403, 429, 503}, "429: it asks without a pause"
            told.clear()


async def _some(told: list[tuple[float, int, int]]) -> bool:
    return sum(changes for _, _, changes in told) > 5


async def test_what_comes_while_a_user_is_disabled_is_told_once_it_is_enabled(
    pool: EmbeddedPool, world: World
) -> None:
    user, password = list(passwords(pool).items())[1]
    async with phones(world) as (session, addresses):
        phone = Phone(session, addresses, user, password)
        await phone.register("s1")
        await deliver(pool, user, password, "<before@x>")
        await phone.until("s1", "<before@x>")
        poll = asyncio.create_task(phone.poll("s2"))
        user_id = await id_of(world, user)
        await until(lambda: polled(world, user_id, 1))
        kind, back = DisableUser(), EnableUser()
        plan = await planned(world, kind, user, options={"reason": "left"})
        evidence = await run(world, kind, plan)
        assert evidence[2].endswith("0 polls of the user")
        async with asyncio.timeout(SOON):
            assert (await poll).status == 403
        assert not await monitored(world, user)
        await deliver(pool, user, password, "<meanwhile@x>")
        for server in SERVERS:
            assert (await phone.poll(server, 0)).status == 403
        phone.password = "another"
        assert (await phone.poll("s1", 0)).status == 401
        phone.password = password
        with pytest.raises(OperationRefused, match="disabled already: left"):
            await kind.plan(world, (user,), {})
        with pytest.raises(OperationRefused, match="no server monitors"):
            await MoveUser().plan(world, (user, "s2"), {})
        await run(world, back, await planned(world, back, user))
        with pytest.raises(OperationRefused, match="not disabled"):
            await back.plan(world, (user,), {})
        await phone.until("s3", "<meanwhile@x>")
        assert phone.got == ["<before@x>", "<meanwhile@x>"], "each once"


async def test_a_disabling_that_is_taken_back_leaves_the_user_as_it_was(pool: EmbeddedPool, world: World) -> None:
    user, password = list(passwords(pool).items())[2]
    async with phones(world) as (session, addresses):
        phone = Phone(session, addresses, user, password)
        await phone.register("s1")
        kind = DisableUser()
        plan = await planned(world, kind, user)
        await run(world, kind, plan, only=[1])
        await until(lambda: refused(phone))
        await undo(world, kind, plan)
        assert (await phone.poll("s2", 0)).status == 200
        assert await monitored(world, user)


async def refused(phone: Phone, server: str = "s2") -> bool:
    return (await phone.poll(server, 0)).status == 403


async def test_a_user_that_is_moved_and_disabled_at_the_same_time_is_monitored_by_nobody(
    pool: EmbeddedPool, world: World
) -> None:
    user, password = list(passwords(pool).items())[3]
    async with phones(world) as (session, addresses):
        phone = Phone(session, addresses, user, password)
        await phone.register("s1")
        await bind(world, {user: "s1"})
        move, disable = MoveUser(), DisableUser()
        moving, disabling = await planned(world, move, user, "s2"), await planned(world, disable, user)
        async with open_world(load(pool.config_path), pool.folder) as another:
            await asyncio.gather(run(another, move, moving), run(world, disable, disabling))
        assert not await monitored(world, user)
        for server in SERVERS:
            assert (await phone.poll(server, 0)).status == 403
        assert not await monitored(world, user), "and asking does not bring a server"


async def test_a_server_that_does_not_answer_and_has_a_lease_is_not_taken_for_one_that_knows(
    pool: EmbeddedPool, world: World
) -> None:
    user, password = list(passwords(pool).items())[4]
    async with phones(world) as (session, addresses):
        await Phone(session, addresses, user, password).register("s1")
        kind = DisableUser()
        plan = await planned(world, kind, user)
        order, seen = kind.steps(plan)
        await order.run(world, Told())
        await pool.pause("s3")
        try:
            evidence = text(await seen.run(world, told := Told()))
            assert any("not yet s3" in line for line in told.said), "its lease had to end"
            assert evidence.startswith("seen by s1, s2, ")
        finally:
            await pool.resume("s3")


async def admin(pool: EmbeddedPool, world: World) -> Any:
    """A connection that may write whatever a test needs."""
    settings = load(pool.config_path)
    role = settings.database.roles.pool
    active = await Active(world).value("SELECT active FROM pool_epoch")
    host, _, port = next(n.address for n in settings.database.nodes if n.name == active).rpartition(":")
    return await asyncpg.connect(host=host, port=int(port), user=role.user, database=settings.database.name,
                                 password=secrets.resolve(role.password, pool.folder))


async def test_a_long_history_is_forgotten_also_when_the_runner_dies_in_it(
    pool: EmbeddedPool, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TUIHA_STATE", raising=False)
    user, password = list(passwords(pool).items())[5]
    async with phones(world) as (session, addresses):
        phone = Phone(session, addresses, user, password)
        await phone.register("s1")
        user_id = await id_of(world, user)
        connection = await admin(pool, world)
        await connection.execute(
            "INSERT INTO change (user_id, seq, generation, kind, mailbox, uid, mail_server, message_id, subject, at) "
            "SELECT $1, n, 1, 'new', 'INBOX', n, 'mail1', '<old-' || n || '>', 'x', now() "
            "FROM generate_series(1000001, 1060000) n", user_id)
        await connection.close()
        settings, path, base = load(pool.config_path), pool.config_path, pool.folder
        plan = await api.Operator(settings, base, path).plan("forget-user", [user])
        assert plan.loses == "1 device and 60,000 changes, permanently"
        assert plan.point_of_no_return == 3
        warned = [check for check in plan.checks if check.name == "returns"]
        assert warned[0].verdict == "warning"
        operation = await api.Operator(settings, base, path, "ada@studio").apply(plan, user, "left", [])
        async for state in api.Operator(settings, base, path).follow(operation):
            if state.steps[2].begun or state.ended:
                break
        journal = pool.folder / "operations" / operation / "journal.jsonl"
        pids = [json.loads(line).get("pid") for line in journal.read_text().splitlines()]
        os.kill([pid for pid in pids if pid][-1], signal.SIGKILL)
        assert [state async for state in api.Operator(settings, base, path).follow(operation)][-1].interrupted
        with pytest.raises(OperationRefused, match="point of no return"):
            await api.Operator(settings, base, path, "eve").undo(operation)
        for _ in range(3):  # on a machine that is too busy for a server to answer in time, more than once
            await api.Operator(settings, base, path, "eve@studio").resume(operation)
            state = [state async for state in api.Operator(settings, base, path).follow(operation)][-1]
            if state.state == "done":
                break
        assert state.state == "done", state
        for table in ("app_user WHERE id", "change WHERE user_id", "device WHERE user_id", "mail_cursor WHERE user_id"):
            assert not await Active(world).value(f"SELECT count(*) FROM {table} = $1", user_id), table
        again = await phone.poll("s2", 0)
        assert again.status == 404, "the mail server's word makes the user again, without devices: the plan said so"
        with pytest.raises(OperationRefused, match="no user nobody"):
            await ForgetUser().plan(world, ("nobody",), {})


async def test_a_server_of_an_earlier_version_stops_the_plan(
    pool: EmbeddedPool, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, get = list(passwords(pool))[7], world.control.get

    async def old(address: str, path: str, **more: Any) -> Any:
        if path.startswith("access") and address == addresses["s2"]:
            raise ControlError("Not Found", 404)
        return await get(address, path, **more)

    async with phones(world) as (session, addresses):
        await Phone(session, addresses, user, passwords(pool)[user]).register("s1")
        monkeypatch.setattr(world.control, "get", old)
        plan = await planned(world, DisableUser(), user)
        assert [(check.name, check.value) for check in plan.stopped_by] == [
            ("version", "s2 would still serve the user")]


async def command(pool: EmbeddedPool, *words: str) -> tuple[int, str, str]:
    """What `tuiha` with these words and nobody at a terminal ends with and says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tuiha", *words, "--config", str(pool.config_path), stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_the_commands(pool: EmbeddedPool, world: World) -> None:
    user, password = list(passwords(pool).items())[8]
    async with phones(world) as (session, addresses):
        phone = Phone(session, addresses, user, password)
        await phone.register("s1")
        code, out, err = await command(pool, "users", "disable", user)
        assert (code, out) == (2, "")
        assert f"there is no terminal to type the name at; --confirm {user}" in err
        code, out, err = await command(pool, "users", "disable", user, "--confirm", "another")
        assert (code, (await phone.poll("s1", 0)).status) == (4, 200)
        code, out, err = await command(
            pool, "users", "disable", user, "--confirm", user, "--reason", "left", "--json")
        assert (code, json.loads(out)["result"], (await phone.poll("s2", 0)).status) == (0, "done", 403)
        listed = json.loads((await command(pool, "users", user, "--json"))[1])["users"][0]
        assert (listed["server"], listed["disabled_reason"]) == (None, "left")
        assert "DISABLED" in (await command(pool, "users", user))[1]
        code, out, err = await command(pool, "users", "disable", user, "--confirm", user)
        assert (code, out) == (4, "")
        assert f"{user} is disabled already: left" in err
        assert (await command(pool, "users", "enable", user, "--confirm", user))[0] == 0
        assert (await phone.poll("s3", 0)).status == 200
        assert (await command(pool, "devices", "revoke", user, "phone", "--confirm", "phone"))[0] == 0
        found = json.loads((await command(pool, "devices", user, "--json"))[1])["devices"]
        assert [(one["name"], one["revoked_at"] is not None) for one in found] == [("phone", True)]
        assert "phone" in (await command(pool, "devices", user))[1]
        assert (await command(pool, "devices", "allow", user, "phone", "--confirm", "phone"))[0] == 0
        assert (await command(pool, "users", "forget", user, "--confirm", user))[0] == 0


@pytest.mark.parametrize(("words", "code", "said"), [
    (("users", "disable"), 0, "to disable one: tuiha users disable NAME"),
    (("users", "disable", "nobody", "--confirm", "nobody"), 4, "the pool has no user nobody"),
    (("users", "drop", "ann"), 2, "users takes one PATTERN; or disable, enable or forget, and a NAME"),
    (("users", "ann", "--confirm", "ann"), 2, "--confirm is for what changes the pool"),
    (("devices", "nobody"), 2, "the pool has no user nobody"),
    (("users", "disable", " "), 2, "users disable needs a user's NAME, and this one is empty"),
    (("users", "disable", "ann", "b"), 2, "users disable takes one NAME; put a name with blanks in quotes"),
    (("users", "forget", "x" * 5000), 4, f"the pool has no user {'x' * 60}... (5,000 characters); to find one"),
    (("users", "--after", "zzzz"), 0, "no user comes after zzzz"),
    (("users", "--confirm", ""), 2, "--confirm is for what changes the pool"),
    (("devices", "revoke", "ann"), 2, "needs a user's NAME and a DEVICE; to see the devices: tuiha devices ann"),
    (("devices", "ann", "phone"), 2, "devices takes a user's NAME; or revoke or allow, a NAME and a DEVICE"),
    (("devices", ""), 2, "devices needs a NAME, and this one is empty"),
])
async def test_what_is_not_meant(pool: EmbeddedPool, words: tuple[str, ...], code: int, said: str) -> None:
    found, _, err = await command(pool, *words)
    assert (found, said in err) == (code, True), err


async def transactions(pool: EmbeddedPool, world: World) -> list[tuple[Any, ...]]:
    """What is open in the active database, oldest first, and who waits for whom: what a change waits for in vain."""
    active = await Active(world).value("SELECT active FROM pool_epoch")
    port = next(n.address for n in load(pool.config_path).database.nodes if n.name == active).rpartition(":")[2]
    connection = await asyncpg.connect(host="127.0.0.1", port=int(port), user="postgres", database="tuiha", ssl=False,
                                       password=Layout(pool.folder).read_secret("postgres"))
    try:
        return [tuple(row) for row in await connection.fetch(
            "SELECT pid, application_name, state, wait_event, pg_blocking_pids(pid), now() - xact_start, query "
            "FROM pg_stat_activity WHERE xact_start IS NOT NULL ORDER BY xact_start")]
    finally:
        await connection.close()


async def test_a_database_that_changes_meanwhile(pool: EmbeddedPool, world: World) -> None:
    """The pool changes its database while a user is disabled: it is refused on the other one too."""
    user, password = list(passwords(pool).items())[6]
    async with phones(world) as (session, addresses):
        phone = Phone(session, addresses, user, password)
        await phone.register("s1")
        kind = DisableUser()
        plan = await planned(world, kind, user)
        settings, path, base = load(pool.config_path), pool.config_path, pool.folder

        stopped: Sequence[Check] = ()

        async def may_be() -> bool:
            nonlocal stopped
            stopped = (await api.Operator(settings, base, path).plan("switchover", [])).stopped_by
            return not any(check.verdict is CheckVerdict.NEVER for check in stopped)

        try:
            await until(may_be, seconds=120.0)  # what the test before left open ends
        except TimeoutError:
            raise AssertionError(stopped) from None
        change = await api.Operator(settings, base, path).plan("switchover", [])
        open_before = await transactions(pool, world)
        overrides = [check.name for check in change.stopped_by]  # agents on a busy machine may answer late
        operation = await api.Operator(settings, base, path, "ada").apply(change, change.confirm, "a test", overrides)
        try:
            evidence = await run(world, kind, plan)
        except StepUnknown:
            evidence = await run(world, kind, plan)  # resumed
        state = [state async for state in api.Operator(settings, base, path).follow(operation)][-1]
        assert state.state == "done", (state.text, overrides, *open_before, *await transactions(pool, world))
        assert evidence[2].startswith("seen by ")
        for server in SERVERS:
            await until(partial(refused, phone, server))
