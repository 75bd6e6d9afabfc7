"""Users are looked up in a real database with the watcher's role, a page at a time, on an index."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from tests.cli.conftest import Configured, configured, prepared_pair
from tests.until import until
from tuiha.config.load import load
from tuiha.pooldb.statements.pages import PAGE_OF_SERVER, PAGE_OF_USERS
from tuiha.watch.lookup import NoPage, UserLookup, UserPage
from tuiha.watch.reader import DeviceRow, Reader, UserRow, bounds, read_devices, read_users, read_users_on

__all__ = ["configured", "prepared_pair"]
PATIENCE = 30.0
MANY = 200_000


class Asked:
    """What was answered, in the order of the answers."""

    def __init__(self) -> None:
        self.answers: list[UserPage | NoPage] = []
        self.threads: set[str] = set()
        self._came = threading.Condition()

    def __call__(self, answer: UserPage | NoPage) -> None:
        with self._came:
            self.answers.append(answer)
            self.threads.add(threading.current_thread().name)
            self._came.notify_all()

    def first(self) -> UserPage:
        with self._came:
            assert self._came.wait_for(lambda: self.answers, PATIENCE)
        answer = self.answers[0]
        assert isinstance(answer, UserPage), answer
        return answer


async def _fill(connection: Any) -> None:
    await connection.execute("INSERT INTO app_user (name, password_hash, mail_cluster) SELECT "
                             f"'user' || to_char(n, 'FM000000'), 'x', 'east' FROM generate_series(1, {MANY}) AS n")
    await connection.execute("INSERT INTO server (name, address, version, state, availability_index, capacity, users, "
                             "epoch, started_at, heartbeat) VALUES ('s1', 'a:1', '1', 'UP', 70, 100, 5, 1, now(), "
                             "now()), ('s2', 'a:2', '1', 'UP', 80, 100, 5, 1, now(), now() - interval '1 hour')")
    await connection.execute("INSERT INTO binding (user_id, server, generation, expires_at, pinned) SELECT id, 's1', "
                             "3, now() + interval '1 day', true FROM app_user WHERE name = 'user000007'")
    await connection.execute("ANALYZE app_user, binding")


@pytest.fixture
def lookup(configured: Configured) -> Any:
    configured.admin(_fill)
    found = UserLookup(partial(load, configured.write()), configured.folder)
    yield found
    found.close()


def test_pages_with_the_facts_that_decide(lookup: UserLookup) -> None:
    first, after = Asked(), Asked()
    lookup.find("user00000", "", 5, first)
    page = first.first()
    assert [user.name for user in page.users] == [f"user00000{n}" for n in range(1, 6)]
    assert (page.more, page.active, page.database) == (True, True, "db1")
    assert {name: (one.alive, one.availability_index) for name, one in page.servers.items()} == {
        "s1": (True, 70), "s2": (False, 80)}
    lookup.find("user00000", page.users[-1].name, 5, after)
    rest = after.first()
    assert [user.name for user in rest.users] == [f"user00000{n}" for n in range(6, 10)]
    assert not rest.more
    seventh = rest.users[1]
    assert (seventh.server, seventh.generation, seventh.pinned, seventh.locked) == ("s1", 3, True, False)
    assert first.threads == {"tuiha-lookup"}


def test_of_many_questions_the_newest_is_answered(lookup: UserLookup) -> None:
    """As somebody types: each question gives up the one before it, and the connection stays good."""
    asked = [Asked() for _ in range(8)]
    for number, one in enumerate(asked):
        lookup.find("*7*3*" if number % 2 == 0 else "user0000"[: number + 1], "", 10, one)  # * * reads much
    assert [user.name for user in asked[-1].first().users][:2] == ["user000001", "user000002"]
    again = Asked()
    lookup.find("user199999", "", 10, again)
    assert [user.name for user in again.first().users] == ["user199999"]


def test_a_database_that_does_not_answer_has_a_deadline(configured: Configured) -> None:
    async def silent() -> AsyncIterator[int]:
        server = await asyncio.start_server(lambda reader, writer: asyncio.sleep(PATIENCE), "127.0.0.1", 0)
        yield server.sockets[0].getsockname()[1]
        server.close()

    async def ask() -> None:
        async with asyncio.timeout(PATIENCE):
            await look()

    async def look() -> None:
        async for port in silent():
            nodes = [{"name": "db1", "address": f"127.0.0.1:{port}"}]
            database = configured.settings["database"] | {"nodes": nodes}
            path, asked = configured.write(database=database), Asked()
            lookup = UserLookup(partial(load, path), configured.folder, 0.3)
            lookup.find("user", "", 10, asked)
            assert not asked.answers  # the screen did not wait for it
            await until(partial(bool, asked.answers))
            lookup.close()
            told = asked.answers[0]
            assert isinstance(told, NoPage)
            assert "did not answer in 0.3 s" in told.text

    asyncio.run(ask())


async def _bind(connection: Any) -> None:
    """Every tenth user is on s2, but for one whose binding has ended."""
    await connection.execute("INSERT INTO binding (user_id, server, generation, expires_at) SELECT id, 's2', 1, "
                             "now() + interval '1 day' FROM app_user WHERE name LIKE '%0'")
    await connection.execute("UPDATE binding SET expires_at = now() WHERE user_id = (SELECT id FROM app_user "
                             "WHERE name = 'user000020')")
    await connection.execute("ANALYZE binding")


def test_pages_of_a_servers_users_end_where_the_next_begins(lookup: UserLookup, configured: Configured) -> None:
    configured.admin(_bind)
    first, after, other = Asked(), Asked(), Asked()
    lookup.find_on("s2", 0, 3, first)
    page = first.first()
    assert [user.name for user in page.users] == ["user000010", "user000030", "user000040"]
    assert {user.server for user in page.users} == {"s2"}
    assert page.more
    lookup.find_on("s2", page.users[-1].id, 2, after)
    assert [user.name for user in after.first().users] == ["user000050", "user000060"]
    lookup.find_on("s1", 0, 3, other)
    assert [user.name for user in other.first().users] == ["user000007"]
    assert not other.first().more


async def _explain_on(connection: Any) -> Any:
    query = PAGE_OF_SERVER.replace("$1", "'s2'").replace("$2", "1000").replace("$3", "50")
    return json.loads(await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT json) {query}"))[0]["Plan"]


def test_a_page_of_a_servers_users_reads_as_many_as_it_shows(lookup: UserLookup, configured: Configured) -> None:
    configured.admin(_bind)
    seen: dict[str, float] = {}

    def walk(plan: dict[str, Any]) -> None:
        name = plan.get("Relation Name")
        if name is not None:
            seen[name] = seen.get(name, 0) + plan["Actual Loops"] * (
                plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0))
        for child in plan.get("Plans", ()):
            walk(child)

    walk(configured.admin(_explain_on))
    assert seen["app_user"] <= 100
    assert seen["binding"] <= 200


def _plan(configured: Configured, without_index: bool) -> tuple[set[str], int]:
    """The nodes of the plan of one page, and how many rows of the table of users were read for it."""

    async def explain(connection: Any) -> Any:
        transaction = connection.transaction()
        await transaction.start()
        if without_index:
            await connection.execute("DROP INDEX app_user_name_prefix")
            await connection.execute("ALTER TABLE app_user DROP CONSTRAINT app_user_name_key")  # the next best
        beginning, end, expression = bounds("user1234")
        query = PAGE_OF_USERS
        for number, text in enumerate((f"'{beginning}'", f"'{end}'", "'user123400'", f"'{expression}'", "50"), 1):
            query = query.replace(f"${number}", text)
        found = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT json) {query}")
        await transaction.rollback()
        return json.loads(found)[0]["Plan"]

    nodes: set[str] = set()
    read = 0

    def walk(plan: dict[str, Any]) -> None:
        nonlocal read
        if plan.get("Relation Name") == "app_user":
            nodes.add(plan["Node Type"])
            read += plan["Actual Loops"] * (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0))
        for child in plan.get("Plans", ()):
            walk(child)

    walk(configured.admin(explain))
    return nodes, read


def test_a_page_reads_an_index_and_as_many_users_as_it_shows(lookup: UserLookup, configured: Configured) -> None:
    nodes, read = _plan(configured, without_index=False)
    assert nodes <= {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}
    assert read <= 100


def test_without_the_index_the_whole_table_would_be_read(lookup: UserLookup, configured: Configured) -> None:
    """The control: the test above tells the two apart."""
    nodes, read = _plan(configured, without_index=True)
    assert "Seq Scan" in nodes
    assert read >= MANY / 2


_DISABLED = """
UPDATE app_user SET disabled_at = now(), disabled_reason = 'left' WHERE name = 'user000007';
INSERT INTO device (user_id, name, kind, acked_seq, revoked_at, revoked_reason)
    SELECT id, d.name, 'phone', 0, d.at, d.why FROM app_user, (VALUES ('a', now(), 'lost'), ('b', NULL, NULL))
    AS d (name, at, why) WHERE app_user.name = 'user000007';
