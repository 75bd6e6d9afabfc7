"""What pool servers report of their mail connections during a drill: metrics four times a second, and logs."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

_EVERY = 0.25  # seconds
_PATIENCE = 2.0
_MOVING = 2.0  # seconds: a user who moves to another pool server is without a mail connection for less
_LINE = re.compile(r"^tuiha_(users|mail_connected|mail_logins)(?:\{[^}]*\})? ([0-9.e+]+)$", re.MULTILINE)
_GONE = re.compile(r"mail server \S+ is gone[^\"]*")


@dataclass(frozen=True, slots=True)
class MailSample:
    """One server's metrics, summed over its mail servers."""

    server: str
    at: float  # monotonic seconds
    users: int  # whose mail it monitors
    connected: int  # of those, with a connection
    logins: int  # a counter


@dataclass(frozen=True, slots=True)
class MailFigures:
    """What a drill of mail is judged by."""

    gone: int  # mail servers that were judged gone, each time
    disconnected: int  # the most users, beyond those who are meant to be, without a connection for two seconds
    apart: float  # the longest time in which anybody else was without one, seconds
    logins: int  # of all pool servers at all mail servers


@dataclass(slots=True)
class MailWatch:
    """Samples from `follow` to its end; logs count from `begin` on."""

    logs: Mapping[str, Path]  # pool server -> its log
    samples: list[MailSample] = field(default_factory=list)
    _from: dict[str, int] = field(default_factory=dict)

    def begin(self) -> None:
        """Forget what the logs had until now."""
        self._from = {name: _size(path) for name, path in self.logs.items()}

    async def follow(self, session: aiohttp.ClientSession, name: str, address: str, token: str) -> None:
        """Ask one pool server again and again, until cancelled."""
        headers = {"Authorization": f"Bearer {token}"}
        while True:
            began = time.monotonic()
            try:
                async with asyncio.timeout(_PATIENCE), session.get(f"{address}/metrics", headers=headers) as answer:
                    if answer.status == 200:
                        self.samples.append(read(name, await answer.text(), time.monotonic()))
            except (TimeoutError, aiohttp.ClientError, OSError):
                pass  # the sampler of the servers notices what is wrong with them
            await asyncio.sleep(max(0.02, _EVERY - (time.monotonic() - began)))

    def gone(self) -> list[str]:
        """Each time that a mail server was judged gone since `begin`, and why, by the servers' logs."""
        return [f"{name}: {text}" for name, path in self.logs.items()
                for text in _GONE.findall(_tail(path, self._from.get(name, 0)))]


def read(server: str, text: str, at: float) -> MailSample:
    """A server's metrics as a sample."""
    sums = {"users": 0, "connected": 0, "logins": 0}
    for kind, value in _LINE.findall(text):
        sums[kind.removeprefix("mail_")] += int(float(value))
    return MailSample(server, at, **sums)


def judge(samples: Iterable[MailSample], since: float, until: float, apart: int, gone: int = 0) -> MailFigures:
    """The figures between two moments. `apart`: users who are meant to be without a connection."""
    last: dict[str, MailSample] = {}
    without: list[tuple[float, int]] = []  # when, how many of the others
    logins = 0
    for sample in sorted(samples, key=lambda one: one.at):
        if sample.at > until:
            break
        before, last[sample.server] = last.get(sample.server), sample
        if sample.at < since:
            continue
        if before is not None:
            logins += max(0, sample.logins - before.logins)
        without.append((sample.at, sum(one.users - one.connected for one in last.values()) - apart))
    most = max((count for _, count in without), default=0)
    worst = next((count for count in range(most, 0, -1) if _longest(without, count) >= _MOVING), 0)
    return MailFigures(gone, worst, round(_longest(without, 1), 2), logins)


def _longest(without: Sequence[tuple[float, int]], least: int) -> float:
    """The longest time in which at least so many were without a connection, seconds."""
    longest, since = 0.0, None
    for at, count in without:
        since = (at if since is None else since) if count >= least else None
        longest = max(longest, 0.0 if since is None else at - since)
    return longest


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _tail(path: Path, start: int) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(start)
        return file.read().decode(errors="replace")


def logs_of(folder: Path, servers: Sequence[str]) -> dict[str, Path]:
    """Pool server -> its log."""
    return {name: folder / f"{name}.log" for name in servers}
