"""One finding of `tuiha check`: its code and its facts. `tuiha/words/findings.py` has the sentences."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tuiha.model.check.facts import NONE, FindingCode, FindingFacts


class Level(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's outcome, for one subject."""

    level: Level
    code: FindingCode
    subject: str
    facts: FindingFacts = NONE


def bad(code: FindingCode, subject: str, facts: FindingFacts = NONE) -> Finding:
    """Something that does not work, or will not when it is needed."""
    return Finding(Level.BAD, code, subject, facts)


def warning(code: FindingCode, subject: str, facts: FindingFacts = NONE) -> Finding:
    """Something to think about."""
    return Finding(Level.WARNING, code, subject, facts)


def ok(code: FindingCode, subject: str, facts: FindingFacts = NONE) -> Finding:
    """A check that went well."""
    return Finding(Level.OK, code, subject, facts)
