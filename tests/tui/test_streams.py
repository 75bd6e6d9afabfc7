"""Random bytes in random pieces through a real terminal and the driver's own parser: nothing is started.

TUIHA_STREAMS=10000 is the full number; without it there are fewer, for the time that it takes.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.tui.play_acting import STARTS
from tests.tui.pty_terminal import PATIENCE, Terminal
from tests.tui.test_operation_streams import pieces, stream

STREAMS = int(os.environ.get("TUIHA_STREAMS", "250"))
PASTE_ENDS = "\x1b[201~"


def back_home(terminal: Terminal) -> None:
    """Wait until everything sent so far was acted on, and Home is in front."""
    terminal.send(PASTE_ENDS)
    press(terminal, "?", lambda: terminal.has("NOW  "))
    press(terminal, "", lambda: terminal.has("STATE") and not terminal.has("NOW  "))


def press(terminal: Terminal, key: str, there: Callable[[], bool]) -> None:
    """esc and that key, until it is there."""
    until = time.monotonic() + PATIENCE
    while not there():
        assert time.monotonic() < until, "\n".join(terminal.lines)
        terminal.send("\x1b")
        terminal.read(0.2)  # an esc right before another key would be alt and that key
        terminal.send(key)
        terminal.read(0.2)


def asked(terminal: Terminal, target: Path) -> dict[str, object]:
    """End it, and see what was asked of the operator."""
    terminal.kill(signal.SIGTERM)
    assert terminal.wait() == 0
    assert b"Traceback" not in terminal.raw
    found: dict[str, object] = json.loads(target.read_text(encoding="utf-8"))
    assert found["failure"] == ""
    return found


def test_random_streams_start_nothing(tmp_path: Path) -> None:
    source = random.Random(20)
    target = tmp_path / "asked.json"
    with Terminal(["-m", "tests.tui.play_acting", str(target)]) as terminal:
        terminal.shows("UNLOCKED")
        for number in range(STREAMS):
            if number % 25 == 0:
                back_home(terminal)
                terminal.send(source.choice(["f", "r", "d", ":drain s1\r"]))
            for piece in pieces(stream(source), source):
                os.write(terminal._master, piece)
                terminal.read_once(0.0)
            terminal.raw.clear()
        back_home(terminal)
        found = asked(terminal, target)
    assert not any(found[name] for name in STARTS), found
    assert int(str(found["plan"])) > STREAMS // 100  # the streams did come near


def test_the_control_one_careless_key_is_counted(tmp_path: Path) -> None:
    target = tmp_path / "asked.json"
    with Terminal(["-m", "tests.tui.play_acting", str(target), "careless"]) as terminal:
        terminal.shows("UNLOCKED")
        terminal.send("d")
        terminal.read(1.0)
        assert asked(terminal, target)["apply"] == 1
