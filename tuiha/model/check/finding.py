"""One finding of `tuiha check`: what was seen, what it means, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's outcome. `means` and `fix` are empty when it is ok."""

    level: Level
    subject: str
    what: str
    means: str = ""
    fix: str = ""


def bad(subject: str, what: str, means: str, fix: str) -> Finding:
    """Something that does not work, or will not when it is needed."""
    return Finding(Level.BAD, subject, what, means, fix)


def warning(subject: str, what: str, means: str, fix: str) -> Finding:
    """Something to think about."""
    return Finding(Level.WARNING, subject, what, means, fix)


def ok(subject: str, what: str) -> Finding:
    """What is as it should be."""
    return Finding(Level.OK, subject, what)
