"""What a screen draws from: the newest snapshot and what belongs to it, at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tuiha.model.facts import Event, Snapshot
from tuiha.tui.draw import figures


def no_history(_node: str, _metric: str) -> Sequence[float | None]:
    """A history that knows nothing."""
    return ()


@dataclass(frozen=True, slots=True)
class View:
    """One moment of the dashboard. `snapshot` is None until the first look is done."""

    pool: str
    now: float  # unix seconds
    mode: str = "LOCKED"
    paused: bool = False
    snapshot: Snapshot | None = None
    events: tuple[Event, ...] = field(default=())
    unrecorded: bool = False  # what is seen is recorded nowhere, though it should be
    clock: bool = True  # the time is on line 1, and how old the data is even when it is new

    @property
    def age(self) -> float | None:
        """Seconds since the snapshot was taken."""
        return None if self.snapshot is None else max(0.0, self.now - self.snapshot.at)

    @property
    def old(self) -> bool:
        """Whether the picture is of another time: nothing has been seen for three polls."""
        return self.snapshot is not None and figures.is_stale(self.age, self.snapshot.interval)

    @property
    def known_at(self) -> float:
        """The time until which anything is known: what an old picture shows does not last on."""
        return self.snapshot.at if self.snapshot is not None and self.old else self.now
