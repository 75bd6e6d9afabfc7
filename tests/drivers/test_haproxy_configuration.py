"""HAProxy's configuration file as tuiha reads it, beside HAProxy itself, and files that are none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuiha.config.places import data_file
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.sprayers import configuration
from tuiha.drivers.sprayers.configuration import parse, texts, words
from tuiha.drivers.sprayers.survey import MOST_SERVERS, survey
from tuiha.model.survey.facts import FoundHaproxy, FoundServer, RemarkCode

HEAD = "global\n  stats socket /run/haproxy/admin.sock level admin\n  stats socket /run/watch.sock level user\n"
FRONT = "frontend devices\n  mode http\n  bind :443 ssl crt x.pem\n  default_backend app\n"


def found(text: str, backend: str | None = None) -> FoundHaproxy:
    return survey(parse(text), backend)


def codes(seen: FoundHaproxy) -> set[RemarkCode]:
    return {remark.code for remark in seen.remarks}


def test_the_shipped_pair_of_sprayers() -> None:
    seen = found(data_file("config/haproxy.cfg").read_text())
    assert seen.servers == (FoundServer("s1", "s1.example.org", 8443, True),
                            FoundServer("s2", "s2.example.org", 8443, True))
    assert [(one.name, one.host, one.port, one.socket, one.operator) for one in seen.sprayers] == [
        (f"spray{n}", f"spray{n}.example.org", 443, f"tcp:spray{n}.example.org:9443", f"tcp:spray{n}.example.org:9444")
        for n in (1, 2)]
    assert {(one.backend, one.map, one.held, one.secure) for one in seen.sprayers} == {
        ("pool", "/etc/haproxy/tuiha/users.map", "/etc/haproxy/tuiha/held.map", True)}
    assert seen.remarks == ()


@pytest.mark.parametrize(("line", "server"), [
    ("server s1 10.0.0.1:8443", ("s1", "10.0.0.1", 8443, False)),
    ("server s1 [2001:db8::1]:8443 ssl", ("s1", "2001:db8::1", 8443, True)),
    ("server s1 ipv6@2001:db8::1:8443 ssl verify none", ("s1", "2001:db8::1", 8443, True)),
    ("server s1 ipv4@s1.example.org:80", ("s1", "s1.example.org", 80, False)),
    ('server "a b" s1:80 # comment', ("a b", "s1", 80, False)),
    (r"server a\ b s1:80", ("a b", "s1", 80, False)),
    ("server 'a#b' s1:80", ("a#b", "s1", 80, False)),
    ('server s1 "${HOST-s9}:80"', ("s1", "s9", 80, False)),
    ("server s1 s1:80 no-ssl", ("s1", "s1", 80, False)),
])
def test_a_server(line: str, server: tuple[str, str, int, bool]) -> None:
    assert found(f"backend app\n  {line}\n").servers == (FoundServer(*server),)


@pytest.mark.parametrize(("line", "code"), [
    ("server-template s 1-30 _http._tcp.example.org resolvers dns", RemarkCode.TEMPLATE),
    ('server s1 "${HOST}:80"', RemarkCode.VARIABLE),
    ("server s1 10.0.0.1", RemarkCode.NO_ADDRESS),
    ("server s1 0.0.0.0:80", RemarkCode.NO_ADDRESS),
    ("server s1 10.0.0.1:99999", RemarkCode.NO_ADDRESS),
    ("server s1 a:b:c:80", RemarkCode.NO_ADDRESS),
])
def test_a_server_without_an_address_of_its_own_is_told(line: str, code: RemarkCode) -> None:
    seen = found(f"backend app\n  {line}\n")
    assert seen.servers == ()
    assert code in codes(seen)


def test_quotes_comments_and_escapes_are_haproxys() -> None:
    known = {"A": "x y"}
    assert words(r"""a "b c" 'd "$A" e' "$A${A}" f\"g h\#i # j""", known) == [
        "a", "b c", 'd "$A" e', "x yx y", 'f"g', "h#i"]
    assert words("$A ${A}", known) == ["$A", "${A}"]  # without quotes it is no variable
    assert words('"" \t', known) == [""]
    assert words(r"a\x41\:b c\n", known) == ["aA\\:b", "c\n"]
    assert words("#", known) == []


