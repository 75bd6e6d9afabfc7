"""The recorder: off everybody's way, one at a time, and it goes on after trouble."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

from tests.tui.samples import SampleFeed
from tests.until import wait_until
from tests.watch.recording.made import KEEP, TROUBLE, at_turn
from tuiha.model.facts import Snapshot
from tuiha.watch.recording.reader import Recording
from tuiha.watch.recording.recorder import Recorder

PATIENCE = 30.0


def last_in(path: Path) -> Snapshot:
    recording = Recording(path)  # one look: a second one may know of a frame that this one does not
    try:
        return recording.snapshot(recording.last)
    finally:
        recording.close()


def test_what_a_feed_brings_is_recorded(tmp_path: Path) -> None:
    feed, recorder = SampleFeed(None), Recorder(tmp_path / "r.sqlite", "corp-east", KEEP)
    recorder.start(feed)
    feed.publish(at_turn(0))
    wait_until(lambda: recorder.written == 1)
    feed.publish(at_turn(TROUBLE.start))  # another verdict: never left out
    wait_until(lambda: last_in(tmp_path / "r.sqlite").number == TROUBLE.start)
    recorder.stop()
    assert recorder.trouble is None


def test_the_second_dashboard_takes_over_when_the_first_has_ended(tmp_path: Path) -> None:
    feed = SampleFeed(None)
    first = Recorder(tmp_path / "r.sqlite", "corp-east", KEEP, again=0.05)
    second = Recorder(tmp_path / "r.sqlite", "corp-east", KEEP, again=0.05)
    first.start(feed)
    feed.publish(at_turn(0))
    wait_until(lambda: first.written == 1)
    second.start(feed)
    wait_until(lambda: second.trouble is not None)
    assert second.written == 0
    first.stop()

    def second_writes() -> bool:
        feed.publish(at_turn(TROUBLE.start))
        return second.written > 0

    wait_until(second_writes)
    second.stop()
    assert Recording(tmp_path / "r.sqlite").last >= 2


def test_trouble_is_told_and_passes(tmp_path: Path) -> None:
    path = tmp_path / "later" / "r.sqlite"
    feed, recorder = SampleFeed(None), Recorder(path, "corp-east", KEEP, again=0.05)
    recorder.start(feed)
    feed.publish(at_turn(0))
    wait_until(lambda: "No such file" in (recorder.trouble or ""))
    path.parent.mkdir()
    wait_until(lambda: recorder.written == 1)
    assert recorder.trouble is None
    recorder.stop()


def test_a_feed_never_waits_for_the_disk(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "r.sqlite", "corp-east", KEEP)
    for turn in range(1000):  # nobody writes yet: there is room for one, the newest
        recorder.take(at_turn(turn % 2))
    feed = SampleFeed(None)
    recorder.start(feed)
    wait_until(lambda: recorder.written == 1)
    recorder.stop()
    assert threading.active_count() < 20
    assert Recording(tmp_path / "r.sqlite").snapshot(1).number == 1


def test_a_snapshot_that_cannot_be_recorded_ends_nothing(tmp_path: Path) -> None:
    feed, recorder = SampleFeed(None), Recorder(tmp_path / "r.sqlite", "corp-east", KEEP, again=0.05)
    recorder.start(feed)
    feed.publish(replace(at_turn(0), users=object()))  # type: ignore[arg-type]
    wait_until(lambda: "unexpected TypeError" in (recorder.trouble or ""))
    feed.publish(at_turn(1))
    wait_until(lambda: recorder.written == 1)
    recorder.stop()
    assert recorder.trouble is None
