"""Pool servers ask each other whether they are on one database."""

from __future__ import annotations

from tests.server.interfaces import Running
from tests.server.support import Node
from tests.until import until
from tuiha.pooldb.leases import RENEWED_TEXT
from tuiha.server.pool.witnesses import MARK, Renewal


async def _asked(pool: Running, renewal: Renewal) -> object:
    mark, _ = pool.servers["s2"].forwarder.proof.sign(f"GET {renewal.path}", "")
    return (await pool.raw("GET", "s1", renewal.path, {MARK: mark})).body


async def test_a_holder_of_a_lease_knows_the_last_renewal_of_another_server_and_no_other_one(
    pool: Running, node: Node
) -> None:
    await node.admin.execute("INSERT INTO lease (server, epoch, instance, renewed_at, seconds) "
                             "VALUES ('s9', 1, 'x', now(), 1)")
    last = await node.admin.fetchval(RENEWED_TEXT, "s9")
    assert await _asked(pool, Renewal("s9", last)) == {"leased": True, "has": True}
    for other in (Renewal("s9", "2026-01-01 00:00:00.000000"), Renewal("s9", ""), Renewal("nobody", last),
                  Renewal("s9", "' OR 'a' = 'a")):
        assert await _asked(pool, other) == {"leased": True, "has": False}, other


async def test_a_server_without_a_lease_tells_nothing(pool: Running) -> None:
    attachment = pool.servers["s1"].gate.attachment
    assert attachment is not None
    await pool.servers["s1"].gate.hold(30)
    assert await _asked(pool, Renewal("s2", "")) == {"leased": False, "has": None}
    pool.servers["s1"].gate.release()


async def test_only_a_server_of_the_pool_is_answered(pool: Running) -> None:
    renewal = Renewal("s2", "now")
    mark, _ = pool.servers["s2"].forwarder.proof.sign(f"GET {Renewal('s1', 'now').path}", "")
    for headers in ({}, {MARK: mark}, {MARK: "s2"}, {"Authorization": "Bearer nobody"}):
        assert (await pool.raw("GET", "s1", renewal.path, headers)).status == 403
    for token in ("viewer", "operator"):
        assert (await pool.control("GET", "s1", renewal.path, token=token)).status == 403


async def test_a_server_whose_lease_the_others_do_not_see_is_on_another_database(pool: Running, node: Node) -> None:
    server = pool.servers["s2"]

    async def contradicting(at: str) -> list[str]:
        return await server.witnesses.contradicting(node.admin, at)

    assert await contradicting("2026-01-01 00:00:00.000000") == ["s1"]
    stop = pool.stops["s1"]
    stop.set()  # nobody else holds a lease: nobody contradicts
    await until(lambda: pool.servers["s1"].gate.attachment is None, "s1 has left")
    assert await contradicting("2026-01-01 00:00:00.000000") == []