def test_variables_that_the_file_sets_are_known() -> None:
    text = 'global\n  setenv HOST s7\nbackend app\n  server s1 "$HOST:80"\n  server s2 "${NONE-s8}:80"\n'
    assert [one.host for one in found(text).servers] == ["s7", "s8"]


def test_of_a_condition_the_first_branch_is_read() -> None:
    text = ("backend app\n.if defined(A)\n server s1 a:1\n.elif defined(B)\n server s2 a:2\n.else\n server s3 a:3\n"
            ".endif\n.if false\n server s4 a:4\n.else\n server s5 a:5\n.endif\n.if 1\n server s6 a:6\n.endif\n"
            ".notice done\n.endif\n")
    seen = found(text)
    assert [one.name for one in seen.servers] == ["s1", "s5", "s6"]
    assert [remark.subject for remark in seen.remarks if remark.code is RemarkCode.CONDITION] == ["2"]


def test_defaults_hold_for_what_comes_after_them() -> None:
    text = ("defaults base\n mode http\n default-server ssl\ndefaults tcp\n mode tcp\n"
            "backend mail\n server m1 m:143\n server m2 m:143\nbackend app from base\n server s1 a:1\n")
    seen = found(text)
    assert seen.servers == (FoundServer("s1", "a", 1, True),)  # http goes before tcp, though it has fewer servers
    assert [remark.detail for remark in seen.remarks if remark.code is RemarkCode.OTHER_BACKENDS] == ["mail"]
    assert [one.name for one in found(text, "mail").servers] == ["m1", "m2"]
    assert RemarkCode.NO_BACKEND in codes(found(text, "none"))


def test_one_sprayer_by_itself() -> None:
    seen = found(f"{HEAD}  node east\n{FRONT}backend app\n  mode http\n  server s1 127.0.0.1:80\n")
    (one,) = seen.sprayers
    assert (one.name, one.host, one.port, one.socket) == ("east", None, 443, "unix:/run/haproxy/admin.sock")
    assert one.backend == "app"


@pytest.mark.parametrize(("line", "socket", "code"), [
    ("stats socket ipv4@127.0.0.1:9999 level admin", "tcp:127.0.0.1:9999", None),
    ("stats socket :9999 level admin", None, RemarkCode.PLAIN_SOCKET),
    ("stats socket abns@haproxy", None, RemarkCode.NO_SOCKET),
    ("maxconn 10", None, RemarkCode.NO_SOCKET),
    ("unix-bind prefix /jail\n  stats socket unix@/run/x.sock", "unix:/jail/run/x.sock", None),
])
def test_the_runtime_socket(line: str, socket: str | None, code: RemarkCode | None) -> None:
    seen = found(f"global\n  {line}\n{FRONT}backend app\n  server s1 127.0.0.1:80\n")
    assert seen.sprayers[0].socket == socket
    assert codes(seen) == (set() if code is None else {code})


def test_a_pair_without_a_way_to_its_sockets() -> None:
    peers = "peers p\n  peer a 10.0.0.1:1000\n  peer b 10.0.0.2:1000\n"
    seen = found(f"{HEAD}{peers}{FRONT}backend app\n  server s1 127.0.0.1:80\n")
    assert [(one.name, one.host, one.socket) for one in seen.sprayers] == [("a", "10.0.0.1", None),
                                                                          ("b", "10.0.0.2", None)]
    assert codes(seen) == {RemarkCode.LOCAL_SOCKET}


