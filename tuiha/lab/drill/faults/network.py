"""Faults of the network between two parts: what a fault proxy can do to each way that a scenario names.

A link is written "s2>db1": the one that connects first. `servers>db1` stands for all servers, `db2>db1` for the
write-ahead log that db2 receives, `coordinator>db1` for the host that operations are run from, `members>s2` for it
and the other servers, as they reach s2 for control and forwarding, `sprayers>s2` for devices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tuiha.lab.drill.network import Link, link
from tuiha.lab.drill.stage import Stage, until
from tuiha.lab.parts.proxy import Proxy, ProxyWay, Trap

_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Hurt:
    """Something done to links at once."""

    links: tuple[Link, ...]
    fault: Callable[[Proxy], None]
    what: str
    marks: bool = True  # this is the moment of the drill

    @property
    def text(self) -> str:
        """In words."""
        return f"{', '.join(link.text for link in self.links)}: {self.what}"

    async def do(self, stage: Stage) -> None:
        """Do it."""
        if self.marks:
            stage.mark()
        for one in stage.links(*self.links):
            await stage.network.hurt(one, self.fault)


def _links(names: tuple[str, ...]) -> tuple[Link, ...]:
    return tuple(link(name) for name in names)


def cut(*links: str) -> Hurt:
    """Nothing passes, and nobody is told."""
    return Hurt(_links(links), Proxy.cut, "nothing passes")


def mend(*links: str) -> Hurt:
    """The end of every fault."""
    return Hurt(_links(links), Proxy.mend, "mended", marks=False)


def refuse(*links: str) -> Hurt:
    """Every connection is reset, each new one too."""
    return Hurt(_links(links), Proxy.refuse, "every connection is reset")


def reset(*links: str) -> Hurt:
    """The connections that are open are reset, once."""
    return Hurt(_links(links), Proxy.reset, "reset once")


def half_open(*links: str) -> Hurt:
    """The connections end for the target only."""
    return Hurt(_links(links), Proxy.half_open, "half open")


def deaf(*links: str) -> Hurt:
    """One way: the target hears, its answers do not arrive."""
    return Hurt(_links(links), lambda proxy: proxy.one_way(ProxyWay.TO_TARGET), "no answer arrives")


def mute(*links: str) -> Hurt:
    """One way: what the client says does not arrive."""
    return Hurt(_links(links), lambda proxy: proxy.one_way(ProxyWay.TO_CLIENT), "nothing that is said arrives")


def latency(seconds: float, *links: str) -> Hurt:
    """Everything takes longer, in each direction."""
    return Hurt(_links(links), lambda proxy: proxy.latency(seconds), f"{seconds:g} s later in each direction")


def flapping(whole: float, away: float, *links: str) -> Hurt:
    """Cut and whole by turns."""
    return Hurt(_links(links), lambda proxy: proxy.flap(whole, away), f"cut {away:g} s, whole {whole:g} s, by turns")


def quiet(seconds: float, *links: str) -> Hurt:
    """A firewall that forgets quiet connections, all at once and again and again."""
    return Hurt(_links(links), lambda proxy: proxy.quiet(seconds), f"every {seconds:g} s all quiet connections are cut")


@dataclass(frozen=True, slots=True)
class LoseCommits:
    """Reset connections in the middle of a commit: done in the database and never heard of, or never arrived."""

    links: tuple[Link, ...]
    times: int
    delivered: bool

    @property
    def text(self) -> str:
        """In words."""
        how = "is done, and the answer is lost" if self.delivered else "never arrives"
        return f"{', '.join(link.text for link in self.links)}: {self.times} times a commit {how}"

    async def do(self, stage: Stage) -> None:
        """Set the trap again and again. Raises NotReached when nobody commits."""
        stage.mark()
        trap = Trap(ProxyWay.TO_TARGET, b"COMMIT;\0", self.delivered)
        for _ in range(self.times):
            for one in stage.links(*self.links):
                before = stage.network.trapped(one)
                await stage.network.hurt(one, lambda proxy: proxy.trap(trap))
                await until(lambda one=one, before=before: stage.network.trapped(one) > before,  # type: ignore[misc]
                            _SECONDS, f"no commit passed from {one.text}")


def lose_commits(times: int, *links: str, delivered: bool) -> LoseCommits:
    """Commits whose connection is reset."""
    return LoseCommits(_links(links), times, delivered)
