"""`python -m tests.benchmarks.mail_simulated`: as mail_blame, for 2,400 users, on virtual time. No clock waits.

The monitors are tuiha's; two simulated mail servers let in 800 users a second each, and are 1 to 5 ms away. A pool of
four servers monitors 600 users each, and one server monitors all of them, or 300. Either a middlebox cuts each
connection that is quiet for 20 s, the first time all at once; or all quiet ones are cut together every 20 s. The
negative control is the old rule of blame. Log-ins a second are those of all pool servers at both mail servers;
`at a time` is the most log-ins that one mail server had before it. `--seed` makes other runs.

Exit code 1 when a server was judged gone without reason, when a user moved, or when not everybody was connected again
within 5 s. One server that monitors 2,400 users at the default pace may take the 12 s of their log-ins, and one more.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import dataclass, field
from random import Random

from tests.benchmarks.mail_blame import HEAD, QUIET, REACH, Figures, Memory, bounds, monitor_of, observe, row
from tests.doubles.mail_network import Network, SimulatedLoop
from tuiha.cli.output.table import aligned
from tuiha.server.mail import Pace

SERVERS = 2  # mail servers
TICK = 0.1  # seconds between two looks of the middlebox


@dataclass(frozen=True)
class Scene:
    """Who is monitored by how many, and how they are cut."""

    monitors: int
    users: int
    rate: float = 100.0  # log-ins a second of one pool server at one mail server; this is the default
    together: bool = False  # all quiet connections at once; else each when it was quiet for as long
    every: float = QUIET  # seconds
    pace: Pace = field(default_factory=Pace)
    old_rule: bool = False

    @property
    def reach(self) -> float:
        """Seconds until everybody is connected again: 5, or as long as the log-ins take at their pace, and one more."""
        return max(REACH, self.users / self.monitors / SERVERS / self.rate + 1.0)

    @property
    def text(self) -> str:
        """As the table has it."""
        servers = "1 server" if self.monitors == 1 else f"{self.monitors} servers"
        cut = "together" if self.together else "each"
        return f"{'old (control)' if self.old_rule else 'new'}, {servers}, {self.rate:g} log-ins/s, cut {cut}"


async def _run(loop: SimulatedLoop, scene: Scene, seconds: float, seed: int) -> tuple[Figures, int]:
    loop.network = network = Network(SERVERS, Random(seed))
    memory, everybody, monitors = Memory(), bounds(scene.users), []
    for number in range(scene.monitors):
        monitor = monitor_of(list(network.servers), 0, memory, scene.rate, old_rule=scene.old_rule, clock=loop.time,
                             random=Random(seed + number), pace=scene.pace)
        monitor.set_bound({user: bound for user, bound in everybody.items() if user % scene.monitors == number})
        monitors.append(monitor)
    cutting: list[asyncio.Task[None]] = []

    def begin() -> None:
        cutting.append(asyncio.create_task(cut()))

    async def cut() -> None:
        await asyncio.sleep(scene.every)  # so everybody is quiet for long enough: the first time all are cut at once
        for server in network.servers.values():
            server.longest_queue = 0  # that of the beginning
        await (network.cut(1.0, scene.every) if scene.together else network.cut(scene.every, TICK))

    try:
        found = await observe(monitors, scene.users, memory, begin, seconds)
    finally:
        for task in cutting:
            task.cancel()
    await asyncio.sleep(1.0)  # the mail servers hear that all have gone
    return found, max(server.longest_queue for server in network.servers.values())


def simulate(scene: Scene, seconds: float, seed: int = 1) -> tuple[Figures, int]:
    """Cut for some seconds: what was seen, and the most log-ins that one mail server had at a time."""
    loop = SimulatedLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(_run(loop, scene, seconds, seed))


def main() -> int:
    """`--minutes` of virtual time each; the control takes one at most."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    minutes: float = arguments.minutes
    scenes = [Scene(servers, users, rate, together) for servers, users, rate in (
        (4, 2400, 100.0), (1, 2400, 100.0), (1, 2400, 400.0), (1, 300, 100.0)) for together in (False, True)]
    lines, good = [], True
    for scene in (*scenes, Scene(4, 2400, old_rule=True)):
        length = min(minutes, 1.0) if scene.old_rule else minutes
        found, queue = simulate(scene, length * 60.0, arguments.seed)
        lines.append([*row(scene.users, scene.text, length, found), str(queue)])
        good = good and (found.gone > 0 if scene.old_rule else found.good(scene.reach))
    head = [*HEAD, "at a time"]
    sys.stdout.write("\n".join(aligned([head, *lines], range(2, len(head)))) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
