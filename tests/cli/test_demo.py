"""`tuiha demo`: its figures, its exit codes, and that it leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.until import wait_until
from tuiha.cli.commands.run import demo
from tuiha.cli.main import main

REPORT: dict[str, Any] = {
    "schema": "tuiha.load/1", "seconds": 30.0, "devices": 750, "requests": 3000, "failures": 0, "messages": 150,
    "changes": 220, "lost": 0, "doubled": 0, "monitored_twice": 0, "unrecorded": 0, "history_gaps": 0,
    "history_read": True, "routed_direct_share": 0.981, "users_per_server": {"s1": 250, "s2": 250},
    "latency_ms": {"p50": 3.0, "p95": 20.5, "p99": None}, "examples": {}, "reasons": {},
}
KEYS = ["schema", "seconds", "requests", "failures", "messages", "changes", "lost", "doubled", "monitored_twice",
        "routed_direct_share", "users_per_server", "latency_ms"]


def test_the_document_has_exactly_its_keys() -> None:
    assert list(demo.document(REPORT)) == KEYS
    assert not demo.failed(REPORT)


@pytest.mark.parametrize(
    "wrong", ["failures", "lost", "doubled", "monitored_twice", "unrecorded", "history_gaps"]
)
def test_whatever_must_be_zero_fails_the_demo(wrong: str) -> None:
    assert demo.failed(REPORT | {wrong: 1})


def test_what_was_not_verified_fails_the_demo() -> None:
    assert demo.failed(REPORT | {"history_read": False, "users_per_server": None})


def test_the_table_is_aligned_and_says_unknown() -> None:
    lines = demo.table(REPORT)
    assert len({line.index("3,000") + 5 if "3,000" in line else None for line in lines} - {None}) == 1
    assert any(line.split() == ["latency", "p99", "-"] for line in lines)
    assert any("98.1%" in line for line in lines)
    assert demo.table(REPORT | {"users_per_server": None, "routed_direct_share": None})


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--json"]) == 2
    assert "--headless" in capsys.readouterr().err
    assert main(["demo", "--servers", "0"]) == 2
    assert main(["demo"]) == 2  # no terminal here
    assert "terminal" in capsys.readouterr().err


@pytest.mark.pool
def test_headless(tmp_path: Path) -> None:
    arguments = ["demo", "--headless", "--servers", "2", "--users", "20", "--seconds", "6", "--json"]
    done = subprocess.run([sys.executable, "-m", "tuiha", *arguments], capture_output=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert list(told) == KEYS
    assert [told[name] for name in ("failures", "lost", "doubled", "monitored_twice")] == [0, 0, 0, 0]
    assert told["messages"] > 0
    assert told["requests"] > 60
    assert sum(told["users_per_server"].values()) == 20
    assert b"the pool answers" in done.stderr


@pytest.mark.pool
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_however_it_ends(number: signal.Signals, tmp_path: Path) -> None:
    """The run folder is below a folder of our own, so whatever was left would name it."""
    arguments = ["demo", "--headless", "--servers", "1", "--users", "4", "--seconds", "600"]
    tmp_path.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-m", "tuiha", *arguments], stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stderr is not None
    while line := process.stderr.readline():
        if b"devices and mailer run" in line:
            break
    ours = _below(process.pid)
    assert any("tuiha.lab.load" in command for command in ours.values())
    assert any("postgres" in command for command in ours.values())
    time.sleep(1.0)  # for it to end in the middle of work, not of its start
    process.send_signal(number)
    process.wait(60)
    process.stderr.close()
    wait_until(lambda: not [pid for pid in ours if _alive(pid, ours[pid])])


def _below(root: int) -> dict[int, str]:
    """Process id -> command line of everything below a process."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            parents[int(entry)] = int(stat.rpartition(")")[2].split()[1])
    found, waiting = {}, [root]
    while waiting:
        parent = waiting.pop()
        for pid in [pid for pid, above in parents.items() if above == parent]:
            found[pid] = _command(pid)
            waiting.append(pid)
    return found


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def _alive(pid: int, command: str) -> bool:
    return bool(command) and _command(pid) == command