UPDATE app_user SET last_seq = 5 WHERE name = 'user000007';
"""
# A pool whose servers are of the version before: the tables without the columns of schema file 0007.
_BEFORE = """
CREATE SCHEMA before;
CREATE TABLE before.app_user AS SELECT id, name, mail_cluster, last_seq FROM public.app_user WHERE name = 'user000007';
CREATE TABLE before.device AS
    SELECT id, user_id, name, kind, acked_seq, registered_at, last_seen FROM public.device;
CREATE TABLE before.binding AS TABLE public.binding;
CREATE TABLE before.mail_assignment AS TABLE public.mail_assignment;
SET search_path = before;
"""


def test_who_may_not_come_in_also_of_a_pool_of_the_version_before(lookup: UserLookup, configured: Configured) -> None:
    async def read(connection: Any) -> tuple[list[UserRow], list[DeviceRow] | None, list[UserRow]]:
        source = Reader(connection, "db1", True)
        return (await read_users(source, "user000007", "", 5), await read_devices(source, "user000007"),
                await read_users_on(source, "s1", 0, 5))

    async def both(connection: Any) -> None:
        await connection.execute(_DISABLED)
        (user,), devices, on = await read(connection)
        assert (user.disabled, user.disabled_reason, user.devices, user.revoked) == (True, "left", 2, 1)
        assert [one.disabled for one in on] == [True]
        assert devices is not None
        assert [(one.name, one.behind, one.revoked_reason) for one in devices] == [("a", 5, "lost"), ("b", 5, None)]
        assert [one.revoked_at is None for one in devices] == [False, True]
        await connection.execute(_BEFORE)
        try:
            (user,), devices, on = await read(connection)
            assert (user.disabled, user.devices, user.revoked, [one.disabled for one in on]) == (False, 2, 0, [False])
            assert devices is not None
            assert [one.revoked_at for one in devices] == [None, None]
            assert await read_devices(source := Reader(connection, "db1", True), "nobody") is None, source
        finally:
            await connection.execute("SET search_path = public; DROP SCHEMA before CASCADE")

    configured.admin(both)


def test_devices_are_looked_up_too(lookup: UserLookup, configured: Configured) -> None:
    configured.admin(lambda c: c.execute(_DISABLED))
    answers: list[tuple[DeviceRow, ...] | NoPage] = []
    for user in ("user000007", "nobody"):
        came = threading.Event()

        def take(answer: tuple[DeviceRow, ...] | NoPage, came: threading.Event = came) -> None:
            answers.append(answer)
            came.set()

        lookup.devices(user, take)
        assert came.wait(PATIENCE)
    assert [one.name for one in answers[0]] == ["a", "b"]  # type: ignore[union-attr]
    assert answers[1] == NoPage("the pool has no user nobody")
