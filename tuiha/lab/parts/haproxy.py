"""Two sprayers: HAProxy instances that learn from answers which server monitors a user.

An answer names the user's monitoring server in `X-Tuiha-Server`; the sprayer puts it into its map, and the user's
next request goes straight there. A map belongs to one instance. So that the partner knows as well, a stick table
that the peers share keeps the server of every answer that was not forwarded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tuiha.drivers.protocols import DriverError
from tuiha.drivers.sprayers.haproxy import Haproxy
from tuiha.lab.pool.children import ChildCommand
from tuiha.lab.pool.layout import Layout
from tuiha.lab.runtime.binaries import Binaries
from tuiha.model.reports import BackendState

BACKEND = "pool"
_TALK = 2.0  # seconds for one command on a runtime socket

_SERVER = "check inter 200ms fall 2 rise 1 on-marked-down shutdown-sessions"

_CONFIG = """\
global
    maxconn 8000
    nbthread 1
    hard-stop-after 1s
    log stderr format short local0 notice
    stats socket {socket} mode 600 level admin
    stats socket {watched} mode 600 level user

defaults
    mode http
    log global
    option forwardfor
    timeout connect 1s
    timeout client 80s            # a long poll is 55 s, and the pool may hold a request
    timeout server 80s
    timeout http-request 10s
    timeout http-keep-alive 80s
    timeout queue 5s
    timeout check 500ms
    retries 3
    option redispatch 1
    retry-on conn-failure empty-response
    # When no server takes requests: the same answer as a server without a lease gives.
    http-error status 503 content-type application/problem+json string '{problem}' hdr Retry-After %[rand(5),add(1)]

peers sprayers
{peers}

frontend devices
    bind 127.0.0.1:{port}
    # Devices get the device interface alone: control, metrics and health are not for them.
    http-request deny deny_status 404 unless {{ path_beg /v1/ }} || {{ path /openapi.json }}
    # Only sprayers say whose request it is, and only servers that it was forwarded.
    http-request del-header X-Forwarded-For
    http-request del-header X-Tuiha-Forwarded
    http-request del-header X-Tuiha-Client
    default_backend {backend}

backend {backend}
    balance leastconn
    option httpchk
    http-check send meth GET uri /health ver HTTP/1.1 hdr Host pool
    http-check expect status 200

    # Only what may safely happen twice is sent to a second server.
    http-request disable-l7-retry unless {{ method GET PUT }}
    # The user's one name, as far as HAProxy can say it: the pool's rule (users.names), for ASCII letters.
    http-request set-var(txn.user) 'http_auth_user,ltrim(" "),rtrim(" "),lower'
    acl whole      var(txn.user),length le 127  # the stick table cuts a longer name off, and would take two for one
    acl odd        var(txn.user) -m reg [[:cntrl:]]  # the map writes a line break as %0A

    # A full server says how many in a thousand of its users' polls the sprayer is to turn away in its place, and over
    # how many seconds these return: "630:12". That holds for a second; what passes tells the server how many come.
    http-request del-header X-Tuiha-Share
    http-request set-var(txn.full) 'var(txn.user),map_str({map}),map_str({full})'
    http-request set-var(txn.until) 'var(txn.full),field(1,:),add(0)'
    http-request set-var(txn.share) 'var(txn.full),field(2,:),add(0)'
    http-request set-var(txn.spread) 'var(txn.full),field(3,:),add(0)'
    acl crowd      date,sub(txn.until) le 0
    acl poll       method GET
    acl surplus    rand(1000),sub(txn.share) lt 0
    http-request return status 503 {full_problem} {spread} if poll crowd surplus
    http-request set-header X-Tuiha-Share %[var(txn.share)] if poll crowd
    acl named      res.hdr(X-Tuiha-Server) -m found
    acl told       res.hdr(X-Tuiha-Full) -m found
    http-response set-map({full}) %[res.hdr(X-Tuiha-Server)] %[date(1)]:%[res.fhdr(X-Tuiha-Full)] if told named
    http-response set-map({full}) %[srv_name] %[date(1)]:%[res.fhdr(X-Tuiha-Full)] if told !named

    use-server %[var(txn.user),map_str({map})] if {{ var(txn.user),map_str({map}) -m found }}
    stick-table type string len 128 size 1m expire 24h srvkey name peers sprayers
    stick match var(txn.user) if whole
    acl forwarded  res.hdr(X-Tuiha-Forwarded-By) -m found
    stick store-response var(txn.user) if named !forwarded whole
    http-response set-map({map}) %[var(txn.user)] %[res.hdr(X-Tuiha-Server)] if named !odd {{ var(txn.user) -m found }}

