"""The hosts of the deployment, and the manual's first half on them; `python -m tests.deployment` does all of it."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.deployment.__main__ import MANUAL
from tests.deployment.cleaner import spaces
from tests.deployment.hosts import ADDRESSES, blocks, hosts, missing
from tests.doubles import systemctl

STORY = Path(__file__).with_name("story.py")
WHY = missing()
needed = pytest.mark.skipif(WHY is not None, reason=str(WHY))


def test_every_block_of_the_manual_is_for_hosts_that_there_are() -> None:
    found = blocks(MANUAL.read_text(encoding="utf-8"))
    assert len(found) > 10
    assert {host for where, _ in found for host in where} <= set(ADDRESSES)


def test_every_operation_of_the_manual_is_done() -> None:
    told = re.findall(r"(?m)^    tuiha plan ([a-z-]+)", MANUAL.read_text(encoding="utf-8"))
    done = re.findall(r'self\.operate\("([a-z-]+)"', STORY.read_text(encoding="utf-8"))
    assert set(told) == set(done)


@pytest.mark.parametrize("number", range(len(blocks(MANUAL.read_text(encoding="utf-8")))))
def test_a_shell_takes_every_block(number: int) -> None:
    _, script = blocks(MANUAL.read_text(encoding="utf-8"))[number]
    subprocess.run(["sh", "-n"], input=script, text=True, check=True, timeout=10)


def test_the_double_of_systemctl_says_that_it_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    systemctl.main(["daemon-reload"])
    assert "double" in capsys.readouterr().err


@needed
def test_a_host_is_cut_off_and_back_and_nothing_is_left() -> None:
    reach = "ssh -o BatchMode=yes -o ConnectTimeout=1 db1.example.org true"
    with hosts(("ops", "db1")) as net:
        net.run("ops", reach)
        net.link("db1", "down")
        net.run("ops", reach, accept=(255,))
        net.link("db1", "up")
        net.run("ops", reach)
    assert spaces(net.prefix) == []
    assert not net.folder.exists()


@needed
def test_a_run_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    script = ("import os, signal\nfrom tests.deployment.hosts import hosts\n"
              "with hosts(('ops',)) as net:\n    print(net.prefix, net.folder, flush=True)\n"
              "    os.kill(os.getpid(), signal.SIGKILL)\n")
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, cwd=root,
                          check=False)
    assert done.returncode == -9, done.stderr
    prefix, folder = done.stdout.split()
    # The cleaner is not this process's child; it holds the pipe of standard error no longer than it works.
    for _ in range(600):
        if not spaces(prefix) and not Path(folder).exists():
            return
        time.sleep(0.05)
    pytest.fail("something is left")
