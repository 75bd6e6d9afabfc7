"""`tuiha up`, `down` and `lab` from the shell, with pointer and remains of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.remains import traces, until_nothing_is_left
from tuiha.lab.pool.control import LabControl

pytestmark = pytest.mark.pool


@pytest.fixture(autouse=True)
def own_pointer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Another pointer than that of the pool which somebody may be running."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    yield
    assert tuiha("down").returncode == 0


def tuiha(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command."""
    return subprocess.run([sys.executable, "-m", "tuiha", *arguments], capture_output=True, text=True, timeout=120,
                          cwd=Path(__file__).parents[2], check=False, stdin=subprocess.DEVNULL)


def up() -> Path:
    """Start a small pool; returns its run folder."""
    done = tuiha("up", "--servers", "1", "--users", "4", "--no-load")
    assert done.returncode == 0, done.stderr
    assert "answers" in done.stderr
    config = Path(done.stdout.strip())
    assert config.is_file()
    return config.parent


async def test_up_lab_and_down() -> None:
    folder = up()
    noted = await traces(folder)
    again = tuiha("up")
    assert again.returncode == 4
    assert f"runs already; its configuration is {folder / 'pool.yaml'}" in again.stderr
    assert again.stdout == ""
    assert noted.folder.exists()  # the second one has not hurt the first

    assert tuiha("lab", "kill", "s1", "mail2").returncode == 0
    listed = {line.split()[0]: line.split()[1] for line in tuiha("lab", "list").stdout.splitlines()}
    assert (listed["s1"], listed["mail2"], listed["db1"]) == ("killed", "killed", "running")
    assert tuiha("lab", "start", "s1").returncode == 0
    assert tuiha("lab", "pause", "db2").returncode == 0
    assert tuiha("lab", "resume", "db2").returncode == 0
    assert tuiha("lab", "add", "server").stdout == "s2\n"
    refused = tuiha("lab", "kill", "nothing")
    assert refused.returncode == 4
    assert "there is no part 'nothing'" in refused.stderr

    assert tuiha("down").returncode == 0
    assert not folder.exists()
    await until_nothing_is_left(noted)
    assert tuiha("down").stderr == "no embedded pool is running\n"


async def test_what_a_killed_pool_left_is_cleaned_up_by_the_next_command() -> None:
    folder = up()
    noted = await traces(folder)
    state = await LabControl(folder).state()
    assert state.watchdog is not None
    await LabControl(folder).pause("db1")
    os.kill(state.supervisor, signal.SIGSTOP)  # so that it does not start another watchdog
    os.kill(state.watchdog, signal.SIGKILL)
    os.kill(state.supervisor, signal.SIGKILL)
    await asyncio.sleep(0.1)
    second = up()
    assert second != folder
    await until_nothing_is_left(noted)


def test_orders_without_a_pool() -> None:
    done = tuiha("lab", "kill", "s1")
    assert done.returncode == 3
    assert "`tuiha up` starts one" in done.stderr


@pytest.mark.parametrize("arguments", [["up", "--servers", "0"], ["up", "--users", "many"], ["lab"], ["lab", "hurt"]])
def test_wrong_usage(arguments: list[str]) -> None:
    assert tuiha(*arguments).returncode == 2
