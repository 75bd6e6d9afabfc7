"""The linear form: of pools with anything wrong, and of a real pool that changes its primary while it is followed."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from tests.tui.samples import AT, degraded, healthy
from tests.until import until
from tests.words.pools import snapshots
from tuiha.cli import exits
from tuiha.cli.commands.look import status
from tuiha.cli.main import main
from tuiha.cli.output.linear import PoolStory
from tuiha.lab.embedded import EmbeddedPool
from tuiha.model.codes import LostMail
from tuiha.model.facts import Snapshot
from tuiha.words.problems import detail

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \S.*[.!?]")
SIGNS = ("->", "→", "✗", "●", "▲", "\x1b", "None")


def told(*snapshots: Snapshot) -> list[str]:
    story = PoolStory()
    return [line for snapshot in snapshots for line in story.lines(snapshot)]


def without_time(line: str) -> str:
    return line.partition(" ")[2]


@pytest.mark.parametrize("seed", range(40))
def test_each_line_is_a_sentence_with_its_time(seed: int) -> None:
    for line in told(*snapshots(seed)):
        assert LINE.fullmatch(line)
        assert not [sign for sign in SIGNS if sign in line]


def test_what_has_not_changed_is_said_once() -> None:
    later = [replace(degraded(), at=AT + second, number=100 + second) for second in range(10)]
    assert told(*later) == told(later[0])


def test_a_problem_begins_with_its_way_out_and_ends() -> None:
    lines = [without_time(line) for line in told(healthy(), degraded(), healthy())]
    assert lines[0].startswith("corp-east is HEALTHY: all 4 serve, 2,004 users")
    assert lines.count("corp-east is DEGRADED, it was HEALTHY.") == 1
    begun, = (line for line in lines if line.startswith("mail2: DOWN; "))
    assert detail(degraded().problems[0]) in begun
    assert begun.endswith("next: tuiha plan failover-mail mail2.")
    assert lines.count("mail2: no longer DOWN.") == 1
    assert not [line for line in lines if line.startswith("mail2 is DOWN")]  # the problem has said so


def test_a_reason_that_only_counts_is_not_repeated() -> None:
    first = degraded()
    worst = first.problems[0]
    assert isinstance(worst.facts, LostMail)
    facts = replace(worst.facts, users=17)
    assert told(first, replace(first, problems=(replace(worst, facts=facts), *first.problems[1:]))) == told(first)


@pytest.mark.parametrize(("term", "terminal", "linear"), [
    ("xterm", True, False), ("xterm", False, True), ("dumb", True, True), ("", True, True)])
def test_without_a_screen_to_paint_on_it_is_chosen(
    term: str, terminal: bool, linear: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    form = status._form(argparse.Namespace(json=False, linear=False), "docs/{code}")
    form(healthy())
    assert (form(replace(healthy(), at=AT + 1)) == []) is linear


@pytest.mark.parametrize("words", [("status",), ("apply", "7f3a", "--confirm", "db2"), ("undo", "7f3a")])
def test_it_is_one_form_of_several(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--json", "--linear"]) == exits.USAGE
    assert "not allowed with" in capsys.readouterr().err


def command(pool: EmbeddedPool, *words: str) -> list[str]:
    return [sys.executable, "-m", "tuiha", "--config", str(pool.config_path), *words]


def ran(pool: EmbeddedPool, *words: str) -> str:
    done = subprocess.run(command(pool, *words), capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.pool
def test_a_real_pool_is_followed_without_a_terminal_while_its_primary_changes(tmp_path: Path) -> None:
    """Followed by a process without a terminal, which chooses the linear form itself."""

    async def play(log: Path) -> str:
        async with EmbeddedPool(servers=2, users=5) as pool:
            with log.open("w", encoding="utf-8") as file:
                follows = await asyncio.create_subprocess_exec(
                    *command(pool, "status", "--watch"), stdout=file, env={**os.environ, "TERM": "xterm"})

            async def written(text: str) -> None:
                await until(lambda: re.search(text, log.read_text(encoding="utf-8")))

            try:
                await written(r"demo is HEALTHY|is HEALTHY, it was")
                plan = await asyncio.to_thread(ran, pool, "plan", "switchover")
                found = re.search(r"PLAN (\w+)", plan)
                assert found is not None
                applied = await asyncio.to_thread(ran, pool, "apply", found[1], "--confirm", "db2", "--linear")
                await written("The active database of demo is db2, it was db1")
                await written("Operation switchover of .* has ended")
            finally:
                follows.terminate()
                await follows.wait()
            return applied

    applied = asyncio.run(play(tmp_path / "log")).splitlines()
    followed = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    for line in (*applied, *followed):
        assert LINE.fullmatch(line)
        assert not [sign for sign in SIGNS if sign in line]
    assert max(Counter(map(without_time, applied)).values()) == 1  # nothing is said twice
    assert not [line for line, after in pairwise(followed) if without_time(line) == without_time(after)]
    assert any("has begun" in line for line in applied)
    assert "The operation is DONE: every step was done and verified." in [without_time(line) for line in applied]
    steps = {number for line in applied for number in re.findall(r"Step (\d+) is done", line)}
    assert steps == set(map(str, range(1, len(steps) + 1)))
    assert {number for line in applied for number in re.findall(r"Step (\d+) has begun", line)} <= steps
