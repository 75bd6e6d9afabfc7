"""The measurement itself: what a program shows by the way is not its answer to a key."""

from __future__ import annotations

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
