"""`tuiha ack`: tell the alert receivers that a person works on the pool's problems."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tuiha.cli import exits
from tuiha.cli.output.streams import put, say

if TYPE_CHECKING:
    from pathlib import Path

    from tuiha.config.settings import Pool
    from tuiha.model.problems.alerts import Alert

HELP = """Acknowledge the pool's problems at the alert receivers of `alerts:`, so that nobody else is woken for them.
tuiha checks the pool once. PagerDuty acknowledges the incidents of these problems; Alertmanager silences them for a
time. A new problem still raises its own alert. The pool itself does not change.

exit codes: 0 acknowledged, or there is no problem, 1 a receiver did not take it, 2 configuration"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add --for and --reason."""
    parser.add_argument("--for", metavar="TIME", dest="seconds", type=_seconds, default=3600.0,
                        help="for how long Alertmanager is silent about these problems, such as 30m (default 1h)")
    parser.add_argument("--reason", metavar="TEXT", default="a person works on it", help="why; receivers keep it")


def run(arguments: argparse.Namespace) -> int:
    """Look, and tell each receiver."""
    import asyncio

    from tuiha.cli.configuration import opened
    from tuiha.model.problems.alerts import alerts
    from tuiha.watch.once import look_once

    pool, base = opened(arguments)
    if pool.alerts is None or (pool.alerts.alertmanager is None and pool.alerts.pagerduty is None):
        raise exits.CommandError("the configuration names no receiver of alerts; add alertmanager or pagerduty to "
                                 "alerts:", exits.USAGE)
    raised = tuple(alerts(asyncio.run(look_once(pool, base))).values())
    if not raised:
        put(f"{pool.pool} has no problem: nothing to acknowledge")
        return exits.OK
    told = asyncio.run(_told(pool, base, raised, arguments.seconds, arguments.reason))
    return exits.OK if told else exits.FAILED


async def _told(pool: Pool, base: Path, raised: tuple[Alert, ...], seconds: float, reason: str) -> bool:
    """Acknowledge at each receiver; whether all of them know."""
    import asyncio
    import time

    from tuiha.model.problems.alerts import grave
    from tuiha.operate.records.actor import whoami
    from tuiha.watch.alerts.post import Undelivered
    from tuiha.watch.alerts.receivers import receivers

    whole, who, now = True, whoami(), time.time()
    for _, least, receiver in await asyncio.to_thread(lambda: list(receivers(pool, base))):
        heard = grave({one.key: one for one in raised}, least).values()
        try:
            await receiver.acknowledge(heard, who, reason, now + seconds, now)
        except Undelivered as error:
            say(f"tuiha: {receiver.name} did not take it: {error}")
            whole = False
            continue
        for one in heard:
            put(f"acknowledged at {receiver.name}: {one.key.subject} {one.key.code}")
    return whole


def _seconds(text: str) -> float:
    from tuiha.config.values import seconds

    try:
        found = seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error}") from None
    if not isinstance(found, float) or found <= 0:
        raise argparse.ArgumentTypeError("write a time above 0, such as 30m")
    return found
