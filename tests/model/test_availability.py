from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tuiha.model.users.availability import Load, availability_index, pressures, scarcest

IDLE = Load(
    cpu=0.0, memory=0.0, descriptors=0.0, loop_lag=0.0, database_latency=0.0, queue=0, users=0, capacity=1000
)


def test_an_idle_server_is_fully_available() -> None:
    assert availability_index(IDLE) == 100


def test_the_scarcest_resource_decides() -> None:
    assert availability_index(replace(IDLE, users=500)) == 50
    assert availability_index(replace(IDLE, users=500, cpu=0.95 * 0.9)) == 20
    name, pressure = scarcest(replace(IDLE, users=500, cpu=0.95 * 0.9))
    assert (name, round(pressure, 6)) == ("cpu", 0.8)


def test_a_resource_that_is_less_than_half_used_counts_for_nothing() -> None:
    busy = replace(IDLE, users=100, cpu=0.45, memory=0.4, loop_lag=0.4, database_latency=0.9, queue=400)
    assert availability_index(busy) == availability_index(replace(IDLE, users=100)) == 90


def test_an_exhausted_resource_constrains_and_more_of_it_constrains_more() -> None:
    assert availability_index(replace(IDLE, users=1000)) == -1
    assert availability_index(replace(IDLE, users=1500)) == -50 - 1
    assert availability_index(replace(IDLE, users=10_000)) == -100


@given(
    st.builds(
        Load,
        cpu=st.floats(0, 4),
        memory=st.floats(0, 1),
        descriptors=st.floats(0, 1),
        loop_lag=st.floats(0, 100),
        database_latency=st.floats(0, 100),
        queue=st.integers(0, 10**6),
        users=st.integers(0, 10**6),
        capacity=st.integers(1, 10**6),
    )
)
def test_the_index_stays_in_its_range_and_its_sign_says_whether_something_is_exhausted(load: Load) -> None:
    index = availability_index(load)
    assert -100 <= index <= 100
    assert (index < 0) == (max(pressures(load).values()) >= 1)
