"""`python -m tests.benchmarks.requests`: how many device requests a second one pool server answers. Two minutes.

Each request is a poll that finds nothing and does not wait. `bare` is an aiohttp handler that answers as many bytes and
does nothing: what the library allows on the same core. `refused` is told when to come again, unread. `direct` asks the
user's server, `forwarded` the other one, and `sprayer` the entry point. Three rounds alternate. The pool server and the
two small ones have one core, all else has the other, and the load's share of that is printed: the load must not be what
is measured.

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
import psutil

from tests.benchmarks.mail_pool import HERE, pool_of
from tuiha.cli.output.table import aligned
from tuiha.config.load import load
from tuiha.lab.load.devices import read_users
from tuiha.lab.pool.control import LabControl, State

USERS, CONNECTIONS, SECONDS, ROUNDS = 200, 32, 4.0, 3
KINDS = ("bare", "refused", "direct", "forwarded", "sprayer")
# reach: what, of what
REACH = {"direct": (0.3, "bare"), "forwarded": (0.7, "direct"), "sprayer": (0.8, "direct")}
CHEAPER = 20.0  # reach: so many times less of a processor for a refusal than for an answer

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


_REFUSING = """
import asyncio, sys
from aiohttp import web
from tuiha.config.pace import Limits
from tuiha.server.http.guard import Guard, GuardedSite
from tuiha.server.http.marks import TurnedAway
async def main():
    runner = web.AppRunner(web.Application(), access_log=None)
    await runner.setup()
    site = GuardedSite(runner, Guard(Limits(), sheds=lambda _: TurnedAway(7, "0:2")), "127.0.0.1", 0, None)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
asyncio.run(main())
"""


@dataclass(frozen=True)
class Target:
    """Where to ask, the requests to send there in turn, and whose work they are."""

    host: str
    port: int
    requests: Sequence[bytes]
    processes: Sequence[int] = ()
    wanted: bytes = b"200"


@dataclass(frozen=True)
class Figures:
    """Of one round."""

    rate: float  # good answers a second
    wrong: int
    load: float  # share of one core that asking took
    cost: float  # seconds of a processor that the servers took for one


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
        if head[9:12] == target.wanted:
            good += 1
        else:
            wrong += 1
    writer.close()
    return good, wrong


async def measure(target: Target, seconds: float) -> Figures:
    """Ask on a few connections for so long, one request after the other on each."""
    began, used, worked = time.monotonic(), time.process_time(), _worked(target)
    found = await asyncio.gather(*(_ask(target, n, began + seconds) for n in range(CONNECTIONS)))
    took, used = time.monotonic() - began, time.process_time() - used
    good = sum(good for good, _ in found)
    wrong = sum(wrong for _, wrong in found)
    return Figures(good / took, wrong, used / took, (_worked(target) - worked) / max(1, good))


def _worked(target: Target) -> float:
    times = [psutil.Process(process).cpu_times() for process in target.processes]
    return sum(one.user + one.system for one in times)


def _request(path: str, name: str, password: str) -> bytes:
    login = base64.b64encode(f"{name}:{password}".encode()).decode()
    return f"GET {path} HTTP/1.1\r\nHost: pool\r\nAuthorization: Basic {login}\r\n\r\n".encode()


async def targets(pool: LabControl) -> dict[str, Target]:
    """Register a device for each user; where those of one server are asked directly, forwarded, and by the sprayer."""
    settings = load(pool.config_path)
    one, other = settings.servers[0], settings.servers[-1]
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
    state = await pool.state()
    mine, both = [process_of(state, one.name)], [process_of(state, name) for name in {one.name, other.name}]
    places = {"direct": (one.address, mine), "forwarded": (other.address, both),
              "sprayer": (f"//{settings.sprayers[0].address}", mine)}
    found = {}
    for kind, (address, processes) in places.items():
        host, _, port = address.rpartition("/")[2].rpartition(":")
        found[kind] = Target(host, int(port), requests, processes)
    return found


def process_of(state: State, name: str) -> int:
    """The process of a running part of a pool."""
    process = state.part(name).pid
    assert process is not None, "it runs"
    return process


@asynccontextmanager
async def _program(text: str, wanted: bytes = b"200") -> AsyncIterator[Target]:
    """A small server in a process of its own, on the first core."""
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", text, stdin=asyncio.subprocess.PIPE,
                                                 stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdin is not None
    try:
        port = int(await child.stdout.readline())
        _pin(child.pid, {0})
        yield Target("127.0.0.1", port, [_request("/v1/devices/phone/changes?wait=0", "u", "p")], [child.pid], wanted)
    finally:
        child.stdin.close()
        await child.wait()


async def pinned(pool: LabControl) -> None:
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
        bare = await stack.enter_async_context(_program(_BARE))
        refused = await stack.enter_async_context(_program(_REFUSING, b"503"))
        places: dict[str, dict[str, Target]] = {}
        for version, checkout in checkouts.items():
            pool = await stack.enter_async_context(pool_of(checkout, 2, USERS))
            places[version] = {"bare": bare, "refused": refused, **await targets(pool)}
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
        costs = {kind: statistics.median(one.cost for one in figures) for kind, figures in kinds.items()}
        good &= version != "this" or costs["direct"] >= CHEAPER * costs["refused"]
        for kind, figures in kinds.items():
            reach, of = REACH.get(kind, (0.0, kind))
            share = rates[kind] / rates[of]
            wrong = sum(one.wrong for one in figures)
            good &= version != "this" or (share >= reach and not wrong)
            rows.append([version, kind, f"{rates[kind]:,.0f}", f"{share:.2f} of {of}" if reach else "",
                         f"{reach:g}" if reach else "", f"{1e6 * costs[kind]:,.0f} µs", str(wrong),
                         f"{max(one.load for one in figures):.0%}"])
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
    head = ["version", "asked", "answers a second", "share", "reach", "processor for one", "others", "load's core"]
    sys.stdout.write("\n".join(aligned([head, *rows], right=[2, 3, 4, 5, 6, 7])) + "\n")
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
