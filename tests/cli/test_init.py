"""`tuiha init` and `tuiha config` on real servers: HAProxy, a PostgreSQL pair, Dovecot."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Configured
from tests.doubles.imap_script import scripted
from tests.drivers.conftest import Pair, Sprayer, certificate, haproxy, sprayer
from tests.drivers.daemons import PASSWORD, free_port
from tests.drivers.dovecot import cluster
from tests.tui.pty_terminal import Terminal
from tuiha.cli import exits
from tuiha.cli.main import main
from tuiha.config.load import load
from tuiha.config.places import data_file
from tuiha.config.settings import Pool
from tuiha.drivers.sprayers.haproxy import Haproxy

__all__ = ["certificate", "haproxy", "sprayer"]

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def nobody_logs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)


def init(folder: Path, *words: str, code: int = exits.OK) -> Path:
    out = folder / "pool.yaml"
    assert main(["init", "--out", str(out), *words]) == code
    return out


def written(folder: Path, *words: str) -> Pool:
    return load(init(folder, *words))


# ---------------------------------------------------------------------------- what is read


def test_nothing_at_all(tmp_path: Path, capsys: Captured) -> None:
    pool = written(tmp_path, "--name", "west")
    assert pool.pool == "west"
    err = capsys.readouterr().err
    assert "2 databases, 0 pool servers" in err
    assert "address: db2.example.org:5432 # CHANGE: the database's host and port" in err
    assert f"Next: tuiha check --config {tmp_path}/pool.yaml" in err


def test_haproxy_by_its_file_and_by_its_socket(tmp_path: Path, sprayer: Sprayer) -> None:
    file = Path(sprayer.map).with_name("haproxy.cfg")
    by_file = written(tmp_path, "--haproxy", str(file))
    by_socket = written(tmp_path, "--haproxy-socket", sprayer.unix.removeprefix("unix:"), "--force")
    by_port = written(tmp_path, "--haproxy-socket", sprayer.tcp, "--force")
    both = written(tmp_path, "--haproxy", str(file), "--haproxy-socket", sprayer.tcp, "--force")
    for pool in (by_file, by_socket, by_port, both):
        assert [server.name for server in pool.servers] == ["s1", "s2"]
        (one,) = pool.sprayers
        assert one.backend == "pool"
    assert by_file.servers == by_socket.servers
    assert by_file.sprayers[0].socket == sprayer.unix
    assert by_port.sprayers[0].socket == both.sprayers[0].socket == sprayer.tcp
    assert both.sprayers[0].address == by_file.sprayers[0].address
    assert by_socket.sprayers[0].map == sprayer.map
    for pool in (by_file, by_socket):
        driver = Haproxy("spray1", pool.sprayers[0].socket or "", pool.sprayers[0].backend)
        assert {row.server for row in asyncio.run(driver.poll()).backends} == {"s1", "s2"}


def test_a_pair_of_databases(tmp_path: Path, prepared_pair: Pair, monkeypatch: pytest.MonkeyPatch,
                             capsys: Captured) -> None:
    db1, db2 = prepared_pair.db1, prepared_pair.db2
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    out = init(tmp_path, "--postgres", db2.address, "--postgres", db1.address)
    pool, text = load(out), out.read_text()
    assert [(node.name, node.address) for node in pool.database.nodes][1] == ("db2", db2.address)
    assert pool.database.nodes[0].address == db1.address
    assert re.search(r"name: db2 +# the secondary now", text)
    assert pool.database.system_identifier
    assert PASSWORD not in text + capsys.readouterr().err
    assert pool.database.tls is None


def test_the_partner_is_found(tmp_path: Path, prepared_pair: Pair, monkeypatch: pytest.MonkeyPatch,
                              capsys: Captured) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    pool = written(tmp_path, "--postgres", prepared_pair.db2.address)  # a secondary names its primary with the port
    assert {node.address for node in pool.database.nodes} == {prepared_pair.db1.address, prepared_pair.db2.address}
    capsys.readouterr()
    pool = written(tmp_path, "--postgres", prepared_pair.db1.address, "--force")  # a primary knows no ports
    assert len(pool.database.nodes) == 1
    assert "A secondary called db2 follows from 127.0.0.1" in capsys.readouterr().err


def test_a_database_url_names_role_and_database(tmp_path: Path, prepared_pair: Pair, monkeypatch: pytest.MonkeyPatch,
                                                capsys: Captured) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    pool = written(tmp_path, "--postgres", f"postgresql://postgres@{prepared_pair.db1.address}/not_yet")
    assert pool.database.name == "not_yet"
    err = capsys.readouterr().err
    assert "has no database called not_yet yet" in err


@pytest.mark.parametrize(("words", "told"), [
    (["--postgres-user", "nobody_of_that_name"], "password authentication failed for role nobody_of_that_name"),
    ([], "No password was given"),
])
def test_databases_that_let_nobody_in(words: list[str], told: str, tmp_path: Path, prepared_pair: Pair,
                                      monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    if words:
        monkeypatch.setenv("PGPASSWORD", "not the password")
    pool = written(tmp_path, "--postgres", prepared_pair.db1.address, "--postgres", prepared_pair.db2.address, *words)
    assert [node.name for node in pool.database.nodes] == ["db1", "db2"]
    err = capsys.readouterr().err
    assert told in err
    assert "not the password" not in err


@contextmanager
def silent() -> Iterator[int]:
    """A server that accepts and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        kept: list[socket.socket] = []

        def accept() -> None:
            try:
                while True:
                    kept.append(listening.accept()[0])
            except OSError:
                return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        for one in kept:
            one.close()


