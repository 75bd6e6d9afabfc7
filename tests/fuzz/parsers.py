"""Every parser that reads what another system sent, with samples of what it should get, and what it may raise."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuiha.config.errors import ConfigError
from tuiha.config.load import load
from tuiha.drivers import http as asking
from tuiha.drivers.databases import patroni_rest
from tuiha.drivers.ledgers import etcd, gateway, record
from tuiha.drivers.mail import client, envelopes, headers, values, wire
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.servers import http, pool, traveler
from tuiha.drivers.sprayers import haproxy, runtime
from tuiha.model.reports import LedgerRecord, Standby
from tuiha.server.devices import history, users
from tuiha.server.http import tokens
from tuiha.server.http.problems import HttpProblem
from tuiha.server.pool import signatures


@dataclass(frozen=True)
class Target:
    """One parser. Anything but an answer or one of `may_raise` is a finding."""

    name: str
    call: Callable[[bytes], object]
    samples: Sequence[bytes]
    may_raise: tuple[type[Exception], ...] = (DriverError,)


def _parts(raw: bytes) -> tuple[bytes, ...]:
    return tuple(raw.split(b"\0"))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _header(raw: bytes) -> str:
    """As the HTTP parser hands a header on."""
    return raw.decode("utf-8", "surrogateescape").replace("\r", "").replace("\n", "")


def _inside_key(raw: bytes) -> object:
    """A device may send any text that looks like a key from outside."""
    return history.read_key(base64.urlsafe_b64encode(raw).decode().rstrip("="), 7)


def _answer(raw: bytes) -> object:
    """What a server sends before it hangs up."""
    async def read() -> object:
        reader = asyncio.StreamReader()
        reader.feed_data(raw)
        reader.feed_eof()
        return await asking._answer(reader, 1000)

    return asyncio.run(read())


def _fetched(raw: bytes) -> object:
    found = envelopes.FetchAnswers(lambda uid: uid < 100, 7)
    for line in raw.split(b"\n"):
        found.take(wire.Response(_parts(line)))
    return [found.envelopes(part) for part in envelopes.EnvelopePart], found.without_identity()


def _searched(raw: bytes) -> object:
    lowest = client.Lowest(1000)
    for low, high in envelopes.uids_in(wire.Response(_parts(raw))):
        lowest.add(low, high)
    return lowest.found()


def _connection(raw: bytes) -> object:
    """What a mail server sends to a client in IDLE before it hangs up."""
    class Silent(asyncio.Transport):
        def write(self, data: bytes | bytearray | memoryview) -> None: ...
        def abort(self) -> None: ...
        def pause_reading(self) -> None: ...
        def resume_reading(self) -> None: ...
        def is_closing(self) -> bool:
            return False

    async def read() -> object:
        line = wire.Wire()
        line.connection_made(Silent())
        line.data_received(raw)
        line.connection_lost(None)
        try:
            return await client.ImapClient(line, 5.0).idle(5.0)
        except wire.ImapFailure as failure:
            return str(failure)

    return asyncio.run(read())


def _etcd(raw: bytes) -> object:
    body = gateway._document(200, raw)
    return etcd.stored_in("/tuiha/demo/", body), etcd.revision_of(body)


def _patroni(raw: bytes) -> object:
    found = patroni_rest.document(raw, "/cluster")
    return patroni_rest.parse_cluster(found), patroni_rest.parse_node(found, True), patroni_rest.parse_config(found)


def _rows(raw: bytes) -> object:
    rows = runtime.typed_rows(_text(raw))
    return [(runtime.text(row, "svname"), runtime.whole(row, "scur") if "scur" in row else 0) for row in rows]


def _traveler(raw: bytes) -> object:
    found = traveler._document(raw)
    return traveler._number(found, "index", -200, 100), traveler._text(found, "name"), traveler._lower(found, "status")


def _configuration(folder: Path) -> Callable[[bytes], object]:
    file = folder / "pool.yaml"

    def call(raw: bytes) -> object:
        file.write_bytes(raw)
        return load(file)

    return call


_TOKENS = tokens.Tokens(("viewer",), ("operator",))
_KEY = history.make_key(7, 123)
_RECORD = record.written(LedgerRecord("demo", 3, "db1", Standby.SYNC, "7123456789", 2, "steady", None, 7))
_CLUSTER = json.dumps({"members": [{"name": "db1", "role": "leader", "state": "running", "timeline": 3, "lag": 0,
                                    "host": "10.0.0.1", "port": 5432}], "scope": "demo"}).encode()
_RANGE = json.dumps({"header": {"revision": "7"}, "kvs": [{"key": "L3R1aWhhL2RlbW8vZXBvY2g=", "value": "Mw==",
                                                         "mod_revision": "7", "lease": "12"}], "count": "1"}).encode()
_STATUS = json.dumps({"name": "s1", "pool": "demo", "version": "1", "state": "UP", "target": "UP", "users": 3,
                      "devices": None, "availability_index": 80, "database": "db1", "epoch": 2, "lease_seconds": 4.2,
                      "requests_per_second": 3.5, "latency_ms": 2.0, "started_at": 1e9}).encode()
_TYPED = json.dumps([[{"objType": "Server", "proxyId": 3, "id": 1, "field": {"pos": 1, "name": "svname"},
                       "processNum": 1, "tags": {"origin": "K"}, "value": {"type": "str", "value": "s1"}}]]).encode()
_HERE = "http://127.0.0.1:1/a"
_ANSWERS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    (b"HTTP/1.1 100 Continue\r\n\r\n"
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\nX: y\r\n\r\n"),
    b"HTTP/1.0 503 Service Unavailable\r\nConnection: keep-alive\r\n\r\nlater",
    b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
)
_FETCH = (b"* 1 FETCH (UID 7 RFC822.SIZE 5 INTERNALDATE \" 1-Jan-2024 00:00:00 +0000\" BODY[] "
          b"\0Subject: =?utf-8?b?w6k=?=\r\nFrom: \"A\" <a@b>\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\n\0)")


def targets(folder: Path) -> list[Target]:
    """All of them. `folder` takes the files that a parser reads."""
    example = (Path(__file__).parents[2] / "config" / "pool.example.yaml").read_bytes()
    imap = (wire.ImapError,)
    return [
        Target("IMAP values", lambda raw: values.parse(_parts(raw)), [_FETCH, b'* LIST (\\A) "/" "a\\"b" NIL'], imap),
        Target("IMAP envelope", lambda raw: envelopes.piece(wire.Response(_parts(raw))).envelope(), [_FETCH], imap),
        Target(
            "IMAP header",
            lambda raw: [headers.decoded(one) for one in headers.header_fields(raw).values()],
            [_FETCH[80:]],
            imap,
        ),
        Target(
            "IMAP FETCH",
            _fetched,
            [_FETCH, b"* 1 EXPUNGE", b"* 2 FETCH (FLAGS (\\Seen) UID 8 ENVELOPE (NIL NIL NIL))"],
            (),
        ),
        Target("IMAP SEARCH", _searched, [b"* SEARCH 1 2 7 (MODSEQ 5)", b'* ESEARCH (TAG "a") UID ALL 1:3,9'], ()),
        Target(
            "IMAP IDLE",
            lambda raw: _connection(b"+ go\r\n" + raw),
            [
                b"* 4 EXISTS\r\n* OK Still here\r\n* 2 FETCH (FLAGS ({3}\r\nabc))\r\n* VANISHED 1:2\r\na1 OK done\r\n",
            ],
            (),
        ),
        Target(
            "IMAP BODYSTRUCTURE",
            lambda raw: values.items(wire.Response(_parts(raw)), frozenset({b"UID"})),
            [
                b'* 1 FETCH (BODYSTRUCTURE (("TEXT" "PLAIN" ("CHARSET" \0utf-8\0) NIL NIL "7BIT" 9 1) "MIXED") UID 7)',
            ],
            imap,
        ),
        Target("HAProxy rows", _rows, [_TYPED]),
        Target("HAProxy information", lambda raw: runtime.typed_info(_text(raw)), [_TYPED[1:-1]]),
        Target(
            "HAProxy map",
            lambda raw: [runtime.map_size(_text(raw), "/m"), *haproxy.entries(_text(raw))],
            [b"0x55d anna s1\n0x55e ben\\ n s2"],
        ),
        Target("HTTP answer", _answer, _ANSWERS, (DriverError, EOFError)),
        Target(
            "HTTP redirect", lambda raw: asking.onward(_HERE, raw.decode("latin-1")), [b"/b?c=d", _HERE.encode()]
        ),
        Target("etcd gateway", _etcd, [_RANGE]),
        Target("ledger record", record.parse, [_RECORD], (ValueError,)),
        Target("Patroni", _patroni, [_CLUSTER]),
        Target("server status", pool.parse_status, [_STATUS]),
        Target("server problem", pool._detail, [b'{"title": "no", "detail": "because"}']),
        Target("traveler answer", _traveler, [b'{"index": 80, "name": "t1", "status": "Available"}']),
        Target(
            "JSON pointer",
            lambda raw: http.whole(http.pointed(traveler._document(raw), "/pool/users")),
            [b'{"pool": {"users": 12}}'],
            (DriverError, LookupError),
        ),
        Target("device KEY", lambda raw: history.read_key(_text(raw), 7), [_KEY.encode()], ()),
        Target("inside of a KEY", _inside_key, [base64.urlsafe_b64decode(_KEY + "=" * (-len(_KEY) % 4))], ()),
        Target(
            "Basic user and password",
            lambda raw: users._credentials(f"Basic {base64.b64encode(raw).decode()}"),
            [b"anna:secret"],
            (HttpProblem,),
        ),
        Target(
            "Basic header", lambda raw: users._credentials(_header(raw)), [b"Basic YW5uYTpzZWNyZXQ="], (HttpProblem,)
        ),
        Target("bearer header", lambda raw: _TOKENS.role(_header(raw)), [b"Bearer operator"], ()),
        Target(
            "forwarding marker",
            lambda raw: signatures.Proof("s1", lambda: _TOKENS).holds(_header(raw), "GET /", "x"),
            [b"s1 " + b"a" * 32 + b" " + b"0" * 64],
            (),
        ),
        Target("configuration", _configuration(folder), [example], (ConfigError,)),
    ]
