from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tuiha.model.users.placement import Biases, BoundUser, Candidate, choose, share_out


def server(name: str, index: int = 80, *, alive: bool = True, users: int = 100, capacity: int = 1000) -> Candidate:
    return Candidate(name, f"http://{name}", index, alive, users, capacity)


def pool(*servers: Candidate) -> dict[str, Candidate]:
    return {one.name: one for one in servers}


ON_S1 = BoundUser("s1", 3, locked=False, expired=False, pinned=False)


def test_a_new_user_goes_where_its_device_arrived_among_equals() -> None:
    assert choose(pool(server("s1"), server("s2"), server("s3")), None, "s2") == "s2"


def test_a_new_user_goes_elsewhere_when_another_has_more_room_than_the_local_bias() -> None:
    assert choose(pool(server("s1", 50), server("s2", 61)), None, "s1") == "s2"
    assert choose(pool(server("s1", 50), server("s2", 59)), None, "s1") == "s1"


def test_a_bound_user_stays_until_another_is_better_by_more_than_the_current_bias() -> None:
    assert choose(pool(server("s1", 60), server("s2", 69)), ON_S1, "s2") == "s1"
    assert choose(pool(server("s1", 60), server("s2", 71)), ON_S1, "s2") == "s2"
    assert choose(pool(server("s1", 60), server("s2", 80), server("s3", 10)), ON_S1, "s3") == "s1", "a tie"


def test_a_pinned_user_stays_even_on_an_overloaded_server_and_a_locked_one_does_not() -> None:
    servers = pool(server("s1", -50), server("s2", 100))
    assert choose(servers, replace(ON_S1, pinned=True), "s2") == "s1"
    assert choose(servers, replace(ON_S1, locked=True), "s2") == "s2"
    assert choose(pool(server("s1", 0), server("s2", 100)), replace(ON_S1, locked=True), "s2") == "s1"
    assert choose(servers, ON_S1, "s2") == "s2"


def test_a_dead_withdrawn_or_unknown_server_keeps_nobody() -> None:
    locked = replace(ON_S1, locked=True, pinned=True)
    assert choose(pool(server("s1", alive=False), server("s2")), locked, "s2") == "s2"
    assert choose(pool(server("s1", -200), server("s2")), locked, "s2") == "s2"
    assert choose(pool(server("s2")), locked, "s2") == "s2"


def test_a_constrained_server_takes_no_new_user() -> None:
    assert choose(pool(server("s1", -1), server("s2", 3)), None, "s1") == "s2"
    assert choose(pool(server("s1", -1)), None, "s1") is None
    assert choose(pool(server("s1", -1)), ON_S1, "s1") == "s1", "but it keeps the ones it has"


def test_an_expired_binding_counts_for_nothing() -> None:
    assert choose(pool(server("s1", 60), server("s2", 61)), replace(ON_S1, expired=True), "s2") == "s2"


def test_users_are_shared_out_evenly_by_capacity() -> None:
    takers = [server("s1", users=0, capacity=1000), server("s2", users=0, capacity=500)]
    assert Counter(share_out(((u, 1.0) for u in range(300)), takers).values()) == {"s1": 200, "s2": 100}


def test_the_constrained_take_users_only_when_nobody_else_can() -> None:
    users = [(1, 1.0), (2, 1.0)]
    assert set(share_out(users, [server("s1", -10), server("s2", 5)]).values()) == {"s2"}
    assert set(share_out(users, [server("s1", -10), server("s2", -200)]).values()) == {"s1"}
    assert share_out(users, [server("s2", -200), server("s3", alive=False)]) == {}


@given(
    st.lists(st.floats(0.1, 10), max_size=200),
    st.lists(st.tuples(st.integers(0, 500), st.integers(1, 2000)), min_size=1, max_size=6),
)
def test_every_user_is_given_out_to_a_server_that_has_room_or_waits_because_none_has(
    weights: list[float], servers: list[tuple[int, int]]
) -> None:
    takers = [server(f"s{n}", users=users, capacity=capacity) for n, (users, capacity) in enumerate(servers)]
    given_out = share_out(enumerate(weights), takers)
    load = {taker.name: float(taker.users) for taker in takers}
    for user, name in given_out.items():
        load[name] += weights[user]
    for taker in takers:
        assert load[taker.name] <= max(taker.capacity, taker.users) + 1e-6
    lightest = min((weights[user] for user in range(len(weights)) if user not in given_out), default=None)
    assert lightest is None or all(load[taker.name] + lightest > taker.capacity for taker in takers)


def test_a_user_too_heavy_for_the_least_loaded_server_goes_to_a_larger_one() -> None:
    takers = [server("s1", users=0, capacity=1), server("s2", users=500, capacity=1000)]
    assert share_out([(1, 5.0)], takers) == {1: "s2"}


def test_users_that_arrive_within_one_heartbeat_do_not_all_go_to_the_same_server() -> None:
    servers = pool(server("s1", 50, users=50, capacity=100), server("s2", 60, users=40, capacity=100))
    given = Counter[str]()
    for _ in range(30):
        chosen = choose(servers, None, "s1", Biases(local=0, current=20))
        assert chosen is not None
        given[chosen] += 1
        servers[chosen] = servers[chosen].with_one_more()
    assert given == {"s2": 20, "s1": 10}


def test_one_more_user_never_makes_a_server_constrained_or_more_available() -> None:
    assert server("s1", 30, users=10, capacity=100).with_one_more().availability_index == 30
    assert server("s1", 3, users=200, capacity=100).with_one_more().availability_index == 0
    assert server("s1", -50, users=10, capacity=100).with_one_more().availability_index == -50
