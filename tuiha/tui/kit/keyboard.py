"""A line of text with a cursor in it, the keys that edit it as in a shell, and the pace of a hand. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tuiha.tui.draw.spans import width_of

LEAST_GAP = 0.06  # seconds between two keys of a hand, at least
KEPT = 50  # texts that a line remembers
RUN = 3  # gaps that are counted together
LEAST_RUN = 0.2  # seconds that they take together, at least: fifteen keys a second


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed so far, and how many characters of it are before the cursor."""

    text: str = ""
    at: int = 0

    def added(self, more: str, longest: int) -> Typed:
        """With more text at the cursor, as much as there is room for."""
        more = more[: max(0, longest - len(self.text))]
        return Typed(self.text[: self.at] + more + self.text[self.at :], self.at + len(more))

    def edited(self, key: str) -> Typed | None:
        """After a key that edits; None when the key does not edit."""
        edit = _EDITS.get(key)
        return None if edit is None else edit(self)

    def sight(self, room: int) -> tuple[str, str]:
        """The part around the cursor that `room` cells can show: before the cursor, and after it."""
        before, after = self.text[: self.at], self.text[self.at :]
        while after and width_of([(before + after, "")]) > room and width_of([(after, "")]) > room // 4:
            after = after[:-1]
        while before and width_of([(before + after, "")]) > room:
            before = before[1:]
        return before, after


def ended(text: str) -> Typed:
    """That text, with the cursor at its end."""
    return Typed(text, len(text))


def _without(line: Typed, start: int, end: int) -> Typed:
    """The line without the characters from start to end, with the cursor where they were."""
    return Typed(line.text[:start] + line.text[end:], start)


def _word_before(line: Typed) -> int:
    """Where the word before the cursor begins."""
    return line.text[: line.at].rstrip().rfind(" ") + 1


_KEYS: Mapping[tuple[str, ...], Callable[[Typed], Typed]] = {
    ("backspace", "ctrl+h"): lambda line: _without(line, max(0, line.at - 1), line.at),
    ("delete",): lambda line: _without(line, line.at, line.at + 1),
    ("ctrl+w",): lambda line: _without(line, _word_before(line), line.at),
    ("ctrl+u",): lambda line: _without(line, 0, line.at),
    ("ctrl+k",): lambda line: _without(line, line.at, len(line.text)),
    ("left", "ctrl+b"): lambda line: Typed(line.text, max(0, line.at - 1)),
    ("right", "ctrl+f"): lambda line: Typed(line.text, min(len(line.text), line.at + 1)),
    ("home", "ctrl+a"): lambda line: Typed(line.text, 0),
    ("end", "ctrl+e"): lambda line: ended(line.text),
}
_EDITS = {key: edit for keys, edit in _KEYS.items() for key in keys}


@dataclass(frozen=True, slots=True)
class Entered:
    """The texts that were entered in a line, each once, the newest last."""

    texts: tuple[str, ...] = ()

    def kept(self, text: str) -> Entered:
        """With one more, without blanks around it; the oldest ones go."""
        text = text.strip()
        return Entered((*(one for one in self.texts if one != text), text)[-KEPT:]) if text else self

    def before(self, text: str) -> str | None:
        """What was entered before that text; None where nothing was, or the text is one that was never entered."""
        if not text:
            return self.texts[-1] if self.texts else None
        place = self._place(text)
        return self.texts[place - 1] if place else None

    def after(self, text: str) -> str | None:
        """What was entered after that text, empty after the newest; None when the text was never entered."""
        place = self._place(text)
        return None if place is None else (*self.texts, "")[place + 1]

    def _place(self, text: str) -> int | None:
        return self.texts.index(text) if text in self.texts else None


@dataclass(frozen=True, slots=True)
class HandPace:
    """The times of the last keys. Eight keys a second are a hand; what is pasted or held comes quicker."""

    times: tuple[float, ...] = field(default=())

    def after(self, time: float) -> HandPace:
        """With one more key."""
        return HandPace((*self.times, time)[-RUN - 1 :])

    @property
    def too_quick(self) -> bool:
        """Whether no hand types so: the last key came at once, or the last few in a burst."""
        if len(self.times) < 2:
            return False
        burst = len(self.times) > RUN and self.times[-1] - self.times[0] < LEAST_RUN
        return burst or self.times[-1] - self.times[-2] < LEAST_GAP
