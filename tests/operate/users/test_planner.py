"""The planner: the fewest moves, nobody moved who may stay, everybody moved who must."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuiha.model.operations.plans import ServerPart
from tuiha.operate.users.census import Staying
from tuiha.operate.users.drain import leaving, room
from tuiha.operate.users.planner import (
    Bounds,
    Moves,
    ServerPlace,
    UserArrays,
    fewest,
    plan_moves,
    targets,
)
from tuiha.operate.users.rebalance import stays
from tuiha.pooldb.statements.bindings import LOCKED, PINNED

WEIGHTS = st.integers(1, 12).map(float)


def pool(parts: Sequence[ServerPart], capacity: Sequence[int] | None = None) -> list[ServerPlace]:
    sizes = capacity or [100] * len(parts)
    return [ServerPlace(f"s{n}", size, part) for n, (part, size) in enumerate(zip(parts, sizes, strict=True), 1)]


def bound(*rows: tuple[int, float, int]) -> UserArrays:
    users = UserArrays()
    for number, (server, weight, mark) in enumerate(rows, 1):
        users.add(number, server, weight, mark)
    return users


def crowd(counts: Sequence[int], weight: float = 1.0) -> UserArrays:
    return bound(*((server, weight, 0) for server, count in enumerate(counts) for _ in range(count)))


def after(moves: Moves) -> dict[str, int]:
    return {load.server: load.users_after for load in moves.loads}


def test_a_balanced_pool_is_left_alone() -> None:
    moves = plan_moves(pool([ServerPart.TAKES] * 3), crowd([110, 100, 95]))
    assert (moves.count, moves.minimum, moves.triggered) == (0, 0, False)


def test_an_added_server_gets_its_share_with_as_few_moves_as_can_be() -> None:
    moves = plan_moves(pool([ServerPart.TAKES] * 5), crowd([125, 125, 125, 125, 0]))
    assert moves.count == moves.minimum == 80  # down to 105, the cap, on each of four
    assert after(moves) == {"s1": 105, "s2": 105, "s3": 105, "s4": 105, "s5": 80}


@pytest.mark.parametrize(("mark", "left"), [(LOCKED, 109), (PINNED, 120)])
def test_a_lock_holds_nobody_on_an_overloaded_server(mark: int, left: int) -> None:
    """Three of four servers were lost and are back: the one that was left has more than its capacity."""
    moves = plan_moves(pool([ServerPart.TAKES] * 2, [110, 90]), bound(*[(0, 1.0, mark)] * 120, *[(1, 1.0, 0)] * 70))
    assert after(moves)["s1"] == left
    assert moves.overloaded == {"s1"}, "its locks are no reason that a check may name"


def test_shares_follow_capacity() -> None:
    moves = plan_moves(pool([ServerPart.TAKES] * 2, [300, 100]), crowd([0, 400]), Bounds(0.15, 0.0))
    assert after(moves) == {"s1": 300, "s2": 100}


def test_pins_and_locks_hold_except_on_servers_that_go() -> None:
    rows = [(0, 1.0, LOCKED)] * 60 + [(1, 1.0, LOCKED)] * 10
    stay = plan_moves(pool([ServerPart.TAKES] * 2), bound(*rows))
    assert stay.count == stay.minimum == 0
    assert stay.triggered
    assert stay.short == pytest.approx({"s1": 60 - 35 * 1.05})
    go = plan_moves(pool([ServerPart.TAKES, ServerPart.GIVES]), bound(*rows))
    assert go.count == go.forced == 10
    assert after(go) == {"s1": 70, "s2": 0}


def test_a_plan_without_moves_says_who_is_locked_and_until_when() -> None:
    moves = plan_moves(pool([ServerPart.TAKES] * 3), bound(*[(0, 1.0, LOCKED)] * 13, *[(1, 1.0, LOCKED)] * 10,
                                                           *[(2, 1.0, 0)] * 2))
    assert moves.count == 0
    at = 1_800_000_000.0
    told = stays(moves, [Staying("s1", 2, 11, at, at + 59.5), Staying("s2", 0, 10, at, at)])
    assert [(check.subject, check.value, check.verdict) for check in told] == [
        ("s1", "4.2 users over its share stay: 11 users locked after a move, the first until 08:00:00Z, the last until "
               "08:01:00Z; 2 users pinned", "warning"),
        ("s2", "1.2 users over its share stay: 10 users locked after a move until 08:00:00Z", "warning"),
    ]
    assert told[0].remedy.startswith("plan again after 08:01:00Z; ")
    free = plan_moves(pool([ServerPart.TAKES] * 3), crowd([13, 10, 2]))
    assert (free.count, free.short, stays(free, [])) == (7, {}, [])


def test_a_constrained_server_takes_nobody_and_gives_what_is_too_much() -> None:
    gets = plan_moves(pool([ServerPart.TAKES, ServerPart.KEEPS, ServerPart.TAKES]), crowd([150, 30, 30]))
    assert after(gets)["s2"] == 30
    gives = plan_moves(pool([ServerPart.TAKES, ServerPart.KEEPS, ServerPart.TAKES]), crowd([30, 150, 30]))
    assert after(gives)["s2"] == 73  # 70 is its share


def test_one_that_cannot_be_asked_is_left_alone() -> None:
    moves = plan_moves(pool([ServerPart.TAKES, ServerPart.APART, ServerPart.TAKES]), crowd([100, 300, 0]))
    assert after(moves) == {"s1": 52, "s2": 300, "s3": 48}


def test_nobody_takes_users() -> None:
    moves = plan_moves(pool([ServerPart.GIVES, ServerPart.KEEPS]), crowd([5, 5]))
    assert (moves.count, moves.forced) == (0, 5)


def test_an_empty_pool() -> None:
    moves = plan_moves(pool([ServerPart.TAKES] * 2), UserArrays())
    assert (moves.count, moves.off) == (0, 0.0)
    assert plan_moves([], UserArrays()).count == 0


def test_draining_moves_nobody_else() -> None:
    places = pool([ServerPart.TAKES, ServerPart.TAKES, ServerPart.GIVES, ServerPart.TAKES])
    moves = leaving(places, crowd([10, 90, 40, 50]), ["s1"])
    assert {source for source, _ in moves.chosen} == {"s1"}
    assert after(moves) == {"s1": 0, "s2": 90, "s3": 40, "s4": 60}


def test_draining_needs_room_at_the_others() -> None:
    places = pool([ServerPart.TAKES, ServerPart.TAKES, ServerPart.KEEPS], [100, 100, 500])
    verdicts = {users: [(c.name, c.verdict) for c in room(places, crowd([users]), ["s1"])] for users in (100, 101)}
    assert verdicts == {100: [("last", "ok"), ("capacity", "ok")], 101: [("last", "ok"), ("capacity", "bad")]}
    assert room(places, crowd([1]), ["s1"])[0].verdict == "ok"
    assert room(places[:1] + places[2:], crowd([1]), ["s1"])[0].verdict == "never"


@given(st.lists(WEIGHTS, min_size=1, max_size=9), st.floats(0.5, 60))
def test_no_choice_of_fewer_closes_the_gap(weights: list[float], gap: float) -> None:
    chosen = fewest(list(range(len(weights))), weights, gap)
    assert len(set(chosen)) == len(chosen)
    if sum(weights) < gap * (1 - 1e-6):
        assert len(chosen) == len(weights)
        return
    assert sum(weights[n] for n in chosen) >= gap * (1 - 1e-5)
    assert all(sum(few) < gap for few in combinations(weights, len(chosen) - 1))
    rest = sum(weights[n] for n in chosen[:-1])
    smaller = [w for n, w in enumerate(weights) if n not in chosen and w < weights[chosen[-1]]]
    assert all(rest + w < gap * (1 - 1e-6) for w in smaller)  # the last one is the smallest that is enough


@given(
    st.lists(st.sampled_from(list(ServerPart)), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(0, 4), WEIGHTS, st.sampled_from([0, LOCKED, PINNED])), max_size=60),
)
def test_any_pool(parts: list[ServerPart], rows: list[tuple[int, float, int]]) -> None:
    users = bound(*((server % len(parts), weight, mark) for server, weight, mark in rows))
    places = pool(parts)

    def overloaded(name: str) -> bool:
        s = next(s for s, place in enumerate(places) if place.name == name)
        weight = sum(w for server, w in zip(users.server, users.weight, strict=True) if server == s)
        return places[s].part is ServerPart.KEEPS or weight > places[s].capacity

    moves = plan_moves(places, users)
    takers = {place.name for place in places if place.part is ServerPart.TAKES}
    moved = [user for ids in moves.chosen.values() for user in ids]
    assert len(set(moved)) == len(moved)
    for (source, target), ids in moves.chosen.items():
        part = next(place.part for place in places if place.name == source)
        assert target in takers
        assert source != target
        assert part is not ServerPart.APART
        for user in ids:
            assert places[users.server[user - 1]].name == source
            mark = users.marks[user - 1]
            assert part is ServerPart.GIVES or not mark or (mark == LOCKED and overloaded(source))
    if not takers:
        assert moves.count == 0
        return
    assert moves.count == moves.minimum
    assert all(load.users_after == 0 for load in moves.loads if load.part is ServerPart.GIVES)
    spread = Counter(places[server].name for server in users.server)
    assert sum(load.users_after for load in moves.loads) == spread.total()
    if moves.triggered:
        for load in moves.loads:
            cap = load.target * 1.05
            if load.part in (ServerPart.TAKES, ServerPart.KEEPS) and load.weight_before > cap * 1.0001:
                rest = [w for s, w, m in zip(users.server, users.weight, users.marks, strict=True)
                        if places[s].name == load.server and m >= (PINNED if overloaded(load.server) else LOCKED)]
                assert load.weight_after <= max(cap, sum(rest)) * 1.0001


@given(st.lists(st.tuples(st.sampled_from(list(ServerPart)), st.integers(1, 50)), min_size=1, max_size=6), st.data())
def test_targets_share_everything_out(servers: list[tuple[ServerPart, int]], data: st.DataObject) -> None:
    places = pool([part for part, _ in servers], [size for _, size in servers])
    weights = [data.draw(WEIGHTS) for _ in places]
    goals = targets(places, weights)
    counted = sum(w for w, place in zip(weights, places, strict=True) if place.part is not ServerPart.APART)
    if any(place.part is ServerPart.TAKES for place in places):
        assert sum(goals) == pytest.approx(counted)
    for goal, weight, place in zip(goals, weights, places, strict=True):
        if place.part is ServerPart.KEEPS:
            assert goal <= weight or all(p.part is not ServerPart.TAKES for p in places)
