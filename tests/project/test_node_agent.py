"""config/agent/tuiha-node-agent on a real pair, called as ssh calls a forced command, set up as documented."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from tests.project.test_postgresql import PASSWORD, Node, configure, pair, run_sql, shows
from tests.project.test_postgresql import nodes as nodes
from tuiha.config.places import data_file
from tuiha.drivers.agents.command import CommandAgent
from tuiha.drivers.conformance import check_agent
from tuiha.drivers.protocols import AgentError
from tuiha.model.databases.way_back import Needs, obstacles

DOCUMENT = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
SLOT = "SELECT pg_create_physical_replication_slot('{}') WHERE NOT EXISTS (SELECT FROM pg_replication_slots)"
ROW = "INSERT INTO event (severity, subject, text) VALUES ('note', 'test', '{}')"
FOLLOWERS = "SELECT application_name, state FROM pg_stat_replication"


def block(kind: str) -> str:
    found = re.findall(rf"```{kind}\n(.*?)```", DOCUMENT, flags=re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def agent_of(node: Node, partner: Node) -> CommandAgent:
    """The document's settings with this machine's paths, behind what sshd makes of a forced command."""
    where = f"host=127.0.0.1 port={partner.port}"
    settings = block("agent").replace("'host=db2.example.org", f"'{where}")
    settings = settings.replace("SOURCE=db2", f"SOURCE={partner.name}")
    settings = re.sub(r" sslmode=\S+ sslrootcert=[^' ]+", "", settings).replace("NODE=db1", f"NODE={node.name}")
    settings = settings.replace("/etc/postgresql/agent.pgpass", f"{node.folder}/agent.pgpass")
    settings = re.sub(r"(?m)^(UNIT|SYSTEMCTL)=.*\n", "", settings)  # pg_ctl instead of systemd
    for name, value in (("DATA", node.folder / "data"), ("BIN", node.programs), ("CONFIG", node.folder / "main.conf"),
                        ("LOG", node.folder / "agent.log")):
        settings = re.sub(rf"(?m)^{name}=\S+", f"{name}={value}", settings)
    node.write("agent.conf", settings + f"LOG={node.folder}/agent.log\n")
    node.write("agent.pgpass", f"127.0.0.1:{partner.port}:*:*:{PASSWORD}\n")
    script = node.write("tuiha-node-agent", data_file("config/agent/tuiha-node-agent").read_text())
    sshd = node.write("sshd", f"#!/bin/sh\nSSH_ORIGINAL_COMMAND=\"$*\" TUIHA_NODE_AGENT={node.folder}/agent.conf "
                              f"PATH=/usr/bin:/bin exec sh {script}\n")
    drop = [] if node.account is None else ["setpriv", f"--reuid={node.account.uid}", f"--regid={node.account.gid}",
                                            "--clear-groups"]
    return CommandAgent(node.name, [*drop, "sh", str(sshd)], 60.0)


async def test_a_path_with_a_quote_reaches_postgresql_whole(tmp_path: Path) -> None:
    """pg_ctl gives its options to a shell, as this one does."""
    place = tmp_path / "it's $HOME"
    (place / "data").mkdir(parents=True)
    told = tmp_path / "told"
    (place / "pg_ctl").write_text('#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\n'
                                  f"eval \"set -- $2\"\nprintf '%s\\n' \"$@\" >{told}\n")
    (place / "pg_ctl").chmod(0o755)
    settings = {"NODE": "first", "DATA": place / "data", "BIN": place, "CONFIG": place / "main.conf", "SOURCE": "any"}
    lines = [f"{key}={shlex.quote(str(value))}\n" for key, value in settings.items()]
    (tmp_path / "agent.conf").write_text("".join(lines))
    agent = CommandAgent("first", ["sh", str(data_file("config/agent/tuiha-node-agent"))], 20.0,
                         {"TUIHA_NODE_AGENT": str(tmp_path / "agent.conf"), "PATH": "/usr/bin:/bin"})
    await agent.start()
    assert told.read_text().splitlines() == ["-c", f"config_file={place}/main.conf"]


@pytest.fixture
def ready(nodes: tuple[Node, Node]) -> tuple[Node, Node]:
    """The pair's files, with the access that the document adds."""
    if nodes[0].account is not None and shutil.which("setpriv") is None:
        pytest.skip("setpriv is not here, and this test runs as root")
    for node, partner in (nodes, nodes[::-1]):
        configure(node, partner)
        hba = re.sub(r"192\.0\.2\.\d+/\d+", "127.0.0.1/32", block("hba")).replace("hostssl ", "host    ")
        # A socket's lock names a process: one that nobody collects, as here in a container, would keep the next away.
        node.write("main.conf", (node.folder / "main.conf").read_text() + "unix_socket_directories = ''\n")
        node.write("pg_hba.conf", (node.folder / "pg_hba.conf").read_text() + hba)
    return nodes


@asynccontextmanager
async def agents(ready: tuple[Node, Node]) -> AsyncIterator[tuple[CommandAgent, CommandAgent]]:
    first, second = ready
    made = agent_of(first, second), agent_of(second, first)
    async with pair(ready):
        await sql(first, block("sql"), "postgres")
        await sql(first, "CREATE TABLE event (severity text, subject text, text text)")
        try:
            yield made
        finally:
            for agent in made:
                await agent.fence()


