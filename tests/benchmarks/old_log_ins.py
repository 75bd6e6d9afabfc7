"""`python -m tests.benchmarks.old_log_ins`: how long what no longer lets anybody in at the mail server does so here.

Three servers, no load. A user is removed at the mail server, or gets another password there; all three servers are
asked with the old log-in until all of them refuse it. Removed users are found when the mail server is asked again
(`mail.recheck`, here 5 s); an old password ends with the first log-in by the new one.

"let in" is the time of the last answer to the old log-in, "refused" when every server had refused it: in between the
mail server takes its time to say no. Exit code 1 when one was let in for longer than the setting and one second, or
accepted again.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import yaml

from tests.operate.access.devices import Phone, phones
from tests.until import until
from tuiha.cli.output.table import aligned
from tuiha.config.load import load
from tuiha.lab.embedded import EmbeddedPool
from tuiha.lab.parts import mail
from tuiha.lab.parts.users import DemoUser
from tuiha.lab.pool.layout import Layout
from tuiha.operate.plans.look import answering, look
from tuiha.operate.reach.world import World, open_world

RUNS = 8
RECHECK = 5.0  # seconds
PAUSE = 0.25  # seconds between two requests to a server: no user may send many more
SLACK = 1.0  # seconds, for the question itself
SERVERS = ("s1", "s2", "s3")
HEAD = ["what", "runs", "let in: median", "most", "reach", "refused: median", "most", "reached"]


@asynccontextmanager
async def pool() -> AsyncIterator[tuple[EmbeddedPool, World]]:
    """A pool whose servers ask mail servers again soon."""
    async with EmbeddedPool(servers=len(SERVERS), users=30, load=False) as embedded:
        document = yaml.safe_load(embedded.config_path.read_text())
        for cluster in document["mail"]:
            cluster["recheck"] = RECHECK
        embedded.config_path.write_text(yaml.safe_dump(document))
        for name in SERVERS:
            await embedded.kill(name)
            await embedded.start(name)
        async with open_world(load(embedded.config_path), embedded.folder) as world:
            async def whole() -> bool:
                found = answering(await look(world)).values()
                return len(found) == len(SERVERS) and all(server.lease_seconds for server in found)

            await until(whole)
            yield embedded, world


async def statuses(phone: Phone) -> set[int]:
    """What each server answers to this log-in."""
    return {(await phone.ask("GET", server, "/v1/me")).status for server in SERVERS}


async def comes_to(phone: Phone, server: str, status: int) -> float:
    """Ask a server until it answers so, and no longer: what is refused counts as a guess. When it answered else."""
    last = time.monotonic()
    while (await phone.ask("GET", server, "/v1/me")).status != status:
        last = time.monotonic()
        await asyncio.sleep(PAUSE)
    return last


async def refused(phone: Phone) -> tuple[float, float]:
    """Seconds until a server let it in for the last time, and until no server does."""
    began = time.monotonic()
    last = max(await asyncio.gather(*(comes_to(phone, server, 401) for server in SERVERS)))
    return last - began, time.monotonic() - began


async def one(lab: mail.Mail, phone: Phone, known: DemoUser, *, removed: bool) -> tuple[float, float]:
    """Let somebody in everywhere, end the log-in at the mail server, and wait until no server takes it."""
    await mail.set_user(lab, known)
    await asyncio.gather(*(comes_to(phone, server, 200) for server in SERVERS))
    if removed:
        await mail.remove_user(lab, known)
        took = await refused(phone)
    else:
        changed = replace(phone, password=f"{known.password}-new")
        await mail.set_user(lab, replace(known, password=changed.password))
        assert (await changed.ask("GET", SERVERS[0], "/v1/me")).status == 200
        took = await refused(phone)
        assert await statuses(changed) == {200}
    await asyncio.sleep(0.5)
    assert await statuses(phone) == {401}, "refused, and then let in again"
    return took


async def main() -> int:
    """Measure and print."""
    found: dict[str, list[tuple[float, float]]] = {}
    async with pool() as (embedded, world), phones(world) as (session, addresses):
        lab = mail.Mail(Layout(embedded.folder), {})
        for what, removed in (("removed user", True), ("old password, after the new one", False)):
            for run in range(RUNS):
                known = DemoUser(f"guest-{int(removed)}-{run}", f"secret-{run}", next(iter(mail.CLUSTERS)))
                phone = Phone(session, addresses, known.name, known.password)
                found.setdefault(what, []).append(await one(lab, phone, known, removed=removed))
    reach = dict(zip(found, (RECHECK + SLACK, SLACK), strict=True))
    rows, good = [], True
    for what, took in found.items():
        let_in, until = zip(*took, strict=True)
        reached = max(let_in) <= reach[what]
        good &= reached
        rows.append([what, str(len(took)), f"{statistics.median(let_in):.2f} s", f"{max(let_in):.2f} s",
                     f"{reach[what]:g} s", f"{statistics.median(until):.2f} s", f"{max(until):.2f} s",
                     "yes" if reached else "NO"])
    sys.stdout.write("\n".join(aligned([HEAD, *rows], range(1, 7))) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
