"""Replay: a recording as a feed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.until import wait_until
from tests.watch.recording.made import KEEP, TROUBLE, at_turn, recorded
from tests.watch.recording.test_file import same
from tuiha.watch.feed import Feed
from tuiha.watch.recording.replay import Replay
from tuiha.watch.recording.writer import Writer
from tuiha.words.events import text


@pytest.fixture
def replay(tmp_path: Path) -> Iterator[Replay]:
    made = Replay(recorded(tmp_path / "r.sqlite", range(300)))
    yield made
    made.close()


def at(replay: Replay, turn: int) -> Callable[[], bool]:
    return lambda: replay.latest().number == turn


def test_it_is_a_feed_that_moves(replay: Replay) -> None:
    feed: Feed = replay
    told: list[int] = []
    feed.subscribe(lambda snapshot: told.append(snapshot.number))
    assert feed.latest() == same(at_turn(299))
    replay.step(-1)
    replay.step(-10)
    wait_until(at(replay, 288))
    replay.jump(at_turn(70).at)
    wait_until(at(replay, 70))
    replay.change(forward=True)
    wait_until(lambda: replay.latest().number > 70)
    assert replay.where.here
    replay.step(-10_000)
    wait_until(at(replay, 0))
    assert replay.where.remark == "the recording begins here"
    assert replay.where.before is None
    assert told[0] in (288, 298)


def test_history_and_events_are_those_of_that_moment(replay: Replay) -> None:
    replay.jump(at_turn(TROUBLE.start + 5).at)
    wait_until(at(replay, TROUBLE.start + 5))
    wait_until(lambda: sum(value is not None for value in replay.history("s1", "users")) > 100)
    users = [value for value in replay.history("s1", "users") if value is not None]
    assert users == [at_turn(turn).servers[0].users for turn in range(TROUBLE.start + 6)]
    wait_until(lambda: any(text(event).startswith("UP -> DOWN") for event in replay.events()))
    moments = [event.at for event in replay.events()]
    assert moments == sorted(moments, reverse=True)
    assert max(moments) <= replay.latest().at
    replay.step(-20)
    wait_until(at(replay, TROUBLE.start - 15))
    assert not [event for event in replay.events() if event.at > replay.latest().at]


def test_what_is_recorded_meanwhile_can_be_gone_to(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r.sqlite", range(3))
    replay = Replay(path)
    writer = Writer(path, "corp-east", KEEP)
    writer.write(at_turn(3))
    replay.step(1)
    wait_until(at(replay, 3))
    writer.close()  # its tail becomes a block
    replay.step(-1)
    wait_until(at(replay, 2))
    replay.close()


def test_a_recording_that_goes_away_is_told(replay: Replay, tmp_path: Path) -> None:
    with (tmp_path / "r.sqlite").open("r+b") as file:
        file.truncate(4096)
    replay.jump(at_turn(10).at)
    wait_until(lambda: "recording" in replay.where.remark or "part" in replay.where.remark)
    assert replay.latest() == same(at_turn(299))
    assert any(thread.name == "tuiha-replay" for thread in threading.enumerate())