async def sql(node: Node, text: str, database: str = "tuiha") -> None:
    connection = await node.connect("postgres", database)
    try:
        await run_sql(connection, text)
    finally:
        await connection.close()


async def test_it_keeps_the_contract_of_agents(ready: tuple[Node, Node]) -> None:
    async with agents(ready) as made:
        ended = await check_agent(made[1], CommandAgent("db2", ["/nowhere/agent"], 5.0))
    assert ended.clean


async def rows(node: Node) -> set[str]:
    connection = await node.connect("postgres")
    try:
        return {row["text"] for row in await connection.fetch("SELECT text FROM event")}
    finally:
        await connection.close()


async def streams(primary: Node, secondary: Node) -> None:
    connection = await primary.connect("postgres")
    try:
        await shows(connection, FOLLOWERS, f"application_name='{secondary.name}' state='streaming'")
    except TimeoutError:
        raise AssertionError((secondary.folder / "agent.log").read_text()[-2000:]) from None
    finally:
        await connection.close()


async def promoted(node: Node) -> None:
    """It waits for nobody, has a slot for the other one, and takes writes."""
    await sql(node, "ALTER SYSTEM SET synchronous_standby_names = ''; SELECT pg_reload_conf(); SELECT pg_promote()")
    partner = {"db1": "db2", "db2": "db1"}[node.name]
    await sql(node, SLOT.format(partner) + "; CHECKPOINT")


async def rehearsed(node: Node, agent: CommandAgent) -> None:
    """A rehearsal changes nothing, and names what is in the way."""
    await agent.ready()
    settings = (node.folder / "agent.conf").read_text()
    for name, value, told in (("BIN", "/nowhere", "correct BIN"), ("CONFIG", "/nowhere", "correct CONFIG"),
                              ("UNIT", "x.service\nSYSTEMCTL='sudo -n /usr/bin/systemctl'", "sudo does not let")):
        node.write("agent.conf", f"{settings}{name}={value}\n")
        with pytest.raises(AgentError, match=told):
            await agent.ready()
    node.write("agent.conf", settings)
    await agent.ready()


async def tried(ready: tuple[Node, Node], one: CommandAgent) -> None:
    """The three log-ins to the partner, with the files and rights that would be used; each one's obstacle is named."""
    first, second = ready
    connection = await first.connect("postgres")
    system = await connection.fetchval("SELECT system_identifier::text FROM pg_control_system()")
    await connection.close()
    found = await one.rehearse("db2")
    assert list(obstacles(found, system, {}, secondary=True)) == [], found
    assert await one.identity() == system
    passwords = (first.folder / "agent.pgpass").read_text()
    first.write("agent.pgpass", passwords.replace(PASSWORD, "wrong"))
    assert [one.needs for one in obstacles(await one.rehearse("db2"), system, {}, secondary=True)] == [
        Needs.COPY, Needs.REWIND]
    first.write("agent.pgpass", passwords)
    grant = "EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text)"
    await sql(first, f"REVOKE {grant} FROM tuiha_rewind", "postgres")
    connection = await second.connect("postgres", "postgres")
    await shows(connection, "SELECT has_function_privilege('tuiha_rewind', 'pg_read_binary_file(text)', 'EXECUTE')",
                "has_function_privilege=False")
    await connection.close()
    left = list(obstacles(await one.rehearse("db2"), system, {}, secondary=True))
    assert [one.needs for one in left] == [Needs.REWIND]
    assert "pg_read_binary_file" in left[0].value
    await sql(first, f"GRANT {grant} TO tuiha_rewind", "postgres")


async def test_every_action_on_a_real_pair(ready: tuple[Node, Node]) -> None:
    first, second = ready
    async with agents(ready) as (one, two):
        with pytest.raises(AgentError, match="db1 is running; stop it first"):
            await one.position()
        assert abs(await one.space() - shutil.disk_usage(first.folder).free) < 2**30
        await rehearsed(first, one)
        await tried(ready, one)
        stopped = await one.stop("fast")
        assert stopped.clean
        assert stopped.timeline == 1
        assert await one.stop("fast") == await one.position() == stopped
        connection = await second.connect("postgres")
        await shows(connection, f"SELECT pg_last_wal_replay_lsn() - '0/0' >= {stopped.position} AS there", "there=True")
        assert await connection.fetchval("SELECT pg_last_wal_replay_lsn() - '0/0'") < stopped.position + 1000
        await connection.close()
        await promoted(second)
        await sql(second, ROW.format("by db2"))
        await one.follow("db2")  # after a clean stop nothing has to be rewound
        await one.start()
        await one.start()
        await streams(second, first)
        await hung_and_fenced(first, one)
        await came_back_by_itself(ready, one, two)
        await copied(ready, two)


