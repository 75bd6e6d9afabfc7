"""The screens of REPLAY: what changed since the snapshot before, and where to go."""

from __future__ import annotations

from collections.abc import Sequence

from tuiha.tui.draw import figures
from tuiha.tui.draw.spans import Line, Span
from tuiha.tui.draw.view import View
from tuiha.tui.kit.offers import Offer, matching
from tuiha.tui.kit.prompt import PromptScreen
from tuiha.tui.kit.screen import ReadingScreen
from tuiha.tui.replay.lines import date, incidents, past_lines
from tuiha.watch.recording.moments import HOW, moment


class CompareScreen(ReadingScreen):
    """The recording in one line, and every figure that is another one than in the snapshot before."""

    TITLE_TEXT = "What changed"

    def text(self, view: View, width: int) -> Sequence[Line]:
        """The differences; nothing while the pool is shown live."""
        where = self.dashboard.past.where
        return () if where is None or view.snapshot is None else past_lines(where, view.snapshot, width)


class JumpScreen(PromptScreen):
    """Asks for a moment, and offers the times when the pool was not well."""

    TITLE_TEXT = "Go to a moment: type it, or choose a time when the pool was not well"
    PROMPT = "@"

    def offers(self, text: str) -> Sequence[Offer]:
        """The incidents that fit the text, newest first."""
        where = self.dashboard.past.where
        if where is None or (text and self._typed(text) is not None):
            return ()
        offers = [Offer(str(found.begin), f"{date(found.begin)} {figures.clock(found.begin)}Z", told=(
            f"{found.verdict:<9} {figures.duration(found.end - found.begin):>6}  {found.changes} changes"))
            for found in incidents(where.blocks)]
        return matching(offers, text)

    def remark(self, text: str) -> Span:
        """How a moment is written."""
        return (HOW if self._typed(text) is None else "enter go there   esc back", "quiet")

    def refused(self, text: str, offer: Offer | None) -> str:
        """Why it cannot be gone to."""
        return "" if offer is not None or self._typed(text) is not None else HOW

    def _typed(self, text: str) -> float | None:
        where = self.dashboard.past.where
        if where is None:
            return None
        try:
            return moment(text, where.blocks[-1].last_at)
        except ValueError:
            return None

    async def choose(self, text: str, offer: Offer | None) -> None:
        """Go there."""
        typed = self._typed(text)
        self.dashboard.past.jump(typed if typed is not None else float(offer.name) if offer is not None else 0.0)
