from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tuiha.config import document
from tuiha.config.load import ConfigError, load

GOOD = """\
pool: west
servers:
  - {name: s1, address: "http://127.0.0.1:8080"}
  - {name: s2, address: "http://127.0.0.1:8081", capacity: 500}
database:
  system_identifier: 7574021387012345678
  nodes:
    - {name: db1, address: "127.0.0.1:5432"}
    - {name: db2, address: "[::1]:5433"}
  roles:
    pool: {user: tuiha_pool, password: {file: secrets/pool}}
    watcher: {user: tuiha_watch, password: {env: WATCH_PASSWORD}}
mail:
  - cluster: m
    servers: [{name: mail1, address: "localhost:143", security: plain}]
    monitor: {user: monitor, password: {command: [cat, /dev/null]}}
    probe: {user: probe, password: {file: p}}
sprayers:
  - {name: spray1, address: "127.0.0.1:80", socket: "tcp:127.0.0.1:9999"}
control: {viewer: {file: v}}
heartbeat: {interval: 500ms, window: 1m}
"""


def write(folder: Path, text: str | bytes) -> Path:
    file = folder / "pool.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def refused(folder: Path, text: str | bytes) -> list[str]:
    """The lines of the message, without the file's name."""
    file = write(folder, text)
    with pytest.raises(ConfigError) as caught:
        load(file)
    lines = str(caught.value).split("\n")
    assert len(lines) == len(caught.value.problems)
    assert all(line.startswith(str(file)) for line in lines)
    return [line.removeprefix(str(file)) for line in lines]


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, f"{old!r} is not once in the good file"
    return GOOD.replace(old, new)


def test_a_good_file_loads(tmp_path: Path) -> None:
    pool = load(write(tmp_path, GOOD))
    assert pool.pool == "west"
    assert [server.capacity for server in pool.servers] == [2000, 500]
    assert (pool.heartbeat.interval, pool.heartbeat.window) == (0.5, 60.0)
    assert pool.database.system_identifier == "7574021387012345678"
    assert pool.database.nodes[1].address == "[::1]:5433"


