"""WRITE: who wants to change the pool says why, and has a quarter of an hour."""

from __future__ import annotations

from dataclasses import dataclass

ARMED_FOR = 15 * 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Armed:
    """Armed with a reason, until a moment (unix seconds)."""

    reason: str
    until: float

    def left(self, now: float) -> float:
        """Seconds that remain; 0 when it is over, and when the clock was set to before it began."""
        left = self.until - now
        return max(0.0, left) if left <= ARMED_FOR else 0.0


def arm(reason: str, now: float) -> Armed | None:
    """Armed from now on; None without a reason."""
    reason = reason.strip()
    return Armed(reason, now + ARMED_FOR) if reason else None


def mode_word(armed: Armed | None, otherwise: str, now: float) -> str:
    """The word on line 1: `WRITE 14:52` while armed, else the mode that the dashboard was started in."""
    left = 0.0 if armed is None else armed.left(now)
    if not left:
        return otherwise
    minutes, seconds = divmod(int(left), 60)
    return f"WRITE {minutes:02d}:{seconds:02d}"
