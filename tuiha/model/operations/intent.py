"""The operation that has the pool, as the ledger's intent names it: the one record of its state that everybody reads.

The runner writes it: before each step, every few seconds while it lives, and with what came of it when it stops
half-way. So a screen, `tuiha status`, metrics and plans, on whatever host, judge by the same words.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum

from tuiha.model.operations.catalogue import OPERATIONS
from tuiha.model.reports import LEADERLESS, STEADY

BEAT = 2.0  # seconds between two signs of life of a runner
SILENCE = 12.0  # seconds without one after which its runner counts as dead


class Condition(StrEnum):
    """How an operation that has the pool is."""

    RUNNING = "running"  # its runner lives
    INTERRUPTED = "interrupted"  # its runner gives no sign of life
    HALF_WAY = "half-way"  # a step failed, and it stands there
    UNKNOWN = "unknown"  # a step's outcome could not be read back


class IntentWay(StrEnum):
    """What an operator may do with one that does not run any more."""

    RESUME = "resume"
    UNDO = "undo"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Intent:
    """Who changes the pool, how far that is, and what may be done about it."""

    id: str  # of the operation
    kind: str
    owner: str
    host: str
    since: float  # unix seconds
    step: int = 0  # number of the step that runs, or where it stopped; 0 before the first
    action: str = ""  # what that step does, in words
    condition: Condition = Condition.RUNNING  # as its runner wrote it
    beat: float | None = None  # unix seconds of the runner's last sign of life; None: an earlier version gives none
    ways: tuple[IntentWay, ...] = field(default=(IntentWay.RESUME,))
    gives_way: bool = False  # nothing of the database's roles is half changed by it
    undoing: bool = False  # the step is being taken back
    targets: tuple[str, ...] = ()  # nodes that it, or its step, is about; an earlier version does not say
    past: bool | None = None  # the point of no return may be passed; None: an earlier version does not say

    def text(self) -> str:
        """As the ledger holds it."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @property
    def where(self) -> str:
        """The step in words."""
        return f"at step {self.step} ({self.action})" if self.step else "before its first step"


def parse(text: str | None) -> Intent | None:
    """The intent in a ledger's record. One that cannot be read is somebody's all the same, with an unknown owner."""
    if not text:
        return None
    try:
        found = json.loads(text)
        beat = found.get("beat")
        return Intent(
            str(found["id"]), str(found["kind"]), str(found["owner"]), str(found["host"]), float(found["since"]),
            int(found.get("step", 0)), str(found.get("action", "")),
            Condition(found.get("condition", Condition.RUNNING)), None if beat is None else float(beat),
            tuple(IntentWay(way) for way in found.get("ways", (IntentWay.RESUME,))), found.get("gives_way") is True,
            found.get("undoing") is True, tuple(str(name) for name in found.get("targets", ())),
            found["past"] if isinstance(found.get("past"), bool) else None)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return Intent("unknown", "an operation of another version", "somebody", "an unknown host", 0.0)


def at_rest(phase: str) -> bool:
    """Whether by the ledger's phase nothing of the databases' roles is half changed by an operation."""
    return phase in (STEADY, LEADERLESS)


# Kinds that end an outage: others give way to them.
TAKERS = frozenset(one.name for one in OPERATIONS.values() if one.ends_outage)


def takes_from(kind: str, other: Intent, phase: str) -> bool:
    """Whether an operation of this kind may take the pool from the one that has it, judged at this moment.

    What ends an outage takes it from whatever has changed nothing of the database's roles, or has done with them. Two
    of one kind do not take it from each other while both live.
    """
    rival = other.kind == kind and other.condition is Condition.RUNNING
    return kind in TAKERS and at_rest(phase) and other.gives_way and not rival


def judged(intent: Intent, silent: float | None) -> Intent:
    """The intent with its condition now: a runner that is silent for too long is dead."""
    dead = intent.condition is Condition.RUNNING and silent is not None and silent > SILENCE
    return replace(intent, condition=Condition.INTERRUPTED) if dead else intent


def silence(intent: Intent, at: float, since: float | None) -> float | None:
    """Seconds since the runner's last sign of life; None when it gives none.

    `since` is when the one who asks saw the intent change the last time, by its own clock; None when it saw no
    change yet: then the runner's clock has to be believed.
    """
    if intent.beat is None:
        return None
    return max(0.0, at - (intent.beat if since is None else since))
