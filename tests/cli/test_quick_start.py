"""docs/quick-start.md, as it is written: only names of hosts and of the pool are those of real servers here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import Configured
from tests.drivers.conftest import Sprayer, haproxy, sprayer
from tests.drivers.daemons import PASSWORD
from tests.drivers.dovecot import cluster
from tests.tui.pty_terminal import Terminal
from tuiha.config.load import load

__all__ = ["haproxy", "sprayer"]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "quick-start.md").read_text()
SAID = {"PGPASSWORD": PASSWORD, "tuiha_pool": PASSWORD, "tuiha_watch": PASSWORD, "mail_monitor": "the monitor's",
        "mail_probe": "the probe's"}


def blocks() -> list[str]:
    """The commands of the page, block by block."""
    return [re.sub(r"(?m)^   ", "", block) for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)]


def test_the_page_is_short() -> None:
    assert len(blocks()) == 4
    assert len(PAGE.splitlines()) < 50


def test_the_page_leads_to_a_checked_pool_and_its_dashboard(
    configured: Configured, sprayer: Sprayer, folder: Path, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "tuiha"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m tuiha "$@"\n')
    program.chmod(0o755)
    environment = os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    with cluster(folder, None, {}) as mail:
        here = {"--name west": "--name demo", "db1.example.org:5432": configured.pair.db1.address,
                "db2.example.org:5432": configured.pair.db2.address,
                "/etc/haproxy/haproxy.cfg": str(Path(sprayer.map).with_name("haproxy.cfg")),
                "mail1.example.org:993": f"127.0.0.1:{mail.nodes[0].port}"}
        write, secrets, check, dashboard = blocks()
        for name, real in here.items():
            assert name in write
            write = write.replace(name, real)

        def bash(script: str, *answers: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(["bash", "-c", script], input="".join(f"{answer}\n" for answer in answers), text=True,
                                  cwd=tmp_path, env=environment, capture_output=True, timeout=300, check=False)

        done = bash(write, SAID["PGPASSWORD"])
        assert done.returncode == 0, done.stderr
        pool = load(tmp_path / "pool.yaml")
        assert [len(pool.servers), len(pool.sprayers), len(pool.database.nodes), len(pool.mail)] == [2, 1, 2, 1]
        assert pool.database.system_identifier is not None
        assert bash(secrets, *(SAID[name] for name in ("tuiha_pool", "tuiha_watch", "mail_monitor", "mail_probe")),
                    ).returncode == 0
        assert {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "secrets").iterdir()} == dict.fromkeys(
            ["tuiha_pool", "tuiha_watch", "mail_monitor", "mail_probe", "viewer_token"], 0o600)
        checked = bash(check)
        said = checked.stdout + checked.stderr
        assert not re.search(r"file \S+ cannot be read", said), "every secret is there"
        for node in pool.database.nodes:
            assert re.search(rf"(?m)^ok +{node.name} ", said), said
        assert re.search(r"(?m)^BAD +s1 ", said), "nobody has started a pool server yet"
    command = dashboard.split()[1:]
    command[command.index("pool.yaml")] = str(tmp_path / "pool.yaml")
    with Terminal(["-m", "tuiha", *command], environment=dict(environment) | {
            "TERM": "xterm-256color", "XDG_STATE_HOME": str(tmp_path)}) as terminal:
        terminal.shows("demo")
        terminal.shows("db1")
        terminal.send("q")
        assert terminal.wait() == 0
