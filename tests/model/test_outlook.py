"""Why a user is where it is, and where it would go: the same decision as a server's, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tuiha.model.users.outlook import outlook
from tuiha.model.users.placement import BoundUser, Candidate, choose

S1 = Candidate("s1", "127.0.0.1:1", 60, True, 40, 100)
S2 = Candidate("s2", "127.0.0.1:2", 80, True, 20, 100)
S3 = Candidate("s3", "127.0.0.1:3", 70, True, 30, 100)
BOUND = BoundUser("s1", 4, False, False, False)


def pool(*servers: Candidate) -> dict[str, Candidate]:
    return {server.name: server for server in servers or (S1, S2, S3)}


def test_it_stays_where_it_has_the_most_points() -> None:
    found = outlook(pool(), BOUND)
    assert (found.next, found.if_lost) == ("s1", "s2")
    assert found.why.startswith("s1 scores best: 90 (60 free + 30 for staying)")
    assert "s2 with 80" in found.why
    assert [(one.server, one.total) for one in found.points] == [("s1", 90), ("s2", 80), ("s3", 70)]


@pytest.mark.parametrize(("servers", "bound", "following", "why"), [
    ((S1, replace(S2, availability_index=95)), BOUND, "s2", "s2 scores better"),
    ((S1, replace(S2, availability_index=95)), replace(BOUND, locked=True), "s1", "locked there"),
    ((S1, replace(S2, availability_index=95)), replace(BOUND, pinned=True), "s1", "pinned to s1"),
    ((replace(S1, alive=False), S2), replace(BOUND, pinned=True), "s2", "s1 is down"),
    ((replace(S1, availability_index=-200), S2), BOUND, "s2", "s1 is draining"),
    ((replace(S1, availability_index=-5),), BOUND, "s1", "overloaded, but no server may take it"),
    ((replace(S1, alive=False),), BOUND, None, "s1 is down"),
    ((S1, S2), None, "s2", "no device was here yet"),
    ((S1, S2), replace(BOUND, expired=True), "s2", "for a long time"),
    ((), BOUND, None, "s1 is down"),
])
def test_every_reason(
    servers: tuple[Candidate, ...], bound: BoundUser | None, following: str | None, why: str
) -> None:
    known = {server.name: server for server in servers}
    found = outlook(known, bound)
    assert found.next == following
    assert why in found.why
    local = bound.server if bound is not None and not bound.expired else "s2"
    assert found.next == choose(known, bound, local)  # the words never differ from the decision


def test_who_takes_it_when_its_server_is_lost_has_the_most_room() -> None:
    full = replace(S2, users=100, availability_index=0)
    assert outlook(pool(S1, full, S3), BOUND).if_lost == "s3"
    assert outlook(pool(S1), BOUND).if_lost is None
