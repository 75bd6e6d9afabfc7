"""One snapshot an interval: every target polled in parallel, none waiting for another."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from tuiha.model.codes import EventKind, Reason
from tuiha.model.conclude import conclude
from tuiha.model.events import events
from tuiha.model.facts import Event, Look, Severity, Snapshot
from tuiha.model.problems.mail_sights import sights
from tuiha.model.reports import MemberRow
from tuiha.model.rules import Rules
from tuiha.watch.targets import Targets

SETTLE = 0.5  # share of the interval in which the answers of this round are waited for
_log = logging.getLogger(__name__)

Publish = Callable[[Snapshot, tuple[Event, ...]], None]


@dataclass
class Poller:
    """Polls targets and concludes. `settle` bounds, in seconds, how long a round waits for slow answers."""

    targets: Targets
    rules: Rules
    settle: float | None = None
    number: int = 0
    snapshot: Snapshot | None = None
    last: Look | None = None

    async def run(self, publish: Publish, wake: asyncio.Event) -> None:
        """Look once an interval, or at once when `wake` is set, until cancelled; then close the drivers."""
        interval = self.targets.interval
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    begun = time.monotonic()
                    await self._guarded(group, publish)
                    await _pause(wake, begun + interval - time.monotonic())
        finally:
            await self.close()

    async def _guarded(self, group: asyncio.TaskGroup, publish: Publish) -> None:
        """One round; a fault in concluding is told as an event and the watching goes on."""
        before = self.snapshot
        try:
            snapshot = await self.round(group, self.settle if self.settle is not None
                                        else self.targets.interval * SETTLE)
        except Exception as error:  # noqa: BLE001 - see above
            _log.warning("a look could not be concluded", exc_info=True)
            if before is not None:
                publish(before, (Event(time.time(), Severity.BAD, self.targets.pool, EventKind.WATCHER_FAILED,
                                       Reason(type(error).__name__)),))
            await asyncio.sleep(self.targets.interval)
            return
        publish(snapshot, events(before, snapshot) if before is not None else ())

    async def round(self, group: asyncio.TaskGroup, settle: float, *, only_new: bool = False) -> Snapshot:
        """Start a poll of every target that has none under way, wait up to `settle` seconds, conclude.

        With `only_new`, only targets that were never polled are.
        """
        told = sights(self.last) if self.last is not None else {}
        for name, mail in self.targets.mail.items():
            if (closing := mail.rest(name in told)) is not None:
                group.create_task(closing)
        polls = [group.create_task(poll) for target in self.targets.every()
                 if not target.resting and not (only_new and target.tried) and (poll := target.begin()) is not None]
        if polls:
            await asyncio.wait(polls, timeout=settle)
        self.number += 1
        look = self.targets.look(self.number)
        self.snapshot = conclude(look, self.snapshot, self.last, self.rules)
        self.last = look
        for gone in self.targets.follow(*_members(look, self.snapshot.active)):
            group.create_task(gone.close())
        return self.snapshot

    def restart(self) -> None:
        """Judge the next look as the first one."""
        self.snapshot = self.last = None

    async def close(self) -> None:
        """Close all drivers, in parallel."""
        await asyncio.gather(*(target.close() for target in self.targets.every()))


def _members(look: Look, active: str | None) -> tuple[tuple[MemberRow, ...], bool]:
    """The servers that the database names, and whether these are all: only the active one knows that."""
    answers = {d.name: d.report.members for d in look.databases if d.fresh and d.report is not None}
    if active in answers:
        return answers[active], True
    return next(iter(answers.values()), ()), False


async def _pause(wake: asyncio.Event, seconds: float) -> None:
    """Wait for the next round, or for `wake`."""
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await wake.wait()
    except TimeoutError:
        return
    wake.clear()