def test_a_section_without_keys_has_its_defaults(tmp_path: Path) -> None:
    pool = load(write(tmp_path, changed("heartbeat: {interval: 500ms, window: 1m}", "heartbeat:\nwatch: # later\n")))
    assert (pool.heartbeat.window, pool.watch.down_after) == (10.0, 3)


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    assert load(write(tmp_path, b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())).pool == "west"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (changed("address: \"http://127.0.0.1:8080\"", "adress: \"http://127.0.0.1:8080\""),
         ":3: servers[0].adress: unknown key; did you mean 'address'?"),
        (changed("capacity: 500", "zzz: 1"),
         ":4: servers[1].zzz: unknown key; "
         "the keys here are name, address, driver, capacity, tls, http, traveler, options"),
        (changed("capacity: 500", "capacity: many"),
         ":4: servers[1].capacity: is not a whole number; write a whole number"),
        (changed("capacity: 500", "capacity: 0"),
         ":4: servers[1].capacity: is out of range; write a number that is more than 0"),
        (changed("capacity: 500", "capacity: yes"),
         ":4: servers[1].capacity: is true or false, not a number; write a number"),
        (changed("capacity: 500", "capacity: "), ":4: servers[1].capacity: is empty; write a whole number"),
        (changed("capacity: 500", "driver: travler"),
         ":4: servers[1].driver: there is no driver 'travler'; did you mean 'traveler'?"),
        (changed("interval: 500ms", "interval: 5 minutes"),
         ":21: heartbeat.interval: is not a duration; write for example 250ms, 10s, 10m or 24h"),
        (changed("interval: 500ms", "interval: 0"), ":21: heartbeat.interval: is out of range; "
         "write a duration of more than 0s, for example 250ms, 10s, 10m or 24h"),
        (changed("interval: 500ms", "interval: [1]"), ":21: heartbeat.interval: is a list, not a duration; "
         "write a duration of more than 0s, for example 250ms, 10s, 10m or 24h"),
        (changed("    monitor: {user: monitor,", "    idle: 31m\n    monitor: {user: monitor,"),
         ":16: mail[0].idle: is out of range; write a duration from 5s to 29m"),
        (changed("    monitor: {user: monitor,", "    recheck: 31d\n    monitor: {user: monitor,"),
         ":16: mail[0].recheck: is out of range; write a duration from 1s to 30d"),
        (changed("    monitor: {user: monitor,", "    recheck: -5\n    monitor: {user: monitor,"),
         ":16: mail[0].recheck: is out of range; write a duration from 1s to 30d"),
        (changed("interval: 500ms", "interval: .inf"), ":21: heartbeat.interval: is not a finite number; "
         "write a number"),
        (changed("pool: west", "pool: 7"), ":1: pool: is a number, not a text; put it in quotes"),
        (changed("pool: west", "pool: no"), ":1: pool: is true or false, not a text; put it in quotes"),
        (changed("pool: west", "pool: a/b"), ":1: pool: is not a name; use letters, digits, '.', '_' and '-', "
         "at most 63, a letter or digit first"),
        (changed("127.0.0.1:5432", "127.0.0.1"),
         ":8: database.nodes[0].address: is not HOST:PORT; write for example db1.example.org:5432 or '[::1]:5432'"),
        (changed("127.0.0.1:5432", "127.0.0.1:66000"), ":8: database.nodes[0].address: ends with a port that cannot "
         "be; write a port from 1 to 65535"),
        (changed("http://127.0.0.1:8080", "http://u:hunter2@127.0.0.1:8080"), ":3: servers[0].address: is not an "
         "address of a server; write https://HOST:PORT, without a path and without a user"),
        (changed("http://127.0.0.1:8080", "https://s1.example.org"), ":3: servers[0].address: is not an address of a "
         "server; write https://HOST:PORT, without a path and without a user"),
        (changed("security: plain", "security: plane"), ":15: mail[0].servers[0].security: is not one of the "
         "choices; write plain, starttls or tls; did you mean 'plain'?"),
        (changed("monitor: {user: monitor,", "monitor: {acts: masters, user: monitor,"), ":16: mail[0].monitor.acts: "
         "is not one of the choices; write identity or master; did you mean 'master'?"),
        (changed("monitor: {user: monitor,", "monitor: {separator: '**', user: monitor,"), ":16: mail[0].monitor."
         "separator: is not a separator; write one of ! # $ % & * + , / : ; = ^ | ~ in quotes; Dovecot's is its "
         "auth_master_user_separator"),
        (changed("socket: \"tcp:127.0.0.1:9999\"", "push: true, socket: \"tcp:127.0.0.1:9999\""),
         ":19: sprayers[0]: is pushed to and has no map; write map: /etc/haproxy/tuiha/users.map"),
        (changed("control: {viewer: {file: v}}", "control: {}"),
         ":20: control.viewer: missing; name where it comes from: file: PATH, env: VARIABLE, or command: "
         "[PROGRAM, ARGUMENT]"),
        (changed("control: {viewer: {file: v}}\n", ""), ":1: control: missing; it needs viewer"),
        (changed("control: {viewer: {file: v}}", "control:"),
         ":20: control: is empty; its keys are viewer, operator, viewer_before, operator_before"),
        (changed("viewer: {file: v}", "viewer: {file: v, env: V}"),
         ":20: control.viewer: does not name one source; write exactly one of file, env and command"),
        (changed("viewer: {file: v}", "viewer: {command: cat v}"),
         ":20: control.viewer.command: is a text, not a list; begin each item with '- ', or leave command out if "
         "it may be"),
        (changed("name: s2", "name: db1"),
         ":8: database.nodes[0].name: 'db1' is servers[1].name already; every node needs a name of its own"),
        (changed("127.0.0.1:8081", "127.0.0.1:8080"), ":4: servers[1].address: 'http://127.0.0.1:8080' is "
         "servers[0].address already; every server needs an address of its own"),
        (changed("window: 1m", "window: 4s"), ":1: lease.seconds: is not shorter than heartbeat.window; a server "
         "that counts as dead must have lost its lease"),
        (changed("window: 1m", "windw: 1m"), ":21: heartbeat.windw: unknown key; did you mean 'window'?"),
        (changed("    - {name: db2, address: \"[::1]:5433\"}\n", "    - {name: db2, address: \"[::1]:5433\"}\n"
                 "    - {name: db3, address: \"[::1]:5434\"}\n"),
             ":7: database.nodes: has 3 nodes; without Patroni it is a pair; write two, or have Patroni manage them "
             "(driver: patroni)"),
    ],
)
def test_one_fault_one_line(tmp_path: Path, text: str, message: str) -> None:
    assert refused(tmp_path, text) == [message]


