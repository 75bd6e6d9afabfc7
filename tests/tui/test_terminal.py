"""The dashboard in a real pseudo-terminal: what it shows, what it sends, how it ends."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Mapping

import pytest

from tests.tui.pty_terminal import PATIENCE, TOP, Terminal


def play(
    sample: str, pace: str = "still", columns: int = 80, rows: int = 24, environment: Mapping[str, str] | None = None
) -> Terminal:
    return Terminal(["-m", "tests.tui.play", sample, pace], columns, rows, environment)


@pytest.mark.parametrize(("sample", "one", "two"), [
    ("healthy", "HEALTHY", "all good, no action needed"),
    ("degraded", "DEGRADED", "! mail2 DOWN 4m12s  imap 143: connection refused"),
    ("split", "SPLIT", "! SPLIT 12s  s4 is attached to db2, which is not the pool's   next: rejoin db2"),
    ("down", "DOWN", "! db1 DOWN 9s  connection refused"),
])
def test_lines_one_and_two_alone_say_what_is_broken_and_what_comes_next(sample: str, one: str, two: str) -> None:
    with play(sample) as terminal:
        terminal.shows("q quit")
        assert one in terminal.lines[0]
        assert two in terminal.lines[1]


def test_what_is_sent_as_differences_is_the_whole_screen() -> None:
    with play("healthy", columns=120, rows=40) as terminal:
        terminal.shows("q quit")
        before = terminal.lines
        terminal.send("jjjo?")
        terminal.until(lambda seen: seen.has("NOW  ") and not seen.has("SPRAYERS"))
        terminal.send("\x1b")
        terminal.until(lambda seen: seen.has("SPRAYERS") and not seen.has("NOW  "))
        terminal.send("oooooo")  # the other six orders: back at the first
        terminal.until(lambda seen: seen.has("STATE▾"))
        terminal.send("g\x0c")
        terminal.until(lambda seen: seen.lines == before)


def test_leaving_gives_the_terminal_back() -> None:
    with play("healthy") as terminal:
        terminal.shows("q quit")
        terminal.send("q")
        assert terminal.wait() == 0
        tail = bytes(terminal.raw[-400:])
        assert b"\x1b[?1049l" in tail
        assert b"\x1b[?25h" in tail
        assert b"Traceback" not in terminal.raw


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_signals_end_it_cleanly(number: signal.Signals) -> None:
    with play("healthy", "load") as terminal:
        terminal.shows("q quit")
        terminal.kill(number)
        assert terminal.wait() == 0
        assert b"\x1b[?1049l" in bytes(terminal.raw[-400:])
        assert b"Traceback" not in terminal.raw


def test_a_terminal_that_is_gone_ends_it() -> None:
    with play("healthy", "load") as terminal:
        terminal.shows("q quit")
        terminal.hang_up()
        terminal.wait(reading=False)


def test_a_terminal_that_stalls_keeps_nothing_waiting() -> None:
    """Nobody reads. The dashboard goes on taking snapshots, and ends when it is told to."""
    with play("twenty", "load", 200, 60) as terminal:
        terminal.shows("q quit")
        for _ in range(400):  # far more than the terminal's buffer takes
            terminal.send("?\x0c")
        terminal.kill(signal.SIGTERM)
        assert terminal.wait(reading=False) == 0


def test_after_a_stall_the_screen_is_right_again() -> None:
    with play("healthy", columns=200, rows=60) as terminal:
        terminal.shows("q quit")
        for _ in range(200):
            terminal.send("?\x0c\x1b")
        terminal.send("?")
        terminal.shows("NOW  ")
        terminal.send("g")
        terminal.shows("MARKS")


def test_of_keys_that_come_at_once_each_does_all_it_does_before_the_next() -> None:
    """As a slow link delivers them: a key belongs to the screen that the one before it has led to."""
    with play("healthy") as terminal:
        terminal.shows("q quit")
        terminal.send("?\x0c\x1b" * 60 + "?qj")  # the q closes the help
        terminal.until(lambda seen: seen.has("▸● s2") and not seen.has("NOW  "))
        terminal.send(":node db2\r")
        terminal.shows("timeline")
        terminal.send("\x1b/role:mail\r\x0c?")
        terminal.shows("NOW  ")
        terminal.send("\x1b")
        terminal.shows("filter: role:mail")
        terminal.send("\x1b:q\r")
        assert terminal.wait() == 0


def test_what_was_entered_is_there_again() -> None:
    with play("healthy") as terminal:
        terminal.shows("q quit")
        for line in (":node db2\r", "\x1b", ":filter role:mail\r"):
            terminal.send(line)
        terminal.shows("filter: role:mail")
        terminal.send(":\x1b[A")
        terminal.shows(":filter role:mail▏")
        terminal.send("\x1b[A")
        terminal.shows(":node db2▏")
        terminal.send("\x1b[B\x1b[B")
        terminal.shows("up earlier")
        terminal.send("\x1b\x1b/state:up\r")  # leaves the line, drops the filter
        terminal.shows("filter: state:up")
        terminal.send("\x1b/\x1b[A")
        terminal.shows("/state:up▏")


def test_another_size_is_drawn_whole() -> None:
    with play("healthy") as terminal:
        terminal.shows("q quit")
        terminal.resize(120, 40)
        terminal.kill(signal.SIGWINCH)
        terminal.shows("SPRAYERS")
        terminal.resize(60, 20)
        terminal.kill(signal.SIGWINCH)
        terminal.until(lambda seen: "HEALTHY" in seen.lines[0] and "TARGET" not in "".join(seen.lines))


@pytest.mark.parametrize("seed", range(3))
def test_random_bytes_do_not_crash_it(seed: int) -> None:
    random_source = random.Random(seed)
    with play("many") as terminal:
        terminal.shows("q quit")
        for _ in range(150):
            size = random_source.randrange(1, 24)
            data = bytes(random_source.randrange(256) for _ in range(size))
            keys = data.replace(b"q", b"j").replace(b"\x03", b"k").replace(b"\x1a", b"l")  # leaving and suspending
            os.write(terminal._master, keys)
            terminal.read_once(0.01)
        terminal.read(0.3)
        assert not terminal.ended()
        terminal.send("\x1b[201~")  # whatever paste was begun is over
        for _ in range(100):  # by hand: of several esc that come at once, a screen takes the first
            if terminal.ended():
                break
            for key in "\x1bq":
                if not terminal.ended():
                    terminal.send(key)
                    terminal.read(0.15)
        assert terminal.wait() == 0
        assert b"Traceback" not in terminal.raw


def test_an_esc_that_comes_together_with_the_next_key_is_both_keys() -> None:
    """As when a busy machine or a slow link delivers at once what was pressed one after the other."""
    with play("healthy") as terminal:
        terminal.shows("q quit")
        terminal.send("?")
        terminal.shows("NOW  ")
        terminal.send("\x1bj")
        terminal.until(lambda seen: seen.has("▸● s2") and not seen.has("NOW  "))
        terminal.send("?")
        terminal.shows("NOW  ")
        terminal.send("\x1bq")
        assert terminal.wait() == 0


def test_a_paste_is_no_key() -> None:
    with play("healthy") as terminal:
        terminal.shows("q quit")
        terminal.send("\x1b[200~qqq?\x1b[201~")
        terminal.send("j")
        terminal.until(lambda seen: seen.has("▸● s2"))
        assert not terminal.ended()


def test_no_mouse_is_asked_for() -> None:
    with play("healthy") as terminal:
        terminal.shows("q quit")
        terminal.read(0.3)
        assert b"\x1b[?1000h" not in terminal.raw
        assert b"\x1b[?1003h" not in terminal.raw


TERMINALS = {
    "no colours wanted": {"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "1"},
    "vt100": {"TERM": "vt100"},
    "16 colours": {"TERM": "xterm-16color"},
    "over ssh": {"TERM": "xterm-256color", "COLORTERM": "truecolor", "SSH_CONNECTION": "10.0.0.1 5 10.0.0.2 22"},
}
RICH = re.compile(rb"\x1b\[[0-9;]*[34]8;[25];")  # 24-bit and 256 colours
SIXTEEN = re.compile(rb"\x1b\[(?:[0-9;]*;)?(?:3[0-7]|9[0-7]|4[0-7])(?:;[0-9;]*)?m")


def drawn(terminal: Terminal, columns: int, rows: int) -> bool:
    """Whether Home stands there at that size."""
    seen = terminal.lines
    return columns in map(len, seen) and "? help" in seen[rows - 1] and "Z" in seen[0] and terminal.has("STATE")


SIZES = ((60, 20), (200, 60), (120, 40), (80, 24))


@pytest.mark.parametrize("kind", TERMINALS)
def test_every_kind_of_terminal_at_every_size(kind: str) -> None:
    with play("split", environment=TERMINALS[kind]) as terminal:
        terminal.shows("q quit")
        for size in SIZES:
            terminal.resize(*size)
            terminal.kill(signal.SIGWINCH)
            terminal.until(lambda seen, size=size: drawn(seen, *size))  # type: ignore[misc]
            assert "SPLIT" in terminal.lines[0]
            for key, shown in (("\r", "address"), ("?", "NOW  "), ("\x10", "up down choose"), (":", "complete")):
                terminal.send(key)
                terminal.until(lambda seen, shown=shown: seen.has(shown) and not seen.has("STATE"))  # type: ignore[misc]
                terminal.send("\x1b")
                terminal.until(lambda seen, size=size: drawn(seen, *size))  # type: ignore[misc]
            assert any(cell.reverse for cell in terminal.screen.buffer[0].values())  # an alarm stands out anyhow
        assert not RICH.search(terminal.raw)
        assert bool(SIXTEEN.search(terminal.raw)) == (kind in ("16 colours", "over ssh"))
        if kind == "vt100":
            assert all(line.isascii() for line in terminal.lines)
        terminal.send("q")
        assert terminal.wait() == 0


def test_the_control_a_terminal_with_all_colours_gets_them() -> None:
    with play("split") as terminal:
        terminal.shows("q quit")
        assert RICH.search(terminal.raw)


def test_few_colours_are_few_bytes() -> None:
    sent = []
    for environment in (None, TERMINALS["over ssh"]):
        with play("healthy", environment=environment) as terminal:
            terminal.shows("q quit")
            terminal.read(0.3)
            sent.append(terminal.received)
    assert sent[1] < 0.75 * sent[0]


def test_bytes_a_second_stay_in_the_budget() -> None:
    """The budgets: 1,000 a second under load, 100 idle, at 80x24 with twenty nodes."""
    for pace, budget in (("load", 1000), ("idle", 100)):
        with play("twenty", pace) as terminal:
            terminal.shows("q quit")
            terminal.read(2.5)
            received = terminal.read(5.0)
            assert 0 < received <= 5 * budget


def test_without_a_terminal_it_says_so() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tuiha", "dashboard"], cwd=TOP, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=PATIENCE, check=False,
    )
    assert done.returncode == 2
    assert "needs a terminal" in done.stderr
    assert done.stdout == ""


def test_a_theme_that_is_not_there_is_said_before_anything_is_painted(tmp_path: os.PathLike[str]) -> None:
    with Terminal(["-m", "tuiha", "--config", str(TOP / "config" / "pool.example.yaml"), "dashboard",
                   "--theme", "drak"]) as terminal:
        assert terminal.wait() == 2
        terminal.read(0.2)
        assert b"did you mean 'dark'" in terminal.raw
        assert b"\x1b[?1049h" not in terminal.raw


PURE = """
import sys, pkgutil, importlib, tuiha.tui as tui
screens = {"screen", "screens", "pages", "devices", "server_users", "picker", "feeds", "web", "registry"}
drawn = ("tuiha.tui.draw.", "tuiha.tui.views.", "tuiha.tui.operations.lines.", "tuiha.tui.replay.lines",
         "tuiha.tui.kit.offers")
for module in pkgutil.walk_packages(tui.__path__, "tuiha.tui."):
    if module.name.startswith(drawn) and module.name.rsplit(".", 1)[1] not in screens:
        importlib.import_module(module.name)
print(sorted(name for name in sys.modules if name.split(".")[0] in ("textual", "aiohttp", "asyncpg", "pydantic")))
"""
LIGHT = """
import sys, tuiha.tui.app
print(sorted({name.split(".")[0] for name in sys.modules} & {"aiohttp", "asyncpg", "pydantic", "psutil"}))
"""


@pytest.mark.parametrize("code", [PURE, LIGHT], ids=["drawing is pure", "the app is light"])
def test_imports(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], cwd=TOP, capture_output=True, text=True, timeout=PATIENCE,
                          check=True)
    assert done.stdout.strip() == "[]"
