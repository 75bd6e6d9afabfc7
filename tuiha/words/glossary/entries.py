"""The shape of an entry of the glossary."""

from __future__ import annotations

from dataclasses import dataclass

from tuiha.model.facts import Severity


@dataclass(frozen=True, slots=True)
class GlossaryEntry:
    """A word explained: its meaning, its effect on users, and the remedy."""

    meaning: str
    users: str = ""  # what users notice; empty where a word is about no state of the pool
    remedy: str = ""  # what to do; empty where there is nothing to do


@dataclass(frozen=True, slots=True)
class ProblemEntry(GlossaryEntry):
    """A problem explained, with the worst severity that it can have."""

    severity: Severity = Severity.BAD