def test_all_faults_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = changed("capacity: 500", "capacitie: 1").replace("127.0.0.1:5432", "nowhere").replace("500ms", "soon")
    assert [line.split(": ")[1] for line in refused(tmp_path, text)] == [
        "servers[1].capacitie", "database.nodes[0].address", "heartbeat.interval",
    ]


@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("pool: a\n\tservers: []\n", 2, "a tab is not allowed here; indent with spaces"),
        ("pool: ä\nservers:\n\t- name: s1\n", 3, "a tab is not allowed here; indent with spaces"),
        ("pool: a: b\n", 1, "(column 8): a ': ' where none can be"),
        ("a:\n  b: 1\n c: 2\n", 3, "this line does not fit the lines above it"),
        ("pool: a\nservers: [1, 2\nb: 3\n", 3, "is not closed, or a comma is missing"),
        ("pool: 'a\nb: 1\n", 1, "a quotation mark that is never closed"),
        ("pool: *hunter2\n", 1, "put it in quotes"),
        ("pool: !hunter2 x\n", 1, "put it in quotes"),
        ("pool: @hunter2\n", 1, "put it in quotes"),
        ("pool: a\n---\npool: b\n", 2, "a second document begins here"),
        ("pool: a\nfoo\n", 3, "every key ends in ': '"),
        ("pool: \"a\\q\"\n", 1, "use single quotes"),
    ],
)
def test_not_yaml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loader: str, text: str, line: int, words: str
) -> None:
    """Both parsers say the same, with a line, and never a word of the file."""
    monkeypatch.setattr(document, "_Loader", getattr(yaml, loader))
    (message,) = refused(tmp_path, text)
    assert message.startswith(f":{line}: not valid YAML (column ")
    assert words in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": the file is empty; `tuiha init` writes one, `tuiha config example` prints one"),
        ("# nothing\n", ": the file is empty; `tuiha init` writes one, `tuiha config example` prints one"),
        ("- pool: a\n", ":1: the file is a list, not a mapping; its first line is 'pool: NAME'"),
        ("pool\n", ":1: the file is a single text, not a mapping; its first line is 'pool: NAME'"),
        (b"pool: a\nname: \xe4\n", ":2: is not UTF-8 text; save it as UTF-8"),
        ("pool: west\n".encode("utf-16"), ":1: is not UTF-8 text; save it as UTF-8"),
        (b"pool: a\n\x00\n", ":2: holds a control character; remove it; write the file as plain text"),
        ("pool: !!int x\n", ": a value is not what its '!!' tag says; leave the tag out"),
        ("7: x\n", ":1: a key must be a word; put it in quotes if it is meant as text"),
        ("[a, b]: x\n", ":1: a key must be a word; put it in quotes if it is meant as text"),
    ],
)
def test_not_a_configuration(tmp_path: Path, text: str | bytes, message: str) -> None:
    assert refused(tmp_path, text) == [message]


def test_a_key_written_twice_names_both_lines(tmp_path: Path) -> None:
    text = changed("heartbeat:", "lease: {seconds: 3s}\nlease: {seconds: 4s}\nheartbeat:")
    assert refused(tmp_path, text) == [":22: lease: is written twice, on line 21 and on line 22; keep one of them"]
    inner = changed("name: s2,", "name: s2, name: s3,")
    (message,) = refused(tmp_path, inner)
    assert message == ":4: servers[1].name: is written twice, on line 4 and on line 4; keep one of them"


def test_anchors_and_merges_keep_their_lines(tmp_path: Path) -> None:
    text = GOOD.replace("servers:\n  - {name: s1,", "servers:\n  - &one\n    capacity: many\n    name: s1\n"
                        "    address: http://127.0.0.1:1\n  - {<<: *one, name: s3,")
    lines = [line.split(": ")[0] + line.split(": ")[1] for line in refused(tmp_path, text)]
    assert lines == [":4servers[0].capacity", ":4servers[1].capacity"]


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "a: &a {b: *a}\n"])
def test_an_endless_alias_ends(tmp_path: Path, text: str) -> None:
    assert "aliases" in refused(tmp_path, text)[0]


