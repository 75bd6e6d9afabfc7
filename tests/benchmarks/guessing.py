"""Honest first log-ins beside 400 guesses in flight: `python -m tests.benchmarks.guessing [CHECKOUT]`.

An embedded pool with three pool servers, from this checkout or another one (the code of before, as control). Honest
users log in for the first time, first in quiet and then while guesses at names that exist and names that do not are in
flight, all from one address. Then one user's password is guessed over all servers and spellings for some seconds.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import aiohttp

from tuiha.config.load import load
from tuiha.lab.load.devices import LoadUser, read_users
from tuiha.lab.pool.layout import Layout

IN_FLIGHT = 400
USERS = 240
HONEST = 60  # users in quiet, and as many again beside the guesses
SECONDS = 20.0
_HERE = Path(__file__).parents[2]
_POOL = """
import asyncio, sys
from tuiha.lab.embedded import EmbeddedPool
async def main():
    async with EmbeddedPool(servers=3, users=int(sys.argv[1]), load=False) as pool:
        print(pool.folder, flush=True)
        await asyncio.to_thread(sys.stdin.read)
asyncio.run(main())
"""


@asynccontextmanager
async def embedded(checkout: Path) -> AsyncIterator[Path]:
    """A pool of that code: its folder."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _POOL, str(USERS), cwd=checkout, stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(180):
            folder = (await process.stdout.readline()).decode().strip()
        yield Path(folder)
    finally:
        process.stdin.close()
        await process.wait()


class Door:
    """The pool servers, as devices reach them."""

    def __init__(self, session: aiohttp.ClientSession, addresses: Sequence[str]) -> None:
        self._session = session
        self._addresses = addresses

    async def knock(self, name: str, password: str, server: int) -> int:
        """Log in; the status."""
        url = f"{self._addresses[server % len(self._addresses)]}/v1/me"
        headers = {"Authorization": aiohttp.encode_basic_auth(name, password)}
        async with self._session.get(url, headers=headers) as answer:
            await answer.read()
            return answer.status


async def honest(door: Door, users: Sequence[LoadUser]) -> list[float]:
    """Seconds of each user's first log-in, one after another; what is told to ask again does."""
    found = []
    for number, user in enumerate(users):
        began = time.monotonic()
        for _ in range(100):
            if await door.knock(user.name, user.password, number) == 200:
                break
            await asyncio.sleep(0.2)
        found.append(time.monotonic() - began)
        await asyncio.sleep(0.1)
    return found


async def guess(door: Door, names: Sequence[str], counts: Counter[int], until: float, number: int) -> None:
    """Guess until it is time."""
    random, server = Random(number), number
    while time.monotonic() < until:
        name = random.choice(names) if number % 2 else f"nobody{random.randrange(10**9)}"
        counts[await door.knock(name, f"guess{random.random()}", server)] += 1
        server += 1


async def spelled(door: Door, victim: str, seconds: float) -> Counter[int]:
    """What comes of guesses at one user by all spellings at all servers."""
    counts: Counter[int] = Counter()
    until = time.monotonic() + seconds

    async def one(number: int) -> None:
        random = Random(number)
        while time.monotonic() < until:
            name = "".join(random.choice((letter.upper(), letter)) for letter in victim)
            counts[await door.knock(name, f"guess{random.random()}", number)] += 1

    await asyncio.gather(*(one(number) for number in range(30)))
    return counts


def p95(seconds: Sequence[float]) -> float:
    """The value that 95 of 100 do not pass."""
    return statistics.quantiles(seconds, n=20)[-1]


async def _main(checkout: Path) -> None:
    async with embedded(checkout) as folder, aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=60)) as session:
        layout = Layout(folder)
        door = Door(session, [server.address for server in load(layout.config).servers])
        users = read_users(layout.users.read_text())
        await honest(door, users[-5:])  # warm
        quiet = await honest(door, users[:HONEST])
        counts: Counter[int] = Counter()
        names = [user.name for user in users[2 * HONEST:-10]]
        until = time.monotonic() + SECONDS
        guesses: list[Awaitable[None]] = [guess(door, names, counts, until, n) for n in range(IN_FLIGHT)]
        flood = asyncio.gather(*guesses)
        await asyncio.sleep(2.0)
        beside = await honest(door, users[HONEST : 2 * HONEST])
        await flood
        told = await spelled(door, users[-7].name, SECONDS)
        sys.stdout.write(
            f"{checkout}: {IN_FLIGHT} guesses in flight, answers {dict(counts)}\n"
            f"honest first log-ins, p95: quiet {p95(quiet) * 1000:.0f} ms, beside guesses {p95(beside) * 1000:.0f} ms\n"
            f"medians: {statistics.median(quiet) * 1000:.0f} ms, {statistics.median(beside) * 1000:.0f} ms\n"
            f"one user guessed at for {SECONDS:.0f} s, three servers, all spellings: {dict(told)} (401: looked at)\n")


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else _HERE))
