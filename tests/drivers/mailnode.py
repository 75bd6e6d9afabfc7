"""A node of a mail cluster: pymap on Valkey. `python mailnode.py PORT VALKEY_URL [CERTIFICATE KEY]`."""

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace
from contextlib import AsyncExitStack

from pymap.backend.redis import Config, Login, RedisBackend
from pymap.health import HealthStatus
from pymap.imap import IMAPService
from pysasl.hashing import Cleartext


async def main(port: str, valkey: str, certificate: str | None = None, key: str | None = None) -> None:
    arguments = Namespace(
        host=["127.0.0.1"], port=port, debug=False, cert=certificate, key=key, tls=certificate is not None,
        proxy_protocol=None, passlib_cfg=None, inherited_sockets=None, address=valkey, data_address=None,
        separator="/", prefix="/mail", users_prefix="/users",
    )
    config = Config.from_args(arguments, hash_context=Cleartext(), invalid_user_sleep=0.01)
    status = HealthStatus(name="redis")
    backend = RedisBackend(Login(config, status), config, status)
    config.apply_context()
    async with AsyncExitStack() as stack:
        await backend.start(stack)
        await IMAPService(backend, config).start(stack)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