def test_aliases_that_unfold_without_end_are_refused(tmp_path: Path) -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    assert "aliases" in refused(tmp_path, "\n".join(rows))[0]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for file, words in ((tmp_path / "absent.yaml", "there is no such file"), (tmp_path, "is a folder")):
        with pytest.raises(ConfigError, match=words):
            load(file)


@contextmanager
def as_an_ordinary_user() -> Iterator[None]:
    """Root may read everything, and is nobody meanwhile."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_file_without_permission() -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to everybody else
        folder = Path(name)
        folder.chmod(0o755)
        file = write(folder, GOOD)
        load(file)
        file.chmod(0)
        with as_an_ordinary_user(), pytest.raises(ConfigError, match="may not be read by this user"):
            load(file)


SECRET = "hunter2-9f8e7d"


@pytest.mark.parametrize(
    "text",
    [
        changed("viewer: {file: v}", f"viewer: {SECRET}"),
        changed("viewer: {file: v}", f"viewer: '{SECRET}'"),
        changed("viewer: {file: v}", f"viewer: [{SECRET}]"),
        changed("viewer: {file: v}", f"viewer: {{{SECRET}}}"),
        changed("viewer: {file: v}", f"viewer: {{password: {SECRET}}}"),
        changed("viewer: {file: v}", f"viewer: {{file: [{SECRET}]}}"),
        changed("viewer: {file: v}", f"viewer: {SECRET}: x"),
        changed("viewer: {file: v}", f"viewer: *{SECRET}"),
        changed("viewer: {file: v}", f"viewer: !{SECRET}"),
        changed("viewer: {file: v}", f"viewer: '{SECRET}"),
        changed("password: {file: secrets/pool}", f"password: {SECRET}"),
    ],
)
def test_no_message_repeats_a_secret(tmp_path: Path, text: str) -> None:
    import traceback

    file = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_literal_password_is_told_how_to_be_written(tmp_path: Path) -> None:
    assert refused(tmp_path, changed("viewer: {file: v}", f"viewer: {SECRET}")) == [
        ":20: control.viewer: a secret is never written in the configuration itself; name where it comes from: "
        "file: PATH, env: VARIABLE, or command: [PROGRAM, ARGUMENT]"
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (changed("http://127.0.0.1:8080", "http://10.0.0.1:8080"), ":3: servers[0].address"),
        (changed("127.0.0.1:5432", "db1.example.org:5432"), ":8: database.nodes[0].address"),
        (changed("localhost:143", "mail.example.org:143"), ":15: mail[0].servers[0].security"),
        (changed("tcp:127.0.0.1:9999", "tcp:10.1.2.3:9999"), ":19: sprayers[0].socket"),
    ],
)
def test_plain_text_stays_on_this_machine(tmp_path: Path, text: str, place: str) -> None:
    (message,) = refused(tmp_path, text)
    assert message.startswith(f"{place}: plain text would leave this machine with passwords in it; ")


def test_tls_lets_it_leave(tmp_path: Path) -> None:
    text = changed("127.0.0.1:5432", "db1.example.org:5432").replace("database:\n", "database:\n  tls: {}\n")
    text = text.replace("localhost:143", "m:993").replace("security: plain", "security: tls")
    text = text.replace('"http://127.0.0.1:8080"', '"https://s1.example.org:8443"')
    text = text.replace('"tcp:127.0.0.1:9999"', '"tcp:h1:9999", tls: {verify: true}')
    assert load(write(tmp_path, text)).database.tls is not None


def test_secrets_remember_where_they_were_written(tmp_path: Path) -> None:
    from tuiha.config.secrets import resolve

    file = write(tmp_path, GOOD)
    pool = load(file)
    with pytest.raises(ConfigError) as caught:
        resolve(pool.mail[0].probe.password, tmp_path)
    assert str(caught.value).startswith(f"{file}:17: mail[0].probe.password: file {tmp_path}/p cannot be read")