async def hung_and_fenced(node: Node, agent: CommandAgent) -> None:
    """Stopped processes hear no signal but one."""
    pid = int((node.folder / "data" / "postmaster.pid").read_text().split()[0])
    family = [psutil.Process(pid), *psutil.Process(pid).children()]
    for process in family:
        os.kill(process.pid, signal.SIGSTOP)
    assert await agent.fence() is True
    assert not [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    assert await agent.fence() is False
    assert not (await agent.position()).clean


async def came_back_by_itself(ready: tuple[Node, Node], one: CommandAgent, two: CommandAgent) -> None:
    """The old primary wrote on its own: it is rewound, and what it wrote alone is gone."""
    first, second = ready
    await one.start()
    await streams(second, first)
    assert await two.fence() is True
    await promoted(first)
    await sql(first, ROW.format("by db1"))
    await two.start()
    await sql(second, ROW.format("alone"))
    assert (await two.stop("fast")).clean
    with pytest.raises(AgentError, match="the partner of db2 is db1, not 'db3'"):
        await two.rewind("db3")
    assert await two.rewind("db1") == "rewound to db1"
    await two.follow("db1")
    await two.start()
    await streams(first, second)
    assert await rows(second) == {"by db2", "by db1"}


async def copied(ready: tuple[Node, Node], two: CommandAgent) -> None:
    """A fresh copy, also over a data folder that is nothing any more."""
    first, second = ready
    with pytest.raises(AgentError, match="is running; stop it first"):
        await two.base_backup("db1")
    assert not (await two.stop("immediate")).clean
    (second.folder / "data" / "global" / "pg_control").unlink()
    await two.base_backup("db1")
    await two.follow("db1")
    await two.start()
    await streams(first, second)
    automatic = (second.folder / "data" / "postgresql.auto.conf").read_text()
    assert "synchronous_standby_names" not in automatic
    assert len(list(second.folder.glob("data.old.*"))) == 1
    assert await two.discard() == 1
    assert sorted(path.name for path in second.folder.glob("data*")) == ["data"]
    await foreign(ready, two)


async def foreign(ready: tuple[Node, Node], two: CommandAgent) -> None:
    """The data of another system is neither replaced nor rewound, whoever asks for it."""
    first, second = ready
    assert (await two.stop("fast")).clean
    control = second.folder / "data" / "global" / "pg_control"
    raw = control.read_bytes()
    control.write_bytes(bytes([raw[0] ^ 1]) + raw[1:])
    assert await two.identity() not in (None, await agent_of(first, second).identity())
    with pytest.raises(AgentError, match="it is left as it is"):
        await two.base_backup("db1")
    with pytest.raises(AgentError, match="could not rewind"):
        await two.rewind("db1")
    assert control.read_bytes()[1:] == raw[1:]
    control.unlink()
    assert await two.identity() is None
    await two.base_backup("db1")  # negative control: with no database in it, it is replaced


async def test_a_recovery_that_was_interrupted_is_ended_before_the_rewind(tmp_path: Path) -> None:
    """Programs that only note how they are called: pg_controldata tells of a primary that was stopped in recovery."""
    told, data = tmp_path / "told", tmp_path / "data"
    data.mkdir()
    for name in ("postgres", "pg_rewind"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "{name} $1" >>{told}\n')
    agent = CommandAgent("db1", ["sh", str(data_file("config/agent/tuiha-node-agent"))], 20.0,
                         {"TUIHA_NODE_AGENT": str(tmp_path / "agent.conf"), "PATH": "/usr/bin:/bin"})
    (tmp_path / "agent.conf").write_text(f"NODE=db1\nSOURCE=db2\nDATA={data}\nBIN={tmp_path}\nCONFIG=x\nREWIND=x\n")
    for ending, programs in (("0/0", ["postgres --single", "pg_rewind -D"]), ("0/1000028", ["pg_rewind -D"])):
        told.unlink(missing_ok=True)
        (tmp_path / "pg_controldata").write_text(
            "#!/bin/sh\ncat <<'EOF'\nDatabase cluster state: shut down in recovery\n"
            f"Latest checkpoint location: 0/16EF738\nLatest checkpoint's TimeLineID: 1\n"
            f"Minimum recovery ending location: {ending}\nEOF\n")
        for name in ("postgres", "pg_rewind", "pg_controldata"):
            (tmp_path / name).chmod(0o755)
        assert (await agent.position()).clean is (ending != "0/0")
        assert await agent.rewind("db2") == "rewound to db2"
        assert told.read_text().splitlines() == programs


@pytest.mark.parametrize(("words", "said"), [
    (("stop", "db2", "fast"), "this host has db1, not 'db2'"),
    (("stop", "db1", "slowly"), "'slowly' is not a way to stop"),
    (("die", "db1"), "'die' is not an action"),
    (("stop",), "usage:"),
    (("position; touch /tmp/owned", "db1"), "usage:"),
    (("position", "db1", "$(id)", "x"), "usage:"),
])
async def test_another_hosts_words_are_only_words(ready: tuple[Node, Node], words: tuple[str, ...], said: str) -> None:
    agent = agent_of(*ready)
    process = await asyncio.create_subprocess_exec(
        *agent._command, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    out, err = await process.communicate()
    assert process.returncode == 1
    assert out == b""
    assert said in err.decode()
