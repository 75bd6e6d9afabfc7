"""The dashboard inside tmux: what it shows there, as tmux itself reads it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.tui.pty_terminal import NOT_INHERITED, PATIENCE, TOP
from tests.until import wait_until

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class Tmux:
    """A server of its own with one window."""

    def __init__(self, columns: int, rows: int, command: str) -> None:
        self._name = f"tuiha-test-{os.getpid()}"
        environment = {name: value for name, value in os.environ.items() if name not in (*NOT_INHERITED, "TMUX")}
        subprocess.run(
            ["tmux", "-L", self._name, "-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows),
             command], check=True, timeout=PATIENCE, env={**environment, "TERM": "xterm-256color"}, cwd=TOP,
        )

    def run(self, *arguments: str) -> str:
        done = subprocess.run(["tmux", "-L", self._name, *arguments], check=False, timeout=PATIENCE,
                              capture_output=True, text=True)
        return done.stdout

    def shows(self, *texts: str) -> list[str]:
        def there(shown: str) -> bool:
            return all(text in shown for text in texts)

        return wait_until(lambda: self.run("capture-pane", "-p"), met=there).splitlines()


@pytest.fixture
def tmux() -> Iterator[Tmux]:
    play = shlex.join([sys.executable, "-m", "tests.tui.play", "split"])
    made = Tmux(80, 24, play)
    try:
        yield made
    finally:
        made.run("kill-server")


def test_the_dashboard_in_tmux(tmux: Tmux) -> None:
    seen = tmux.shows("SPLIT", "q quit")
    assert "SPLIT" in seen[0]
    assert "next: rejoin db2" in seen[1]
    tmux.run("send-keys", "C-p")
    tmux.shows("Actions", "home.sort")
    tmux.run("send-keys", "Escape")
    tmux.shows("STATE▾")
    tmux.run("send-keys", ":node db2", "Enter")  # all in one piece, as a fast hand or a slow line sends it
    tmux.shows("address", "db2  database")
    tmux.run("send-keys", "Escape")
    tmux.shows("STATE▾")
    tmux.run("send-keys", "/role:mail", "Enter")
    tmux.shows("filter: role:mail  4 of 12")
    tmux.run("send-keys", "Escape")
    tmux.shows("spray1")
    tmux.run("send-keys", "Down", "Down", "Enter")
    tmux.shows("address")
    tmux.run("resize-window", "-x", "120", "-y", "40")
    tmux.shows("address", "q quit")
    tmux.run("send-keys", "Escape")
    tmux.shows("SPRAYERS")
    tmux.run("send-keys", "q")
    wait_until(lambda: "no server" in tmux.run("ls") or not tmux.run("ls"))
