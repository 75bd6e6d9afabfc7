"""Root starts a pool: whoever runs as the pool's account, or may write in its folders, does not become root by it."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tuiha.lab.pool import reaper
from tuiha.lab.pool.account import Account, unprivileged
from tuiha.lab.pool.layout import Layout, make_folder, prepare

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to lose")

PRECIOUS = "root:x:0:0:root:/root:/bin/bash\n"


@pytest.fixture
def account() -> Account:
    found = unprivileged()
    assert found is not None
    return found


@pytest.fixture
def layout(account: Account) -> Iterator[Layout]:
    made = prepare(make_folder(account), account)
    made.make_node("db1")
    yield made
    reaper.remove(str(made.folder))


@pytest.fixture
def precious(layout: Layout) -> Path:
    """A file of root's that everybody may read and nobody else may change."""
    path = layout.folder / "passwd"
    path.write_text(PRECIOUS)
    return path


def as_account(account: Account, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, user=account.uid, group=account.gid, extra_groups=[], cwd="/", capture_output=True,
                          text=True, check=False)


def plant(account: Account, link: Path, target: Path) -> None:
    assert as_account(account, "ln", "-s", str(target), str(link)).returncode == 0




def test_a_link_in_a_nodes_folder_leads_root_nowhere(layout: Layout, account: Account, precious: Path) -> None:
    link = layout.node("db1") / "postgresql.conf"
    plant(account, link, precious)
    with pytest.raises(OSError, match=r"[Pp]ermission|symbolic"):
        layout.write(link, "owned")
    assert precious.read_text() == PRECIOUS
    assert (precious.stat().st_uid, precious.stat().st_mode & 0o777) == (0, 0o644)


def test_without_the_account_root_would_follow_it(layout: Layout, account: Account, precious: Path) -> None:
    """The negative control: what root did before."""
    link = layout.node("db1") / "postgresql.conf"
    plant(account, link, precious)
    with open(os.open(link, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write("owned")
    os.chown(link, account.uid, account.gid)
    assert precious.read_text() == "owned"
    assert precious.stat().st_uid == account.uid


def test_neither_does_a_linked_folder_on_the_way(layout: Layout, account: Account) -> None:
    roots = layout.folder / "etc"
    (roots / "data").mkdir(parents=True)
    (roots / "data" / "kept").write_text("kept")
    for name in ("data", "data.new"):
        plant(account, layout.node("db1") / name, roots)
    with pytest.raises(OSError, match=r"[Pp]ermission"):
        layout.write(layout.node("db1") / "data" / "standby.signal", "")
    with pytest.raises(OSError, match=r"[Pp]ermission"):
        layout.remove(layout.node("db1") / "data" / "data")
    with pytest.raises(OSError, match=r"[Pp]ermission"):
        layout.move(layout.node("db1") / "data" / "data", layout.node("db1") / "moved")
    with pytest.raises(OSError, match="symbolic link"):
        layout.remove(layout.node("db1") / "data.new")
    assert [path.name for path in roots.rglob("*")] == ["data", "kept"]


def test_root_reads_for_a_node_what_the_node_may_read(layout: Layout, account: Account) -> None:
    secret = layout.folder / "shadow"
    secret.write_text("root's hash")
    secret.chmod(0o600)
    plant(account, layout.node("db1") / "replica.pgpass", secret)
    with pytest.raises(PermissionError):
        layout.read(layout.node("db1") / "replica.pgpass")


def test_what_it_makes_is_the_accounts(layout: Layout, account: Account) -> None:
    path = layout.node("db1") / "node.conf"
    layout.write(path, "port = 1")
    assert (path.stat().st_uid, path.stat().st_gid, path.stat().st_mode & 0o777) == (account.uid, account.gid, 0o600)
    assert layout.read(path) == b"port = 1"
    assert os.access("/root", os.W_OK)
    layout.publish(layout.folder / "again", "root is root again")
    assert (layout.folder / "again").stat().st_uid == 0


def test_only_the_thread_that_asked_acts_as_the_account(layout: Layout, account: Account) -> None:
    seen, turn = [], threading.Event()

    def other() -> None:
        turn.wait(10)
        path = layout.folder / "beside"
        path.write_text("")
        seen.append(path.stat().st_uid)

    thread = threading.Thread(target=other)
    thread.start()
    with account.acting():
        turn.set()
        thread.join()
        with pytest.raises(PermissionError):
            (layout.folder / "mine").write_text("")
    assert seen == [0]


def test_settings_and_secrets_are_read_by_the_account_and_changed_by_root_alone(layout: Layout,
                                                                              account: Account) -> None:
    layout.publish(layout.config, "pool: demo\n", everyone=True)
    for path in (layout.config, layout.secret("operator")):
        assert as_account(account, "cat", str(path)).stdout == path.read_text()
        assert as_account(account, "sh", "-c", f"echo owned >{path}").returncode != 0
        assert as_account(account, "ln", "-sf", "/etc/shadow", str(path)).returncode != 0
    stranger = as_account(Account("stranger", account.uid - 1, account.gid - 1), "cat", str(layout.secret("operator")))
    assert stranger.returncode != 0


def test_a_made_up_file_of_a_database_frees_nobodys_memory(layout: Layout, account: Account) -> None:
    [segment] = [int(word) for word in subprocess.run(["ipcmk", "-M", "64"], capture_output=True, text=True,
                                                      check=True).stdout.split() if word.isdigit()]
    try:
        with open("/proc/sysvipc/shm") as table:
            creator = next(line.split()[4] for line in table if line.split()[1] == str(segment))
        with layout.acting():
            (layout.node("db1") / "data").mkdir()
        layout.write(layout.node("db1") / "data" / "postmaster.pid", f"{creator}\n" + "\n" * 5 + f"0 {segment}\n")
        assert reaper.shared_memory(str(layout.folder)) == []
        path = layout.node("db1") / "data" / "postmaster.pid"
        os.chown(path, 0, 0)  # the control: as if it were root's, whose segment it is
        assert reaper.shared_memory(str(layout.folder)) == [segment]
    finally:
        subprocess.run(["ipcrm", "-m", str(segment)], check=True)
