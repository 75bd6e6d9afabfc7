"""Two monitors for one user: only the one with the right generation records. And the test can fail."""

from __future__ import annotations

import pytest

from tests.server.mail.world import World
from tests.until import until
from tuiha.server.mail import Bound, record

# HOLD without its condition on server and generation: the ablation.
UNGUARDED = """
SELECT u.last_seq FROM binding b JOIN app_user u ON u.id = b.user_id
WHERE b.user_id = $1 AND $2::text IS NOT NULL AND $3::bigint IS NOT NULL
FOR SHARE OF b FOR NO KEY UPDATE OF u
"""


async def moved(lab: World, user: Bound) -> Bound:
    """The user is bound to s2 now; s1 was not told."""
    await lab.database.execute(
        "UPDATE binding SET server = 's2', generation = generation + 1 WHERE user_id = $1", user.user_id)
    return Bound(user.user_id, user.name, user.cluster, user.generation + 1)


async def recorded_by_the_old(lab: World, user: Bound) -> int:
    """Changes of an old generation after the move: what must never be."""
    count: int = await lab.database.fetchval(
        "SELECT count(*) FROM change WHERE user_id = $1 AND generation < 2 AND message_id <> '<before@x>'",
        user.user_id)
    return count


async def both_watch(lab: World, user: Bound) -> int:
    """Let the old and the new monitor compete for 40 messages; answers how many the old one recorded."""
    async with lab.monitor([user], "s1") as old:
        await lab.send(user, "<before@x>")
        await lab.arrived(user, "<before@x>")
        new = await moved(lab, user)
        async with lab.monitor([new], "s2"):
            assert old.figures().users == 1, "the old one does not know yet"
            ids = [f"<m{number}@x>" for number in range(40)]
            for message_id in ids:
                await lab.send(new, message_id)
            await lab.arrived(new, "<before@x>", *ids)
            return await recorded_by_the_old(lab, user)


async def test_only_the_right_generation_records(lab: World) -> None:
    assert await both_watch(lab, await lab.user()) == 0


async def test_without_the_check_of_the_generation_both_record(lab: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is slower finds the cursor elsewhere and starts again: that may be the old one for all of 40 messages."""
    monkeypatch.setattr(record, "HOLD_BINDING", UNGUARDED)
    for _ in range(20):
        if await both_watch(lab, await lab.user()):
            return
    pytest.fail("the old monitor never recorded")


async def test_a_superseded_monitor_stops_and_never_tries_again_for_that_generation(lab: World) -> None:
    user = await lab.user()
    async with lab.monitor([user], "s1") as old:
        await moved(lab, user)
        await lab.send(user, "<a@x>")
        await until(lambda: old.figures().superseded == 1, "it noticed")
        await until(lambda: old.figures().connected == 0, "it stopped")
        logins = sum(one.logins for one in old.figures().servers)
        old.set_bound({user.user_id: user})  # somebody read the binding before it was moved
        assert old.figures().users == 0
        assert await lab.changes(user) == []
        # Back under a third generation: that is another right.
        await lab.database.execute(
            "UPDATE binding SET server = 's1', generation = 3 WHERE user_id = $1", user.user_id)
        old.set_bound({user.user_id: Bound(user.user_id, user.name, user.cluster, 3)})
        await lab.arrived(user, "<a@x>")
        assert sum(one.logins for one in old.figures().servers) == logins + 1


async def test_another_generation_starts_anew_and_records_under_it(lab: World) -> None:
    user = await lab.user()
    async with lab.monitor([user]) as monitor:
        await lab.send(user, "<a@x>")
        await lab.arrived(user, "<a@x>")
        await lab.database.execute("UPDATE binding SET generation = 5 WHERE user_id = $1", user.user_id)
        for generation in (3, 4, 5):
            monitor.set_bound({user.user_id: Bound(user.user_id, user.name, user.cluster, generation)})
        await lab.send(user, "<b@x>")
        await lab.arrived(user, "<a@x>", "<b@x>")
    rows = await lab.database.fetch(
        "SELECT generation FROM change WHERE user_id = $1 ORDER BY seq", user.user_id)
    assert [row["generation"] for row in rows] == [1, 5]