def test_a_large_file_is_read_and_bounded(tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    lines = "".join(f"  server s{n} 10.0.{n % 250}.1:{1 + n % 60000} check  # {'x' * 80}\n" for n in range(90_000))
    file.write_text(f"backend app\n{lines}")
    assert file.stat().st_size > 10_000_000
    seen = survey(parse(texts(file)))
    assert len(seen.servers) == MOST_SERVERS
    assert RemarkCode.TOO_MANY in codes(seen)


def test_a_folder_is_read_as_haproxy_reads_it(tmp_path: Path) -> None:
    (tmp_path / "20.cfg").write_text("  server s2 a:2\n")
    (tmp_path / "10.cfg").write_text("backend app\n  server s1 a:1")
    (tmp_path / "30.bak").write_text("  server s3 a:3\n")
    assert [one.name for one in found(texts(tmp_path)).servers] == ["s1", "s2"]


def test_what_is_no_configuration_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DriverError, match="there is no such file"):
        texts(tmp_path / "none.cfg")
    with pytest.raises(DriverError, match=r"a folder without a file \*\.cfg"):
        texts(tmp_path)
    with pytest.raises(DriverError, match="not a regular file"):
        texts(Path("/dev/null"))
    binary = tmp_path / "binary.cfg"
    binary.write_bytes(b"backend app\0\xff")
    with pytest.raises(DriverError, match="not a text file"):
        texts(binary)
    monkeypatch.setattr(configuration, "MOST_BYTES", 10)
    binary.write_text("backend app\n  server s1 a:1\n")
    with pytest.raises(DriverError, match="larger than 16 MB"):
        texts(binary)
    for text in ("", "hello\n", "pool: west\n", "peers p\n peer a b:1\n"):
        with pytest.raises(DriverError, match="no section"):
            parse(text)


def test_haproxy_accepts_what_is_read_here(tmp_path: Path, haproxy: Path) -> None:
    """The odd lines of these tests are HAProxy's own grammar."""
    file = tmp_path / "haproxy.cfg"
    file.write_text(f"""
global
  setenv HOST 127.0.0.1
  stats socket {tmp_path}/admin.sock mode 600 level admin  # comment
defaults base
  mode http
  timeout connect 1s
  timeout client 1s
  timeout server 1s
frontend devices from base
  bind 127.0.0.1:18443
  default_backend app
backend app from base
.if defined(NEVER)
  server s9 127.0.0.1:1
.else
  server s8 127.0.0.1:2
.endif
  server s1 "$HOST:8443"
  server s2 [::1]:8443 ssl verify none
  server a\x62 ipv4@127.0.0.1:80
  server 's3' "${{NONE-127.0.0.1}}:81"
""")
    checked = subprocess.run([haproxy, "-c", "-f", file], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    seen = found(texts(file))
    assert [(one.name, one.host, one.port, one.secure) for one in seen.servers] == [
        ("s9", "127.0.0.1", 1, False), ("s1", "127.0.0.1", 8443, False), ("s2", "::1", 8443, True),
        ("ab", "127.0.0.1", 80, False), ("s3", "127.0.0.1", 81, False)]
    assert (seen.sprayers[0].host, seen.sprayers[0].port) == ("127.0.0.1", 18443)


PIECES = st.sampled_from([
    "global", "defaults", "backend", "frontend", "peers", "listen", "server", "server-template", "stats", "socket",
    "level", "admin", "peer", "bind", "from", "default_backend", "use_backend", "mode", "a", "a:1", "[::1]:1", ":1",
    "unix@/x", "${A}", '"', "'", "\\", "#", "\n", "\n ", ".if", ".else", ".endif", "ssl", "*", "set-map(", ")", "é",
    "unix-bind", "prefix", "node", "default-server"])


@given(st.lists(PIECES, max_size=60).map(" ".join))
@settings(max_examples=1000, deadline=None, derandomize=True)
def test_whatever_a_file_holds_it_is_read_or_refused(text: str) -> None:
    try:
        seen = found(text)
    except DriverError:
        return
    assert all(0 < one.port < 65536 for one in seen.servers)


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_text(text: str) -> None:
    try:
        found(f"backend app\n{text}")
    except DriverError:
        return
