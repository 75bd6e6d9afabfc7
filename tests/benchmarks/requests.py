"""`python -m tests.benchmarks.requests`: how many device requests a second one pool server answers. Two minutes.

Each request is a poll that finds nothing and does not wait. `bare` is an aiohttp handler that answers as many bytes and
does nothing: what the library allows on the same core. `direct` asks the user's server, `forwarded` the other one, and
`sprayer` the entry point. Three rounds alternate. The pool servers and the bare handler have one core, all else has the
other, and the load's share of that is printed: the load must not be what is measured.

`--checkout PATH` measures another version's servers beside these, in the same rounds: the control. Exit code 1 when
something is out of reach.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tests.benchmarks.mail_pool import HERE, pool_of
from tuiha.cli.table import aligned
from tuiha.config.load import load
from tuiha.lab.control import Control
from tuiha.lab.load.devices import read_users

USERS, CONNECTIONS, SECONDS, ROUNDS = 200, 32, 4.0, 3
KINDS = ("bare", "direct", "forwarded", "sprayer")
# reach: what, of what
REACH = {"direct": (0.3, "bare"), "forwarded": (0.7, "direct"), "sprayer": (0.8, "direct")}

_BARE = """
import asyncio, sys
from aiohttp import web
async def answer(request):
    return web.json_response({"key": "1-1-0123456789abcdef", "changes": [], "more": False})
async def main():
    app = web.Application()
    app.add_routes([web.get("/v1/devices/{device}/changes", answer)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
asyncio.run(main())
"""


@dataclass(frozen=True)
class Target:
    """Where to ask, and the requests to send there in turn."""

    host: str
    port: int
    requests: Sequence[bytes]


@dataclass(frozen=True)
class Figures:
    """Of one round."""

    rate: float  # good answers a second
    wrong: int
    load: float  # share of one core that asking took


async def _ask(target: Target, share: int, until: float) -> tuple[int, int]:
    """Good answers and others on one connection. A request is sent when the one before is answered."""
    good = wrong = 0
    reader, writer = await asyncio.open_connection(target.host, target.port)
    number = share
    while time.monotonic() < until:
        writer.write(target.requests[number % len(target.requests)])
        number += CONNECTIONS
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        if b" 200 " in head[:15]:
            good += 1
        else:
            wrong += 1
    writer.close()
    return good, wrong


async def measure(target: Target, seconds: float) -> Figures:
    """Ask on a few connections for so long, one request after the other on each."""
    began, used = time.monotonic(), time.process_time()
    found = await asyncio.gather(*(_ask(target, n, began + seconds) for n in range(CONNECTIONS)))
    took, used = time.monotonic() - began, time.process_time() - used
    return Figures(sum(good for good, _ in found) / took, sum(wrong for _, wrong in found), used / took)


def _request(path: str, name: str, password: str) -> bytes:
    login = base64.b64encode(f"{name}:{password}".encode()).decode()
    return f"GET {path} HTTP/1.1\r\nHost: pool\r\nAuthorization: Basic {login}\r\n\r\n".encode()


async def targets(pool: Control) -> dict[str, Target]:
    """Register a device for each user; where those of one server are asked directly, forwarded, and by the sprayer."""
    settings = load(pool.config_path)
    one, other = settings.servers[:2]
    requests: list[bytes] = []
    async with aiohttp.ClientSession() as session:
        for user in read_users(pool.users_path.read_text())[:USERS]:
            headers = {"Authorization": aiohttp.encode_basic_auth(user.name, user.password)}
            url = f"{one.address}/v1/devices/phone"
            async with session.put(url, json={"kind": "phone"}, headers=headers) as answer:
                answer.raise_for_status()
                key, server = (await answer.json())["key"], answer.headers["X-Tuiha-Server"]
            if server == one.name:
                path = f"/v1/devices/phone/changes?since={key}&wait=0"
                requests.append(_request(path, user.name, user.password))
    places = {"direct": one.address, "forwarded": other.address, "sprayer": f"//{settings.sprayers[0].address}"}
    found = {}
    for kind, address in places.items():
        host, _, port = address.rpartition("/")[2].rpartition(":")
        found[kind] = Target(host, int(port), requests)
    return found


@asynccontextmanager
async def _bare() -> AsyncIterator[tuple[Target, int]]:
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", _BARE, stdin=asyncio.subprocess.PIPE,
                                                 stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdin is not None
    try:
        port = int(await child.stdout.readline())
        yield Target("127.0.0.1", port, [_request("/v1/devices/phone/changes?wait=0", "u", "p")]), child.pid
    finally:
        child.stdin.close()
        await child.wait()


async def pinned(pool: Control) -> None:
    """The first server has core 0; whatever else there is has the other."""
    state = await pool.state()
    for part in state.parts:
        if part.pid is not None:
            _pin(part.pid, {0} if part.name == "s1" else {1})


def _pin(process: int, cores: set[int]) -> None:
    for thread in os.listdir(f"/proc/{process}/task"):
        os.sched_setaffinity(int(thread), cores)


async def run(checkouts: dict[str, Path]) -> dict[str, dict[str, list[Figures]]]:
    """Rounds of all kinds, of every version in turn."""
    os.sched_setaffinity(0, {1})
    found: dict[str, dict[str, list[Figures]]] = {}
    async with AsyncExitStack() as stack:
        bare, process = await stack.enter_async_context(_bare())
        _pin(process, {0})
        places: dict[str, dict[str, Target]] = {}
        for version, checkout in checkouts.items():
            pool = await stack.enter_async_context(pool_of(checkout, 2, USERS))
            places[version] = {"bare": bare, **await targets(pool)}
            await pinned(pool)
        for _ in range(ROUNDS):
            for version, asked in places.items():
                for kind in KINDS:
                    await measure(asked[kind], 1.0)
                    figures = await measure(asked[kind], SECONDS)
                    found.setdefault(version, {}).setdefault(kind, []).append(figures)
                    sys.stderr.write(f"{version:8} {kind:10} {figures.rate:6.0f} a second\n")
    return found


def _rows(found: dict[str, dict[str, list[Figures]]]) -> tuple[list[list[str]], bool]:
    rows, good = [], True
    for version, kinds in found.items():
        rates = {kind: statistics.median(one.rate for one in figures) for kind, figures in kinds.items()}
        for kind, figures in kinds.items():
            reach, of = REACH.get(kind, (0.0, kind))
            share = rates[kind] / rates[of]
            wrong = sum(one.wrong for one in figures)
            good &= version != "this" or (share >= reach and not wrong)
            rows.append([version, kind, f"{rates[kind]:,.0f}", f"{share:.2f} of {of}" if reach else "",
                         f"{reach:g}" if reach else "", str(wrong), f"{max(one.load for one in figures):.0%}"])
    return rows, good


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkout", type=Path, help="another version's folder (a git worktree), in the same rounds")
    arguments = parser.parse_args()
    checkouts = {"this": HERE}
    if arguments.checkout is not None:
        checkouts = {"control": arguments.checkout.resolve(), **checkouts}
    found = asyncio.run(run(checkouts))
    rows, good = _rows(found)
    head = ["version", "asked", "answers a second", "share", "reach", "others", "load's core"]
    sys.stdout.write("\n".join(aligned([head, *rows], right=[2, 3, 4, 5, 6])) + "\n")
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
