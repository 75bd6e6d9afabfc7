"""The ledger's intent: one operation at a time for each pool, and everybody sees whose it is and which step."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from dataclasses import dataclass, replace

from tuiha.drivers.protocols import Conflict, DriverError, LeasedLedger, LedgerDriver
from tuiha.model.quoting import shell
from tuiha.model.reports import LedgerRecord
from tuiha.operate.kinds import Refused
from tuiha.operate.state import OperationState

_TRIES = 10
_PAUSE = 0.05  # seconds between tries


@dataclass(frozen=True, slots=True)
class Intent:
    """Who changes the pool now."""

    id: str  # of the operation
    kind: str
    owner: str
    host: str
    since: float  # unix seconds
    step: int = 0  # number of the step that runs; 0 before the first
    action: str = ""  # what that step does, in words
    undoing: bool = False  # that step is being taken back
    past: bool | None = None  # the point of no return may be passed; None: an earlier version does not say

    def text(self) -> str:
        """As the ledger holds it."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__}, ensure_ascii=False)

    def words(self) -> str:
        """As a person reads it."""
        where = f"at step {self.step} ({self.action})" if self.step else "before its first step"
        at = time.strftime("%H:%M:%SZ", time.gmtime(self.since))
        return f"{self.kind}, {where}, started by {self.owner} on {self.host} at {at}: operation {self.id}"


def parse(text: str | None) -> Intent | None:
    """The intent in a ledger's record. One that cannot be read is somebody's all the same, with an unknown owner."""
    if not text:
        return None
    try:
        found = json.loads(text)
        return Intent(str(found["id"]), str(found["kind"]), str(found["owner"]), str(found["host"]),
                      float(found["since"]), int(found.get("step", 0)), str(found.get("action", "")),
                      found.get("undoing") is True, _word(found.get("past")))
    except (ValueError, KeyError, TypeError):
        return Intent("unknown", "an operation of another version", "somebody", "an unknown host", 0.0)


def _word(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


class Busy(Refused):
    """Another operation has the pool."""

    def __init__(self, other: Intent) -> None:
        super().__init__(f"another operation has this pool: {other.words()}.\n"
                         f"Wait for it (`tuiha operations {other.id}`), `tuiha cancel {other.id}`, or, if its runner "
                         f"died, `tuiha resume {other.id}` on {other.host}. If that host or the operation's folder is "
                         "gone: `tuiha plan reclaim`.")
        self.other = other


async def take(ledger: LedgerDriver, seen: LedgerRecord, intent: Intent, over: str = "") -> None:
    """Take the pool, if the ledger still is as it was seen; from the operation `over`, when it has the pool.

    Raises Busy, Refused (it changed), DriverError.
    """
    other = parse(seen.intent)
    if other is not None and other.id not in (intent.id, over):
        raise Busy(other)
    try:
        await ledger.replace(seen, replace(seen, intent=intent.text()))
    except Conflict:
        other = parse((await ledger.poll()).intent)
        if other is not None and other.id != intent.id:
            raise Busy(other) from None
        raise Refused("the ledger changed in this moment; plan again") from None


async def note(ledger: LedgerDriver, intent: Intent) -> None:
    """Say which step runs. Raises Busy when the intent is not this operation's any more, DriverError."""
    await _change(ledger, intent, intent.text())


async def release(ledger: LedgerDriver, intent: Intent) -> int | None:
    """Give the pool back; the ledger's revision with that. None when it was given back before. Raises DriverError."""
    try:
        return await _change(ledger, intent, None)
    except Busy:
        return None  # it was released, and somebody else has it by now


def refuse_if_touched(seen: LedgerRecord, state: OperationState) -> None:
    """Raises Refused when the pool was given back and the ledger has changed since: by whomever, from whatever host.

    What is left of an operation rests on facts of its time: a former primary that it would stop may be active now.
    """
    if seen.intent is None and state.revision not in (None, seen.revision):
        raise Refused(f"operation {state.id} gave the pool back, and it was changed since; plan again: "
                      f"{shell(['tuiha', 'plan', state.kind], state.plan.target)}")


async def refuse_if_elsewhere(ledger: LedgerDriver, intent: Intent) -> None:
    """Raises Refused when another host has this operation, unless the ledger knows that it is gone; DriverError."""
    if intent.host == socket.gethostname():
        return
    if not isinstance(ledger, LeasedLedger):
        raise Refused(f"operation {intent.id} is run from {intent.host}; go on there")
    if await ledger.holder() is not None:
        raise Refused(f"operation {intent.id} is run from {intent.host}, which holds it still; go on there, or here a "
                      "quarter of a minute after that host or its runner has died")


async def _change(ledger: LedgerDriver, intent: Intent, text: str | None) -> int | None:
    for _ in range(_TRIES):
        record = await ledger.poll()
        other = parse(record.intent)
        if other is None and text is None:
            return None
        if other is None or other.id != intent.id:
            raise Busy(other or replace(intent, id="none", kind="nobody's any more"))
        try:
            return (await ledger.replace(record, replace(record, intent=text))).revision
        except Conflict:
            await asyncio.sleep(_PAUSE)  # a server or a step changed another field
    raise DriverError("the ledger is changed by others all the time")


def at_step(intent: Intent, number: int, action: str, *, undoing: bool = False, past: bool = False) -> Intent:
    """The intent with the step that runs; `past`: it is the point of no return, or comes after it."""
    return replace(intent, step=number, action=action, undoing=undoing, past=bool(intent.past) or past)
