"""`python -m tests.benchmarks.waiting`: the memory that a device costs a pool server while it waits for changes.

One pool server, a crowd of devices, each with a long poll on a connection of its own. Printed: kilobytes of the
server's own memory (unique set size) for one more of them, and what a waiting poll costs of a processor: nothing, or it
would be no waiting. `--checkout PATH` measures another version's server beside this one. Two minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.benchmarks.mail_pool import HERE, pool_of
from tests.benchmarks.requests import process_of
from tuiha.cli.output.table import aligned
from tuiha.config.load import load
from tuiha.lab.load.devices import LoadUser, read_users
from tuiha.lab.pool.control import LabControl

USERS, DEVICES = 40, 50
WAIT = 50.0  # seconds
REST = 10.0  # seconds over which the processor is looked at
AT_ONCE = 16  # registrations


@dataclass(frozen=True)
class Figures:
    """Of one version."""

    devices: int
    kilobytes: float  # for one
    share: float  # of a processor, for all of them


class Crowd:
    """Devices with a poll each."""

    def __init__(self, host: str, port: int) -> None:
        self._place = host, port
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._open: list[asyncio.StreamWriter] = []

    async def register(self, user: LoadUser, device: str) -> str:
        """The key of a device. Raises ValueError when it is not let in."""
        async with self._turn:
            reader, writer = await asyncio.open_connection(*self._place)
            body = b'{"kind": "phone"}'
            writer.write(_request("PUT", f"/v1/devices/{device}", user, f"Content-Length: {len(body)}\r\n") + body)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            answer = (await reader.readexactly(length)).decode()
            writer.close()
        if head[9:11] != b"20":
            raise ValueError(answer)
        return answer.partition('"key": "')[2].partition('"')[0]

    async def wait(self, user: LoadUser, device: str, key: str) -> None:
        """Begin its poll."""
        async with self._turn:
            _, writer = await asyncio.open_connection(*self._place)
            writer.write(_request("GET", f"/v1/devices/{device}/changes?since={key}&wait={WAIT:.0f}", user))
            await writer.drain()
        self._open.append(writer)

    def leave(self) -> None:
        """Close all."""
        for writer in self._open:
            writer.close()


def _request(method: str, path: str, user: LoadUser, more: str = "") -> bytes:
    login = base64.b64encode(f"{user.name}:{user.password}".encode()).decode()
    return f"{method} {path} HTTP/1.1\r\nHost: pool\r\nAuthorization: Basic {login}\r\n{more}\r\n".encode()


async def measure(pool: LabControl) -> Figures:
    """Register all, then have all wait."""
    server = load(pool.config_path).servers[0]
    host, _, port = server.address.rpartition("/")[2].rpartition(":")
    crowd = Crowd(host, int(port))
    process = psutil.Process(process_of(await pool.state(), server.name))
    all_devices = [(user, f"phone{number}") for user in read_users(pool.users_path.read_text())[:USERS]
                   for number in range(DEVICES)]
    keys = await asyncio.gather(*(crowd.register(user, device) for user, device in all_devices))
    await asyncio.sleep(REST)
    before = process.memory_full_info().uss
    await asyncio.gather(*(crowd.wait(user, device, key)
                           for (user, device), key in zip(all_devices, keys, strict=True)))
    await asyncio.sleep(REST / 2)  # all have come in
    after = process.memory_full_info().uss
    worked = process.cpu_times()
    await asyncio.sleep(REST)
    now = process.cpu_times()
    crowd.leave()
    share = (now.user + now.system - worked.user - worked.system) / REST
    return Figures(len(keys), (after - before) / 1024 / len(keys), share)


async def run(checkouts: Sequence[tuple[str, Path]]) -> list[list[str]]:
    """A line for each version."""
    lines = []
    for version, checkout in checkouts:
        async with pool_of(checkout, 1, USERS) as pool:
            found = await measure(pool)
        lines.append([version, f"{found.devices:,}", f"{found.kilobytes:.1f} kB", f"{found.share:.1%}"])
    return lines


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkout", type=Path, help="another version's folder (a git worktree)")
    arguments = parser.parse_args()
    checkouts = [("this", HERE)]
    if arguments.checkout is not None:
        checkouts.insert(0, ("control", arguments.checkout.resolve()))
    lines = asyncio.run(run(checkouts))
    head = ["version", "devices that wait", "memory of one", "processor for all"]
    sys.stdout.write("\n".join(aligned([head, *lines], right=[1, 2, 3])) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
