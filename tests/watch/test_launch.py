"""A copy of this process: what it has, what it has not, and how it ends. Each test copies a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PATIENCE = 60.0

COPY = """
import logging, os, signal, subprocess, sys, time
from pathlib import Path
from tuiha.watch.child.launch import forked
"""


def run(text: str, *arguments: str) -> list[str]:
    """What a program with a single thread says, line by line."""
    done = subprocess.run([sys.executable, "-c", COPY + text, *arguments], stdin=subprocess.DEVNULL, timeout=PATIENCE,
                          capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout.splitlines()


def test_it_is_told_things_and_tells_things_over_pipes_of_its_own() -> None:
    assert run("""
marker = "imported before"
def work():
    print("said in the copy", flush=True)  # on its standard output, which is the pipe
    os.write(1, marker.encode() + b", " + os.read(0, 100))
    sys.stderr.write("nobody hears this"); sys.stderr.flush()
    return 7
process = forked(work)
process.stdin.write(b"hello")
time.sleep(0.1)
said = b""
while part := process.stdout.read(100):
    said += part
print(said.decode())
print(process.wait(), process.wait(1.0))
process.kill()  # nothing: its number may be another's by now
""") == ["said in the copy", "imported before, hello", "7 7"]


def test_it_has_a_session_of_its_own_and_nothing_else_that_is_open_here(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.touch()
    session, code, *files = run("""
kept = open(sys.argv[1], "a")
logging.basicConfig(filename=sys.argv[1])
def work():
    logging.warning("not in the original's file")
    kept.close()  # its number is nobody else's
    again = os.open(sys.argv[1], os.O_RDONLY)
    logging.shutdown()
    return len(os.read(again, 100)) + len(os.read(0, 1))
process = forked(work)
time.sleep(0.1)
print(os.getsid(process.pid) == process.pid != os.getsid(0))
files = {int(n): os.readlink(f"/proc/{process.pid}/fd/{n}") for n in os.listdir(f"/proc/{process.pid}/fd")}
process.stdin.close()
print(process.wait())
print(*(file for number, file in files.items() if number > 2), sep="\\n")
""", str(kept))
    assert session == "True"
    assert code == "0"
    assert set(files) == {os.devnull, str(kept)}
    assert files.count(str(kept)) == 1  # the one that it has opened itself


@pytest.mark.parametrize("fault", ["1 / 0", "sys.exit(0)", "(_ for _ in ()).throw(KeyboardInterrupt)"])
def test_it_never_goes_on_with_what_the_original_does(fault: str) -> None:
    assert run(f"""
def work():
    {fault}
process = forked(work)
print("once", process.wait())
""") == ["once 1"]


def test_a_wait_has_an_end_and_a_signal_is_told() -> None:
    assert run("""
process = forked(lambda: time.sleep(600) or 0)
try:
    process.wait(0.05)
except subprocess.TimeoutExpired:
    print("still there")
process.kill()
print(process.wait(30.0))
""") == ["still there", "-9"]


def test_its_end_is_seen_by_a_process_that_does_not_hear_of_children() -> None:
    assert run("""
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print(forked(lambda: 3).wait())
""") == ["0"]


def test_it_hears_the_end_of_its_original_while_another_copy_lives() -> None:
    """The other copy holds no end of its pipes."""
    assert run("""
first = forked(lambda: len(os.read(0, 1)))
second = forked(lambda: time.sleep(600) or 0)
first.stdin.close()  # as the system does for a process that ends
print(first.wait(30.0))
second.kill()
second.wait()
""") == ["0"]
