"""Words explained: pure look-ups in the glossary."""

from __future__ import annotations

from dataclasses import dataclass

from tuiha.model.codes import ProblemCode
from tuiha.words.glossary.problems import PROBLEMS

RUNBOOKS = "docs/runbooks"


@dataclass(frozen=True, slots=True)
class Explanation:
    """A word explained to an operator."""

    meaning: str
    users: str  # what users notice
    remedy: str  # what to do
    runbook: str = ""  # the page's address; empty where there is none


def problem(code: ProblemCode) -> Explanation:
    """A problem explained, with the address of its page."""
    entry = PROBLEMS[code]
    return Explanation(entry.meaning, entry.users, entry.remedy, runbook(code))


def runbook(code: ProblemCode) -> str:
    """The address of a problem's page, from the top of the repository."""
    return f"{RUNBOOKS}/{code}.md"
