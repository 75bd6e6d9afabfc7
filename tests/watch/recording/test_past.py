"""What a recording knows of the time before a screen began."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tui.samples import AT
from tests.watch.recording.made import TROUBLE, at_turn, recorded
from tuiha.tui.draw.marks import buckets
from tuiha.watch.history import SPAN, History
from tuiha.watch.recording.past import DAY, MOST, past_of


def test_there_may_be_no_recording(tmp_path: Path) -> None:
    assert past_of(tmp_path / "r.sqlite", AT) is None


def test_a_young_screen_plots_what_was_recorded(tmp_path: Path) -> None:
    past = past_of(recorded(tmp_path / "r.sqlite", range(500)), AT + 500)
    assert past is not None
    assert 0 < len(past.figures) <= MOST
    history = History(1.0)
    history.record(at_turn(500))
    history.fill(AT, AT + 100, [("s1", "users", 1.0)])  # nothing older counts where something newer is known
    for known in past.figures:
        history.fill(known.at, known.until, known.figures)
    values = history.read("s1", "users")
    assert values[-1] == at_turn(500).servers[0].users
    assert values[-200] == pytest.approx(at_turn(301).servers[0].users, abs=40)
    assert values[:390] == (None,) * 390  # before the recording began
    assert None not in buckets(values[-480:], 100, AT + 500, 480.0)[1:]


def test_the_verdicts_of_a_day_are_stretches(tmp_path: Path) -> None:
    past = past_of(recorded(tmp_path / "r.sqlite", range(300)), AT + 300)
    assert past is not None
    assert [one.verdict for one in past.verdicts] == ["HEALTHY", "DEGRADED", "HEALTHY"]
    trouble = past.verdicts[1]
    assert trouble.begin <= AT + TROUBLE.start
    assert trouble.end >= AT + TROUBLE.stop - 1
    later = past_of(tmp_path / "r.sqlite", AT + 300 + DAY)
    assert later is not None
    assert (later.figures, later.verdicts) == ((), ())


def test_what_is_filled_in_never_replaces_what_was_seen() -> None:
    history = History(1.0)
    history.fill(AT - 10, AT, [("s1", "users", 1.0)])  # before anything was seen there is no place for it
    assert history.read("s1", "users") == ()
    history.record(at_turn(0))
    history.record(at_turn(5))
    history.fill(AT - SPAN - 50, AT + 99, [("s1", "users", 1.0), ("s1", "queue", None)])
    values = history.read("s1", "users")
    seen = at_turn(5).servers[0].users
    assert values[-1] == seen
    assert values[-6] == at_turn(0).servers[0].users
    assert values[-5:-1] == (1.0,) * 4
    assert set(values[:-6]) == {1.0}
