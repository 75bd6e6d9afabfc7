"""One mail server of the embedded pool: a pymap node on a shared Valkey. Run as `python -m tuiha.lab.parts.mailnode`.

Two nodes on the same Valkey database hold the same mailboxes: a mail cluster.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import logging
import os
from argparse import Namespace
from contextlib import AsyncExitStack
from functools import cached_property
from typing import Any

from pymap.backend.redis import Config, Identity, Login, RedisBackend
from pymap.backend.redis import mailbox as redis_mailbox
from pymap.backend.redis.mailbox import MailboxData
from pymap.bytes import BytesFormat, HashStream
from pymap.concurrent import Subsystem
from pymap.exceptions import AuthorizationFailure
from pymap.health import HealthStatus
from pymap.imap import IMAPService
from pysasl import SASLAuth
from pysasl.hashing import Cleartext
from redis.asyncio import Redis  # type: ignore[import-untyped]
from redis.exceptions import RedisError  # type: ignore[import-untyped]

from tuiha.lab.parts.mailtrouble import Troubles

_log = logging.getLogger("tuiha.lab.parts.mailnode")
_RETRY = 0.2  # seconds between attempts to follow Valkey


class ContentHash(HashStream):
    """The name under which a message's content is kept: SHA-256 of it.

    pymap takes adler32, which is the same for many short messages; two of a user's messages would share one content.
    """

    __slots__ = ["_sha"]

    def __init__(self) -> None:
        super().__init__()
        self._sha = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Take in some of the content."""
        self._sha.update(data)

    def digest(self, data: Any = None) -> bytes:
        """The name."""
        if data is not None:
            data.write(self)
        return self._sha.digest()


class NodeConfig(Config):
    """pymap's settings for the embedded pool."""

    @cached_property
    def tls_auth(self) -> SASLAuth:
        """The log-in mechanisms; pymap looks them up among all installed packages for every connection."""
        return SASLAuth.defaults()


class NodeLogin(Login):
    """Log-ins whose sessions share the node's connections to Valkey.

    As shipped, each opens two and keeps them: a fifth of what a log-in costs, and a cluster's users come all at once
    when its other server is lost.
    """

    def __init__(self, config: Config, status: HealthStatus) -> None:
        super().__init__(config, status)
        self.troubles = Troubles(lambda name: self._user_redis.get(config._users_root.end(name.encode())))

    @classmethod
    async def _connect(cls, stack: AsyncExitStack, redis: Any, status: HealthStatus) -> Any:
        status.set_healthy()
        return redis

    async def authorize(self, authenticated: Any, authzid: str) -> Identity:
        """Let somebody act for a user that there is; as shipped, an administrator may act for any name."""
        identity = await super().authorize(authenticated, authzid)
        if not await self.troubles.let_in(authzid):
            raise AuthorizationFailure
        return identity


def quick_formats() -> None:
    """Have several values put into an answer without asking first whether they are one.

    pymap asks by two runtime protocols, which before Python 3.12 is a tenth of what a log-in costs.
    """
    shipped = BytesFormat.__mod__

    def mod(self: BytesFormat, other: Any) -> bytes:
        return self.format(other) if type(other) is tuple else shipped(self, other)

    BytesFormat.__mod__ = mod  # type: ignore[method-assign]


class Arrivals:
    """Wakes idle connections when their mailbox changes, by one subscription for the whole node.

    As shipped, each idle connection asks Valkey every second: new mail and the end of IDLE wait up to a second, and
    every idle user costs processor time.
    """

    def __init__(self, url: str, database: int) -> None:
        self._url = url
        self._prefix = f"__keyspace@{database}__:"
        self._waiting: dict[str, set[Any]] = {}

    async def follow(self) -> None:
        """Follow changes for ever; connects again when Valkey was away."""
        while True:
            try:
                await self._follow_once()
            except (RedisError, OSError) as error:
                _log.warning("the subscription to Valkey ended: %s", error)
            self._wake_all()  # whatever happened meanwhile was not heard
            await asyncio.sleep(_RETRY)

    async def _follow_once(self) -> None:
        async with Redis.from_url(self._url) as redis, redis.pubsub() as subscription:
            await subscription.psubscribe(self._prefix + "*")
            async for message in subscription.listen():
                if message["type"] == "psubscribe":
                    self._wake_all()
                elif message["type"] == "pmessage":
                    self._wake(message["channel"].decode().removeprefix(self._prefix))

    def _wake(self, key: str) -> None:
        for event in list(self._waiting.get(key, ())):
            event.set()

    def _wake_all(self) -> None:
        for key in list(self._waiting):
            self._wake(key)

    async def wait(self, mailbox: Any, last: Any, done: Any) -> None:
        """Wait until the mailbox has changes after `last`, or the connection ends its IDLE."""
        key = bytes(mailbox._keys.changes).decode()
        either = done.or_event()
        waiting = self._waiting.setdefault(key, set())
        waiting.add(either)  # before the look, so that nothing slips through between
        try:
            if not done.is_set() and not await mailbox._redis.xread({mailbox._keys.changes: last}, count=1):
                await either._event.wait()
        finally:
            waiting.discard(either)
            if not waiting and self._waiting.get(key) is waiting:
                del self._waiting[key]

    def install(self) -> None:
        """Make all mailboxes of this process wait this way."""
        arrivals = self

        async def update_selected(self: Any, selected: Any, *, wait_on: Any = None) -> Any:
            last = selected.mod_sequence
            if last is None:
                await self._load_initial(selected)
                return selected
            if wait_on is not None:
                await arrivals.wait(self, last, wait_on)
            await self._load_updates(selected, last)
            return selected

        MailboxData.update_selected = update_selected  # type: ignore[method-assign]


def _settings(port: int, url: str) -> NodeConfig:
    arguments = Namespace(
        host=["127.0.0.1"], port=port, debug=False, cert=None, key=None, tls=False, proxy_protocol=None,
        passlib_cfg=None, inherited_sockets=None, address=url, data_address=None,
        separator="/", prefix="/mail", users_prefix="/users",
    )
    return NodeConfig.from_args(
        arguments,
        hash_context=Cleartext(),  # hashing would be most of a log-in's cost, and protect nothing here
        cpu_subsystem=Subsystem.for_asyncio(),
        invalid_user_sleep=0.05,
    )


async def serve(name: str, port: int, socket: str, database: int) -> None:
    """Serve IMAP on a loopback port for ever."""
    os.environ["FQDN"] = name  # in the greeting; without it every connection asks the resolver
    url = f"unix://{socket}?db={database}"
    config = _settings(port, url)
    status = HealthStatus(name="redis")
    login = NodeLogin(config, status)
    backend = RedisBackend(login, config, status)
    config.apply_context()
    redis_mailbox.HashStream = ContentHash  # type: ignore[attr-defined]
    quick_formats()
    arrivals = Arrivals(url, database)
    arrivals.install()
    login.troubles.install()
    async with AsyncExitStack() as stack:
        await backend.start(stack)
        await IMAPService(backend, config).start(stack)
        await arrivals.follow()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m tuiha.lab.parts.mailnode", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("port", type=int)
    parser.add_argument("socket", help="Valkey's unix socket")
    parser.add_argument("database", type=int, help="number of the Valkey database that holds the mailboxes")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    asyncio.run(serve(arguments.name, arguments.port, arguments.socket, arguments.database))


if __name__ == "__main__":
    main()
