"""`python -m tests.benchmarks.quiet_cut`: a firewall that forgets quiet connections, 300 users. Six minutes.

A fault proxy in each way from a pool server to a mail server resets all connections that are quiet, at once and every
20 s, for five minutes; probes are answered meanwhile. Printed: how often a mail server was judged gone, the longest
time in which not everybody was connected, the log-ins, and the most of them in a second at one pool server.

`--checkout PATH` runs another version's servers: the control. Exit code 1 when something is out of reach.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.mail_pool import HERE, crowded, first_cluster, pool_of
from tuiha.cli.output.table import aligned
from tuiha.config.load import load
from tuiha.lab.drill.network import Link
from tuiha.lab.drill.observation.mailwatch import MailSample, judge
from tuiha.lab.drill.wires import wire
from tuiha.lab.load.devices import read_users

SERVERS = 3
AGAIN = 5.0  # reach: seconds until everybody is connected again
HEAD = ["users", "cuts", "cut", "gone", "all connected again after", "log-ins", "most in a second", ""]


def most_in_a_second(samples: Sequence[MailSample], since: float) -> int:
    """The most log-ins of one pool server between two samples that are about a second apart."""
    found = 0
    for name in {sample.server for sample in samples}:
        mine = [sample for sample in samples if sample.server == name and sample.at >= since]
        for first in mine:
            later = next((one for one in mine if one.at >= first.at + 1.0), None)
            found = max(found, later.logins - first.logins) if later is not None else found
    return found


async def run(checkout: Path, users: int, every: float, minutes: float) -> int:
    """Cut, and print what came of it; 1 when something is out of reach."""
    async with pool_of(checkout, SERVERS, users) as pool:
        settings = load(pool.config_path)
        links = [Link(server.name, mail.name) for server in settings.servers for cluster in settings.mail
                 for mail in cluster.servers]
        wired = await wire(pool, settings, links, ())
        try:
            everybody = read_users(pool.users_path.read_text())
            async with crowded(pool, everybody, first_cluster(pool)) as scene:
                scene.watch.begin()
                began = time.monotonic()
                for link in wired.network.links:
                    await wired.network.hurt(link, lambda proxy: proxy.quiet(every))
                await asyncio.sleep(minutes * 60.0)
                for link in wired.network.links:
                    await wired.network.hurt(link, lambda proxy: proxy.mend())
                await asyncio.sleep(AGAIN + 1.0)
                figures = judge(scene.watch.samples, began, time.monotonic(), 0, len(scene.watch.gone()))
                cut = sum(wired.network.quieted(link) for link in wired.network.links)
                burst = most_in_a_second(scene.watch.samples, began)
        finally:
            await wired.network.close()
    good = not figures.gone and figures.apart <= AGAIN
    row = [str(users), str(int(minutes * 60 // every)), str(cut), str(figures.gone), f"{figures.apart:.1f} s",
           str(figures.logins), str(burst), "" if good else "OUT OF REACH"]
    sys.stdout.write("\n".join(aligned([HEAD, row], right=range(7))) + "\n")
    return int(not good)


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkout", type=Path, default=HERE, help="another version's folder (a git worktree)")
    parser.add_argument("--users", type=int, default=300)
    parser.add_argument("--every", type=float, default=20.0, help="seconds from one cut to the next (20)")
    parser.add_argument("--minutes", type=float, default=5.0, help="for so long (5)")
    arguments = parser.parse_args()
    return asyncio.run(run(arguments.checkout.resolve(), arguments.users, arguments.every, arguments.minutes))


if __name__ == "__main__":
    sys.exit(main())
