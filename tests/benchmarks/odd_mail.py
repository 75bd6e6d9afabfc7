"""`python -m tests.benchmarks.odd_mail`: what one odd mail in three mailboxes costs everybody else. Eight minutes.

Scenes, each with pool servers as real processes, 60 users and their devices: a mail with more than 1 MiB of header in
three INBOXes of the embedded pool, the same in Dovecot (Debian's), and in Dovecot a mail file that belongs to root,
which it answers with BYE. The three users are monitored by one pool server at one mail server, where a count of users
with trouble would blame the mail server. Printed, of the minute after the odd mail: how often a mail server was judged
gone, how many other users were seen without a mail connection, the longest time until one of the three was told of the
odd mail and of the next one, and the pool's log-ins beside those of a minute without odd mail.

`--checkout PATH` runs another version's servers: the control. Exit code 1 when something is out of reach.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.mail_pool import HERE, Scene, embedded, on_dovecot
from tuiha.cli.output.table import aligned, cell
from tuiha.lab.drill.acts.guests import Guest
from tuiha.lab.drill.faults.mail import put
from tuiha.lab.drill.observation.mailwatch import MailFigures, judge
from tuiha.lab.parts.oddmail import Odd, compose

SERVERS, USERS, HURT = 2, 60, 3
NEXT, MORE = 5.0, 3  # reach: seconds until the next mail is told, log-ins more in a minute
HEAD = ["scene", "gone", "others disconnected", "next mail after", "odd mail after", "log-ins without", "with", ""]


@dataclass(frozen=True)
class Outcome:
    """What one scene showed."""

    scene: str
    figures: MailFigures
    next_after: float | None  # seconds; None: not all were told
    odd_after: float | None
    how: str  # how the odd mail was told
    quiet: int  # log-ins of a minute without the odd mail

    @property
    def good(self) -> bool:
        """Whether everything is in reach."""
        return (not self.figures.gone and not self.figures.disconnected and self.next_after is not None
                and self.next_after <= NEXT and self.odd_after is not None
                and self.figures.logins <= self.quiet + MORE)

    def row(self) -> list[str]:
        """A line of the table."""
        return [self.scene, str(self.figures.gone), str(self.figures.disconnected), cell(self.next_after, "{:.1f} s"),
                f"{cell(self.odd_after, '{:.1f} s')} {self.how}", str(self.quiet), str(self.figures.logins),
                "" if self.good else "OUT OF REACH"]


Plant = Callable[[Guest], Any]


async def play(scene: Scene, name: str, plant: Plant, seconds: float) -> Outcome:
    """A quiet minute, then the odd mail for three users, then the next mail for each."""
    quiet = await _logins(scene, seconds)
    hurt = await scene.together(HURT)
    scene.watch.begin()
    known = {guest.user.name: len(guest.told) for guest in hurt}
    began = time.monotonic()
    for guest in hurt:
        await plant(guest)
    planted = time.monotonic()
    sent: dict[str, tuple[str, float]] = {}
    for guest in hurt:
        message_id = f"next-{time.monotonic_ns()}@odd.tuiha"
        await put(scene.target, guest.user.name, compose(Odd.PLAIN, message_id))
        sent[guest.user.name] = message_id, time.monotonic()
    await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
    figures = judge(scene.watch.samples, began, time.monotonic(), HURT, len(scene.watch.gone()))
    delays = [None if (at := guest.arrived(sent[guest.user.name][0])) is None else at - sent[guest.user.name][1]
              for guest in hurt]
    odd = [next((told for told in guest.told[known[guest.user.name]:]
                 if told.message_id != sent[guest.user.name][0]), None) for guest in hurt]
    how = {"substitute" if one.unreadable else "as a mail" for one in odd if one is not None}
    return Outcome(name, figures, _worst(delays), _worst([None if o is None else o.at - planted for o in odd]),
                   ", ".join(sorted(how)) or "not told", quiet)


def _worst(delays: Sequence[float | None]) -> float | None:
    known = [max(0.0, delay) for delay in delays if delay is not None]
    return max(known) if len(known) == len(delays) else None


async def _logins(scene: Scene, seconds: float) -> int:
    began = time.monotonic()
    await asyncio.sleep(seconds)
    return judge(scene.watch.samples, began, time.monotonic(), 0).logins


def wide(scene: Scene) -> Plant:
    """A mail with more than 1 MiB of header."""
    async def plant(guest: Guest) -> None:
        message_id = f"odd-{time.monotonic_ns()}@odd.tuiha"
        await put(scene.target, guest.user.name, compose(Odd.WIDE, message_id))

    return plant


def of_root(mailboxes: Path) -> Plant:
    """A mail file as a careless restore leaves it: it belongs to root, and Dovecot may not read it."""
    async def plant(guest: Guest) -> None:
        box = mailboxes / guest.user.name
        beside = box / "tmp" / f"{time.time_ns()}.M1.restored"
        beside.write_bytes(compose(Odd.PLAIN, "restored@odd.tuiha"))
        os.chown(beside, 0, 0)
        beside.chmod(0)
        beside.rename(box / "new" / beside.name)

    return plant


async def run(checkout: Path, seconds: float, chosen: Sequence[str]) -> int:
    """All scenes; 1 when one is out of reach."""
    outcomes: list[Outcome] = []
    if "embedded" in chosen:
        async with embedded(checkout, SERVERS, USERS) as scene:
            outcomes.append(await play(scene, "embedded: 1 MiB of header", wide(scene), seconds))
    if "dovecot" in chosen:
        async with on_dovecot(checkout, SERVERS, USERS) as (scene, _):
            outcomes.append(await play(scene, "Dovecot: 1 MiB of header", wide(scene), seconds))
    if "root" in chosen:
        async with on_dovecot(checkout, SERVERS, USERS) as (scene, mailboxes):
            outcomes.append(await play(scene, "Dovecot: a file of root's", of_root(mailboxes), seconds))
    sys.stdout.write("\n".join(aligned([HEAD, *(outcome.row() for outcome in outcomes)], right=range(1, 7))) + "\n")
    return int(not all(outcome.good for outcome in outcomes))


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkout", type=Path, default=HERE, help="another version's folder (a git worktree)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each half of a scene (60)")
    parser.add_argument("--scene", action="append", choices=("embedded", "dovecot", "root"), help="one of them")
    arguments = parser.parse_args()
    chosen = arguments.scene or ["embedded", "dovecot", "root"]
    return asyncio.run(run(arguments.checkout.resolve(), arguments.seconds, chosen))


if __name__ == "__main__":
    sys.exit(main())
