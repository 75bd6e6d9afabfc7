"""A primary that dies within a record leaves an end that the secondary can never replay: the failover goes on."""

from __future__ import annotations

from tuiha.operate.database.steps.replication import _STILL, _Still


def test_a_replay_that_stands_still_has_done_what_it_can() -> None:
    still = _Still()
    assert not still.at(100, 50.0)
    assert not still.at(100, 50.0 + _STILL / 2)
    assert still.at(100, 50.0 + _STILL)


def test_a_replay_that_moves_is_waited_for() -> None:
    still = _Still()
    assert not any(still.at(position, position * _STILL / 2) for position in range(100))
    assert not still.so
