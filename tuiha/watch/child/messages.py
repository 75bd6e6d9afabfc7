"""What the watching process tells the screen's: dataclasses, pickled, each behind its length.

Both ends are the same program, one started by the other, and the pipe between them is nobody else's.
"""

from __future__ import annotations

import os
import pickle
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tuiha.config.errors import ConfigProblem
from tuiha.model.facts import Event, Snapshot

if TYPE_CHECKING:
    from tuiha.config.settings import Pool

POLL = b"p"
"""What the screen's process sends for a look at once. The end of its pipe means: end."""
LAST = 5.0
"""Seconds that the watching process may take to end, once nobody listens any more."""
_LENGTH = struct.Struct("!I")


@dataclass(frozen=True, slots=True)
class Outline:
    """What a screen needs of a pool's settings: they themselves stay where pydantic is."""

    pool: str
    interval: float  # seconds between looks
    keys: Mapping[str, list[str]] = field(default_factory=dict)
    operator: bool = False  # the configuration has an operator's token
    coordinator: bool = False  # and a coordinator's role
    ledger: Path | None = None  # the ledger's file, as configured
    recorded: bool = True
    recording: Path | None = None  # the recording's file, as configured


@dataclass(frozen=True, slots=True)
class Started:
    """The drivers are open: looks follow."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing can be watched: what is wrong with the configuration."""

    problems: tuple[ConfigProblem, ...]


@dataclass(frozen=True, slots=True)
class News:
    """A look. `trouble` is why nothing is recorded here, None when all is well; `lost`: and nowhere else either."""

    snapshot: Snapshot
    events: tuple[Event, ...]  # since the look that was sent before, newest first
    trouble: str | None = None
    lost: str | None = None


@dataclass(frozen=True, slots=True)
class KnownFigures:
    """Figures that were so for a while before the screen began (unix seconds)."""

    at: float
    until: float
    figures: tuple[tuple[str, str, float | None], ...]  # node, metric, value


@dataclass(frozen=True, slots=True)
class KnownVerdict:
    """The worst verdict of a stretch of time (unix seconds)."""

    begin: float
    end: float
    verdict: str


@dataclass(frozen=True, slots=True)
class KnownPast:
    """What the recording knows of the time before: figures newest first, verdicts oldest first."""

    figures: tuple[KnownFigures, ...]
    verdicts: tuple[KnownVerdict, ...]


Message = Outline | Started | Refusal | News | KnownPast


def outline_of(pool: Pool) -> Outline:
    """The outline of settings."""
    return Outline(
        pool.pool, pool.watch.interval, pool.keys, operator=pool.control.operator is not None,
        coordinator=pool.database.roles.coordinator is not None,
        ledger=None if pool.ledger is None else pool.ledger.path,
        recorded=pool.recording.enabled, recording=pool.recording.path,
    )


def send(descriptor: int, message: Message) -> None:
    """Write one message; waits for whoever reads. Raises BrokenPipeError when nobody does any more."""
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    left = memoryview(_LENGTH.pack(len(data)) + data)
    while left:
        left = left[os.write(descriptor, left) :]


def receive(descriptor: int) -> Message:
    """Read one message; waits for it. Raises EOFError at the end of the pipe."""
    message: Message = pickle.loads(_exactly(descriptor, *_LENGTH.unpack(_exactly(descriptor, _LENGTH.size))))
    return message


def _exactly(descriptor: int, size: int) -> bytes:
    parts = []
    while size:
        part = os.read(descriptor, min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
