"""Is a mail server gone? One judgement for all users of it. Pure; the clock is an argument.

Three different users in a row that fail, or one probe without an answer, and it is gone: a hung server would
otherwise keep each of its users waiting for a deadline of its own. A server that answers anybody is not gone, only
slow or strict with somebody. Once gone it stays gone until `bring_back`: a server that comes and goes must not take
its users along each time.
"""

from __future__ import annotations


class Health:
    """The judgement on one mail server."""

    __slots__ = ("_answered_at", "_failed", "_failures", "_window", "why")

    def __init__(self, failures: int = 3, window: float = 10.0) -> None:
        self._failures = failures
        self._window = window
        self._failed: dict[int, float] = {}  # user -> when, since the last user that was served
        self._answered_at = float("-inf")
        self.why: str | None = None  # why it is gone; None: it is not

    @property
    def gone(self) -> bool:
        """Whether it is gone."""
        return self.why is not None

    def served(self, now: float) -> None:
        """A user was served: the failures of the others were their own."""
        self._failed.clear()
        self.answered(now)

    def answered(self, now: float) -> None:
        """It gave a sign of life."""
        self._answered_at = now

    def failed(self, user_id: int, why: str, now: float) -> bool:
        """A user's connection or log-in failed. True when this tips the judgement: it is gone from now on."""
        self._failed[user_id] = now
        recent = {user: at for user, at in self._failed.items() if now - at <= self._window}
        self._failed = recent
        return self._judge(why) if len(recent) >= self._failures else False

    def probe_failed(self, why: str, started: float) -> bool:
        """A probe that began at `started` failed. True when this tips the judgement.

        It says nothing when somebody else had an answer meanwhile.
        """
        return self._judge(why) if self._answered_at < started else False

    def bring_back(self) -> None:
        """Use it again."""
        self.why = None
        self._failed.clear()

    def _judge(self, why: str) -> bool:
        tips = self.why is None
        if tips:
            self.why = why
            self._failed.clear()
        return tips
