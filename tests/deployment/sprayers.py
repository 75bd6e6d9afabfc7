"""How long an address answers nobody when its sprayer goes: measured on the hosts, while devices work."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from tests.deployment.hosts import Net
from tests.until import wait_until

ADDRESS = "192.0.2.101"
OWNER, SPARE = "spray1", "spray2"
TIMES = 5
LONGEST = 10.0  # seconds


class Probed:
    """Answers from the address, noted while this is open."""

    def __init__(self, net: Net) -> None:
        self._file = net.root("ops") / "run/answers"

    def answers(self) -> list[float]:
        """When good answers came."""
        lines = self._file.read_text().split("\n")[:-1] if self._file.exists() else []  # the last is not whole
        return sorted(map(float, lines))

    def gap(self, since: float) -> float:
        """The longest time without a good answer since a moment, seconds; waits for the first after two seconds."""
        give_up = time.monotonic() + 60
        while not (times := self.answers()) or times[-1] < since + 2:
            assert time.monotonic() < give_up, f"{ADDRESS} does not answer any more"
            time.sleep(0.1)
        return max(later - earlier for earlier, later in pairwise([since, *(at for at in times if at > since)]))


@contextmanager
def probed(net: Net) -> Iterator[Probed]:
    """Ask the address from `ops`, on new connections."""
    process = net.popen("ops", f"exec python -m tests.deployment.prober {ADDRESS} /run/answers")
    try:
        yield Probed(net)
    finally:
        process.kill()
        process.communicate()


def holds(net: Net, host: str) -> bool:
    """Whether a host has the address."""
    told = subprocess.run(["ip", "-n", net.space(host), "-o", "address", "show", "dev", "eth0"],
                          capture_output=True, text=True, check=True, timeout=10)
    return f" {ADDRESS}/" in told.stdout


def until_held(net: Net, host: str, held: bool = True) -> None:
    """Wait until a host has the address, or has it no more."""
    wait_until(lambda: holds(net, host) == held, f"{host} {'takes' if held else 'gives back'} {ADDRESS}")


@dataclass(frozen=True)
class Loss:
    """A way in which the holder of the address goes, and comes back."""

    name: str
    goes: Callable[[Net], object]
    comes: Callable[[Net], object]


LOSSES = (
    Loss("host cut off", lambda net: net.link(OWNER, "down"), lambda net: net.link(OWNER, "up")),
    Loss("HAProxy ended", lambda net: net.run(OWNER, "systemctl stop haproxy"),
         lambda net: net.run(OWNER, "systemctl start haproxy")),
    Loss("keepalived ended", lambda net: net.run(OWNER, "systemctl stop keepalived"),
         lambda net: net.run(OWNER, "systemctl start keepalived")),
)


def lose_the_holder(net: Net, say: Callable[[str], None]) -> None:
    """Take the address away from its sprayer in each way several times, and say how long nobody answered there."""
    until_held(net, OWNER)
    with probed(net) as probe:
        probe.gap(time.monotonic())
        for loss in LOSSES:
            there, back = zip(*(_moved(net, probe, loss) for _ in range(TIMES)), strict=True)
            say(f"{ADDRESS}, {loss.name}, {TIMES} times: nothing for {median(there):.1f} s ({max(there):.1f} at most); "
                f"when it comes back {median(back):.1f} s ({max(back):.1f} at most)")
            assert max(*there, *back) < LONGEST, loss.name


def _moved(net: Net, probe: Probed, loss: Loss) -> tuple[float, float]:
    """Seconds without an answer from the address while it moves to the spare, and while it moves back."""
    began = time.monotonic()
    loss.goes(net)
    until_held(net, SPARE)
    there = probe.gap(began)
    began = time.monotonic()
    loss.comes(net)
    until_held(net, SPARE, False)
    return there, probe.gap(began)
