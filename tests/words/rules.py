"""The rules of language that every sentence for people keeps, as a function of a text."""

from __future__ import annotations

import re
from collections.abc import Iterator

MOST_WORDS = 25
MOST_SEMICOLONS = 1

# Words that people who learned English as a second language had to read twice, each with the usual one.
BANNED = {
    "who": "name the actor",
    "whom": "name the actor",
    "whose": "name the owner",
    "whoever": "name the actor",
    "somebody": "name the actor",
    "someone": "name the actor",
    "anew": "again",
    "hearts": "heartbeats",
    "floors": "layers",
    "by itself": "automatically",
    "by themselves": "automatically",
    "of itself": "automatically",
    "let go": "release, remove",
    "lets go": "release, remove",
    "goes on": "continues",
    "go on": "continue",
    "going on": "continuing",
    "stands": "is",
    "stood": "was",
    "tells": "reports, shows",
    "told": "reported, shown",
    "sees to": "does",
    "look at": "check, read",
    "look for": "check",
    "look into": "read",
    "take back": "undo",
    "takes back": "undoes",
    "taken back": "undone",
    "took back": "undid",
    "brought back": "restored, started",
    "bring back": "restore, start",
    "brings back": "restores, starts",
}
_BANNED = re.compile(r"(?<![\w`-])(" + "|".join(sorted(map(re.escape, BANNED), key=len, reverse=True)) + r")(?![\w-])",
                     re.IGNORECASE)
_QUOTED = re.compile(r"`[^`]*`")
_PYTHON = re.compile(r"\bNone\b|\bTrue\b|\bFalse\b|\[['\"]|['\"]\]|\{['\"]|<[A-Za-z_.]+ object|\bfrozenset\(")
_UNIX = re.compile(r"(?<![\d,./:])1[5-9]\d{8}(?:\.\d+)?(?!\d)")
_ENDS = re.compile(r"(?<=[.!?])\s+(?=[A-Z`\"(])|\n+")


def sentences(text: str) -> list[str]:
    """The sentences of a text. What is in backquotes counts as one word, as it is copied and not read."""
    return [part for part in _ENDS.split(text) if part.strip()]


def broken(text: str) -> Iterator[str]:
    """Each rule that a text breaks, in words."""
    for sentence in sentences(_QUOTED.sub("`x`", text)):
        words = len(sentence.split())
        if words > MOST_WORDS:
            yield f"{words} words: {sentence}"
        if sentence.count(";") > MOST_SEMICOLONS:
            yield f"{sentence.count(';')} semicolons: {sentence}"
    plain = _QUOTED.sub("`x`", text)
    for found in _BANNED.finditer(plain):
        yield f"'{found[0]}' (use: {BANNED[found[0].lower()]}): {text}"
    if _PYTHON.search(text):
        yield f"Python in front of people: {text}"
    if _UNIX.search(text):
        yield f"a unix time: {text}"


_TURN = re.compile(r"\b(?:not|no|never|none|cannot|but|unless|except)\b")


def turns_late(text: str, room: int) -> bool:
    """Whether a word that turns the meaning comes only after the room that a note has."""
    first = text if len(text) <= room else text[:room + 1].rsplit(" ", 1)[0]
    return _TURN.search(text) is not None and _TURN.search(first) is None
