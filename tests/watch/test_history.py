"""Rings of figures."""

from __future__ import annotations

from dataclasses import replace

from tests.model.looks import NOW, SERVERS, healthy, member, server, with_members
from tuiha.model.conclude import conclude
from tuiha.model.facts import Snapshot
from tuiha.watch.history import History


def at(seconds: float, users: int) -> Snapshot:
    look = with_members(healthy(), *(member(s, users=users) for s in SERVERS))
    return replace(conclude(look), at=NOW + seconds)


def test_points_are_evenly_spaced_and_gaps_are_unknown() -> None:
    history = History(1.0)
    for second, users in ((0.0, 100), (1.2, 101), (1.4, 102), (4.0, 103)):
        history.record(at(second, users))
    points = history.read("s1", "users")
    assert len(points) == 900
    assert points[-6:] == (None, 100.0, 102.0, None, None, 103.0)
    assert set(points[:-6]) == {None}


def test_only_the_last_15_minutes_are_kept_and_a_long_gap_empties_it() -> None:
    history = History(10.0)
    for number in range(200):
        history.record(at(number * 10.0, number))
    assert history.read("s1", "users") == tuple(float(n) for n in range(110, 200))
    history.record(at(100_000.0, 5))
    assert history.read("s1", "users") == (None,) * 89 + (5.0,)


def test_a_node_that_is_gone_is_forgotten_when_nothing_of_it_is_left() -> None:
    history = History(100.0)
    history.record(at(0, 1))
    rest = replace(at(0, 1), servers=conclude(replace(healthy(), servers=(server("s1"),))).servers)
    for number in range(1, 9):
        history.record(replace(rest, at=NOW + number * 100.0))
    assert history.read("s2", "users")[0] == 1.0
    history.record(replace(rest, at=NOW + 900.0))
    assert history.read("s2", "users") == ()


def test_the_pool_has_figures_of_its_own() -> None:
    history = History(1.0)
    history.record(at(0, 1))
    assert [history.read("east", metric)[-1] for metric in ("users", "requests_per_second", "sessions")] == \
        [500.0, 80.0, 800.0]
    assert [history.read("east", metric)[-1] for metric in ("full", "latency_ms", "queue")] == \
        [20.0, 8.0, None]
    assert history.read("east", "lag_bytes")[-1] == history.read("db2", "lag_bytes")[-1] == 0.0
    assert history.read("db1", "lag_bytes")[-1] is None
