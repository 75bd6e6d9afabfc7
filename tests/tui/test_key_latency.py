"""The measurement itself: what a program shows by the way is not its answer to a key."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.benchmarks import terminal as benchmark
from tests.tui.pty_terminal import Terminal

PROGRAM = """
import sys, time, tty
tty.setcbreak(0)
row = 1
sys.stdout.write("\\x1b[2J\\x1b[1;1H\u25b8\\x1b[9;9Hready")
sys.stdout.flush()
while True:
    key = sys.stdin.read(1)
    sys.stdout.write("\\x1b[9;9H something else ")
    sys.stdout.flush()
    time.sleep(0.1)
    row += {"j": 1, "k": -1}[key]
    sys.stdout.write(f"\\x1b[2J\\x1b[{row};1H\u25b8")
    sys.stdout.flush()
"""


@pytest.mark.parametrize(("keys", "answer"), [(benchmark.MOVES, True), (benchmark.Keys(("j", "k")), False)])
def test_a_key_counts_until_what_it_does_is_seen(
    keys: benchmark.Keys, answer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: whatever comes first comes sooner."""
    monkeypatch.setattr(benchmark, "KEYS", 4)
    with Terminal(["-c", PROGRAM]) as terminal:
        terminal.shows("ready")
        taken = benchmark.key_latencies(terminal, keys)
    assert (min(taken) >= 100) is answer


DRAWS = "import tuiha.tui.app, textual.screen; print(textual.screen.UPDATE_PERIOD)"


@pytest.mark.parametrize(("asked", "seconds"), [({}, 1 / 250), ({"TEXTUAL_FPS": "60"}, 1 / 60)])
def test_what_changed_is_drawn_at_once_unless_somebody_wants_it_gathered(asked: dict[str, str], seconds: float) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TEXTUAL_FPS"} | asked
    done = subprocess.run([sys.executable, "-c", DRAWS], env=environment, capture_output=True, text=True, check=True)
    assert float(done.stdout) == seconds