def test_servers_that_refuse_or_never_speak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    nobody = free_port()
    with silent() as port:
        pool = written(tmp_path, "--imap", f"127.0.0.1:{port}", "--imap", f"127.0.0.1:{nobody}",
                       "--postgres", f"127.0.0.1:{nobody}", "--postgres", f"127.0.0.1:{port}",
                       "--haproxy-socket", f"tcp:127.0.0.1:{port}", "--haproxy-socket", str(tmp_path / "none.sock"))
    err = capsys.readouterr().err
    for told in (f"mail server at 127.0.0.1:{port} could not be read: no answer",
                 f"mail server at 127.0.0.1:{nobody} could not be read: connection refused",
                 f"database at 127.0.0.1:{nobody} could not be read: connection refused",
                 f"database at 127.0.0.1:{port} could not be read: no answer in 5 s",
                 f"runtime socket tcp:127.0.0.1:{port} could not be read: no answer in 5 s",
                 "none.sock could not be read: no such socket"):
        assert told in err
    assert (len(pool.mail[0].servers), len(pool.database.nodes), len(pool.sprayers)) == (2, 2, 2)


def test_what_is_no_imap_and_no_postgres(tmp_path: Path, sprayer: Sprayer, capsys: Captured,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    written(tmp_path, "--imap", sprayer.stats, "--postgres", sprayer.stats)
    err = capsys.readouterr().err
    assert f"mail server at {sprayer.stats} could not be read" in err
    assert f"database at {sprayer.stats} could not be read" in err
    written(tmp_path, "--patroni", f"http://{sprayer.stats}", "--force")
    assert f"Patroni at http://{sprayer.stats} could not be read" in capsys.readouterr().err


def test_dovecot_by_tls_starttls_and_plain_text(tmp_path: Path, folder: Path, certificate: Path | None,
                                                capsys: Captured) -> None:
    with cluster(folder, certificate, {}) as running:
        first, second = running.nodes
        trusted = [] if running.certificate is None else ["--ca", str(running.certificate)]
        out = init(tmp_path, "--imap", f"127.0.0.1:{first.secure if trusted else first.port}",
                   "--imap", f"127.0.0.1:{second.port}", *trusted)
        mail = load(out).mail[0]
        assert [server.security for server in mail.servers] == (["tls", "starttls"] if trusted else ["plain"] * 2)
        assert mail.monitor.acts == "identity"
        assert "Dovecot needs a passdb with master = yes" in out.read_text()
        if trusted:
            capsys.readouterr()
            other = init(tmp_path, "--imap", f"west=127.0.0.1:{first.secure}", "--force")
            assert [(one.cluster, one.servers[0].security) for one in load(other).mail] == [("west", "tls")]
            assert f"127.0.0.1:{first.secure}: certificate not accepted" in capsys.readouterr().err
            assert "tls: {}" in other.read_text()
            assert "# CHANGE: write the line below" in other.read_text()


def test_a_mail_server_without_sasl_plain(tmp_path: Path) -> None:
    async def run() -> None:
        greeting = b"* OK [CAPABILITY IMAP4rev1] (a double of a server with LOGIN alone) ready\r\n"
        async with scripted(greeting=greeting) as script:
            await asyncio.to_thread(init, tmp_path, "--imap", f"127.0.0.1:{script.port}")

    asyncio.run(run())
    (mail,) = load(tmp_path / "pool.yaml").mail
    assert mail.servers[0].security == "plain"
    assert mail.monitor.acts == "master"


MEMBERS = [
    {"name": "p1", "role": "leader", "state": "running", "host": "127.0.0.1", "port": 5441, "timeline": 3,
     "api_url": "http://127.0.0.1:8441/patroni"},
    {"name": "p2", "role": "sync_standby", "state": "streaming", "host": "10.0.0.2", "port": 5432, "timeline": 3,
     "api_url": "http://10.0.0.2:8008/patroni"},
    {"name": "p3", "role": "replica", "host": "x y", "port": "many", "api_url": 7}, "nonsense", {"name": 9},
]


@contextmanager
def patroni_double(answers: dict[str, Any]) -> Iterator[int]:
    """A double of Patroni's REST interface; it is not Patroni, and answers three questions only."""
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answers.get(self.path)).encode()
            self.send_response(200 if self.path in answers else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def test_patroni(tmp_path: Path, capsys: Captured) -> None:
    answers = {"/cluster": {"members": MEMBERS, "scope": "batman"}, "/config": {"synchronous_mode": False},
               "/patroni": {"database_system_identifier": "7574021387012345678", "role": "primary"}}
    with patroni_double(answers) as port:
        pool = written(tmp_path, "--patroni", f"http://127.0.0.1:{port}/")
    database = pool.database
    assert database.driver == "patroni"
    assert [(node.name, node.address, node.rest) for node in database.nodes] == [
        ("p1", "127.0.0.1:5441", "http://127.0.0.1:8441"), ("p2", "10.0.0.2:5432", "https://10.0.0.2:8008")]
    assert database.patroni is not None
    assert (database.patroni.scope, database.system_identifier) == ("batman", "7574021387012345678")
    err = capsys.readouterr().err
    for told in ("Patroni does not say where its member p3 is", "Patroni of p2 answers at http://10.0.0.2:8008",
                 "Patroni's synchronous_mode is not on"):
        assert told in err


@pytest.mark.pool
def test_a_real_patroni(tmp_path: Path) -> None:
    from tests.drivers.patronipair import QUICK, SCOPE, PatroniPair, missing

    if (why := missing()) is not None:
        pytest.skip(why)

    async def run() -> dict[str, tuple[str, str]]:
        async with PatroniPair(QUICK) as pair:
            await asyncio.to_thread(init, tmp_path, "--patroni", pair.nodes["p2"].url)
            return {name: (f"127.0.0.1:{node.port}", node.url) for name, node in pair.nodes.items()}

    real = asyncio.run(run())
    database = load(tmp_path / "pool.yaml").database
    assert {node.name: (node.address, node.rest) for node in database.nodes} == real
    assert database.driver == "patroni"
    assert database.patroni is not None
    assert database.patroni.scope == SCOPE
    assert database.system_identifier is not None


def test_hostile_answers_of_a_patroni(tmp_path: Path, capsys: Captured) -> None:
    member = {"name": "p1\nx: y", "role": "leader", "host": "a b", "port": 5432, "api_url": "http://x y:1/\x01"}
    answers: dict[str, Any] = {"/cluster": {"members": [member, {"name": "q" * 90, "host": "::1", "port": 5432,
                                                                 "api_url": "https://[::1]:8008/patroni"}],
                                            "scope": "a: 'b' #\n c"}, "/config": [], "/patroni": {}}
    with patroni_double(answers) as port:
        written(tmp_path, "--patroni", f"http://127.0.0.1:{port}")
        assert "is not Patroni" in capsys.readouterr().err
        answers["/config"] = {}
        pool = written(tmp_path, "--patroni", f"http://127.0.0.1:{port}", "--force")
    (node,) = pool.database.nodes
    assert (node.name, node.address, node.rest) == ("q" * 63, "[::1]:5432", "https://[::1]:8008")
    err = capsys.readouterr().err
    assert "Patroni does not say where its member p1 is" in err
    assert "tuiha does not accept the name qqq" in err


# ---------------------------------------------------------------------------- the file


def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "pool.yaml"
    out.write_text("mine\n")
    init(tmp_path, code=exits.REFUSED)
    assert "exists and was not changed" in capsys.readouterr().err
    assert out.read_text() == "mine\n"
    init(tmp_path, "--force")
    assert load(out).pool == "pool"
    assert [path.name for path in tmp_path.iterdir()] == ["pool.yaml"]


def test_a_link_is_kept_and_what_it_names_is_replaced(tmp_path: Path) -> None:
    real, out = tmp_path / "real.yaml", tmp_path / "pool.yaml"
    out.symlink_to(real)
    init(tmp_path, code=exits.REFUSED)  # it may lead to what somebody is about to write
    init(tmp_path, "--force")
    assert out.is_symlink()
    assert load(real).pool == "pool"


def test_the_file_may_be_read_by_all_and_changed_by_its_owner(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        out = init(tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(out.stat().st_mode) == 0o644


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path, capsys: Captured) -> None:
    tmp_path.chmod(0o500)
    init(tmp_path, code=exits.FAILED)
    assert "could not be written: Permission denied" in capsys.readouterr().err


def test_a_full_disk(tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    init(tmp_path, code=exits.FAILED)
    assert "could not be written: No space left on device. Nothing was changed" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("words", "told"), [
    (["--out", "/"], "/ is a folder"),
    (["--out", "/no/such/folder/pool.yaml"], "there is no folder /no/such/folder"),
    (["--config", "x.yaml"], "name the file with --out"),
    (["--haproxy", "/no/such.cfg"], "--haproxy: HAProxy's configuration /no/such.cfg cannot be used: there is no such"),
    (["--haproxy", "/dev/zero"], "is not a regular file"),
    (["--haproxy", sys.executable], "cannot be used: is"),
    (["--postgres", "a", "--postgres", "a:5432"], "names the same database twice"),
    (["--postgres", "a", "--postgres", "b", "--postgres", "c"], "a pair is two databases, and 3 are named"),
    (["--postgres", "a b"], "'a b' is not HOST:PORT"),
    (["--postgres", "a:0"], "'a:0' is not HOST:PORT"),
    (["--postgres", "postgresql://u:secret@a/x"], "set PGPASSWORD"),
    (["--postgres", "a", "--patroni", "https://a:8008"], "take one of them"),
    (["--patroni", "a:8008"], "'a:8008' is not the address of a Patroni"),
    (["--imap", "x y=a"], "'x y' is not a name"),
    (["--haproxy-socket", "tcp:a"], "'tcp:a' has no port"),
    (["--name", "a b"], "'a b' is not a name"),
    (["--database", "a b"], "a database's name has"),
    (["--ca", "/no/such.pem"], "/no/such.pem cannot be read"),
])
def test_wrong_options_say_what_to_write(words: list[str], told: str, capsys: Captured, tmp_path: Path,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init", *words]) == exits.USAGE
    err = capsys.readouterr().err
    assert told in err
    assert "secret" not in err
    assert list(tmp_path.iterdir()) == []


def test_on_standard_output(tmp_path: Path, capsys: Captured) -> None:
    assert main(["init", "--out", "-", "--name", "west"]) == exits.OK
    captured = capsys.readouterr()
    assert yaml.safe_load(captured.out)["pool"] == "west"
    assert "Next: tuiha check --config FILE" in captured.err


def test_secrets_are_listed_with_what_creates_them(tmp_path: Path, capsys: Captured) -> None:
    init(tmp_path)
    err = capsys.readouterr().err
    for line in re.findall(r"^    (\S.*)$", err, re.MULTILINE):
        subprocess.run(["sh", "-c", line], check=True, timeout=60)
    token = tmp_path / "secrets" / "viewer_token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert stat.S_IMODE(token.parent.stat().st_mode) == 0o700
    init(tmp_path, "--force")
    assert "viewer_token" not in capsys.readouterr().err, "what is there is not asked for"


def test_check_goes_on_from_it(configured: Configured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                               capsys: Captured, sprayer: Sprayer) -> None:
    """Only what is missing is named: first the secrets, all at once, and then what does not run."""
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    pair = configured.pair
    out = init(tmp_path, "--postgres", pair.db1.address, "--postgres", pair.db2.address, "--haproxy",
               str(Path(sprayer.map).with_name("haproxy.cfg")), "--name", "demo")
    capsys.readouterr()
    assert main(["check", "--config", str(out)]) == exits.USAGE
    missing = capsys.readouterr().err.strip().split("\n")
    assert {Path(found[1]).name for line in missing if (found := re.search(r": file (\S+) cannot be read", line))} == {
        "tuiha_pool", "tuiha_watch", "viewer_token"}
    secrets = tmp_path / "secrets"
    secrets.mkdir(0o700)
    for name, secret in (("tuiha_pool", PASSWORD), ("tuiha_watch", PASSWORD), ("viewer_token", "a token of the tests")):
        (secrets / name).write_text(secret)
        (secrets / name).chmod(0o600)
    main(["check", "--config", str(out), "--json"])
    findings = json.loads(capsys.readouterr().out)["findings"]
    bad = {(one["subject"], one["code"]) for one in findings if one["level"] == "bad"}
    assert {subject for subject, code in bad if code.endswith("-unreachable")} >= {"s1", "s2"}  # nobody runs them
    assert not [one for one in findings if one["code"] in ("database-unreachable", "role-log-in", "sprayer-unreachable")
                and one["level"] == "bad"]


# ---------------------------------------------------------------------------- questions


def talk(tmp_path: Path, answers: list[tuple[str, str]], *words: str) -> tuple[int, str]:
    """Run it in a terminal: what it shows before each answer, and the answer."""
    command = ["-m", "tuiha", "init", "--out", str(tmp_path / "pool.yaml"), *words]
    with Terminal(command, columns=120, rows=60) as terminal:
        for question, answer in answers:
            terminal.shows(question)
            terminal.send(answer)
        code = terminal.wait()
    return code, terminal.raw.decode()


def test_questions_have_defaults_and_are_asked_again(tmp_path: Path, prepared_pair: Pair) -> None:
    code, _ = talk(tmp_path, [
        ("Name of the pool [pool]:", "a b\r"), ("'a b' is not a name", "west\r"),
        ("HAProxy's configuration, a file or folder [", "none\r"),
        ("Databases: HOST:PORT of both, or https://HOST:8008 of a Patroni [skip]:",
         f"{prepared_pair.db1.address}, {prepared_pair.db2.address}\r"),
        ("Password of database role tuiha_watch", f"{PASSWORD}\r"),
        ("Mail servers with the same mailboxes", "\r")])
    assert code == exits.OK
    pool = load(tmp_path / "pool.yaml")
    assert pool.pool == "west"
    assert pool.database.nodes[1].name == "db2"
    assert pool.database.system_identifier is not None, "the password was used"


def test_the_password_is_not_shown_and_what_options_name_is_not_asked(tmp_path: Path, prepared_pair: Pair) -> None:
    _, shown = talk(tmp_path, [("Password of database role", f"{PASSWORD}\r"), ("Mail servers", "\r")],
                    "--name", "west", "--haproxy", str(data_file("config/haproxy.cfg")),
                    "--postgres", prepared_pair.db1.address)
    assert "'quotes'" not in shown
    assert "Name of the pool" not in shown
    assert "HAProxy's configuration, a file" not in shown


@pytest.mark.parametrize(("key", "code"), [("\x04", exits.USAGE), ("\x03", exits.INTERRUPTED)])
def test_the_end_of_the_answers_writes_nothing(tmp_path: Path, key: str, code: int) -> None:
    got, shown = talk(tmp_path, [("Name of the pool", key)])
    assert got == code
    assert "Traceback" not in shown
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_asked_with_yes_or_without_a_terminal(tmp_path: Path) -> None:
    code, shown = talk(tmp_path, [], "--yes")
    assert (code, "Name of the pool" in shown) == (exits.OK, False)
    done = subprocess.run([sys.executable, "-m", "tuiha", "init", "--out", tmp_path / "other.yaml"], text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    assert done.returncode == exits.OK
    assert "Name of the pool" not in done.stderr


def test_config_prints_the_example(capsys: Captured) -> None:
    assert main(["config", "example"]) == exits.OK
    assert capsys.readouterr().out == data_file("config/pool.example.yaml").read_text()
    assert main(["config"]) == exits.USAGE