{servers}
"""

_PROBLEM = ('{"type":"about:blank","title":"Service Unavailable","status":503,'
            '"detail":"no pool server can take requests now; try again"}')
_FULL = ("content-type application/problem+json string "
         '\'{"type":"about:blank","title":"Service Unavailable","status":503,'
         '"detail":"the pool has more requests than it can answer in time; try again"}\'')
_SPREAD = "hdr Retry-After %[rand(1000),mul(txn.spread),div(1000),add(1)]"


class SprayerError(Exception):
    """A sprayer did not do what it was asked. The text is for people."""


@dataclass(frozen=True, slots=True)
class Sprayers:
    """The two sprayers of one embedded pool."""

    layout: Layout
    ports: Mapping[str, int]  # sprayer -> port for devices
    peer_ports: Mapping[str, int]  # sprayer -> port for its peer

    def socket(self, name: str) -> Path:
        """The runtime socket of one sprayer, for operations."""
        return self.layout.node(name) / "admin.sock"

    def watched(self, name: str) -> Path:
        """The runtime socket of one sprayer that may only be looked at."""
        return self.layout.node(name) / "watch.sock"

    def map(self, name: str) -> Path:
        """The user -> server map of one sprayer: the file that it starts with, and the map's name at run time."""
        return self.layout.node(name) / "users.map"

    def full(self, name: str) -> Path:
        """What full servers said last, by server: a map of one sprayer, too."""
        return self.layout.node(name) / "full.map"

    def write(self, name: str, servers: Mapping[str, int]) -> None:
        """Write one sprayer's configuration for these servers (name -> port), with an empty map."""
        folder = self.layout.node(name)
        text = _CONFIG.format(
            socket=self.socket(name), watched=self.watched(name), map=self.map(name), port=self.ports[name],
            full=self.full(name), backend=BACKEND, problem=_PROBLEM, full_problem=_FULL, spread=_SPREAD,
            peers="\n".join(f"    peer {peer} 127.0.0.1:{port}" for peer, port in self.peer_ports.items()),
            servers="\n".join(f"    server {server} 127.0.0.1:{port} {_SERVER}" for server, port in servers.items()),
        )
        self.layout.write(folder / "haproxy.cfg", text)
        self.layout.write(self.map(name), "")
        self.layout.write(self.full(name), "")

    def command(self, name: str, binaries: Binaries) -> ChildCommand:
        """How one sprayer is started."""
        folder = self.layout.node(name)
        return ChildCommand(
            [str(binaries.haproxy), "-db", "-L", name, "-f", str(folder / "haproxy.cfg")],
            cwd=folder, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        )

    async def add_server(self, name: str, server: str, port: int) -> None:
        """Add a pool server to a running sprayer, with health checks. Raises SprayerError."""
        with _told(name):
            async with asyncio.timeout(_TALK):
                await self._driver(name).add_server(server, f"127.0.0.1:{port}", _SERVER)

    async def states(self, name: str) -> dict[str, bool]:
        """Server -> whether the sprayer sends requests to it. Raises SprayerError."""
        with _told(name):
            async with asyncio.timeout(_TALK):
                report = await self._driver(name).poll()
        return {backend.server: backend.state == BackendState.UP for backend in report.backends}

    def _driver(self, name: str) -> Haproxy:
        return Haproxy(name, f"unix:{self.socket(name)}", BACKEND)


@contextmanager
def _told(name: str) -> Iterator[None]:
    """What goes wrong at a sprayer, in words for people."""
    try:
        yield
    except (DriverError, TimeoutError) as error:
        raise SprayerError(f"{name} does not do what it is told: {error or 'no answer'}") from error
