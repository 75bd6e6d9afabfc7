"""Words explained: pure look-ups in the glossary, by the code of a problem or by a word that a person typed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from tuiha.model.codes import ProblemCode
from tuiha.model.reports import DatabaseState, ServerState
from tuiha.words.glossary import labels, operations, states
from tuiha.words.glossary.entries import GlossaryEntry
from tuiha.words.glossary.problems import PROBLEMS
from tuiha.words.problems import state_words

RUNBOOKS = "docs/runbooks/{code}.md"
_NEAR = 5  # words that are offered for one that is not known
_BEGUN = 4  # letters from which on the beginning of a word may have a typing error


class WordKind(StrEnum):
    """The families of words, in the order of the glossary."""

    VERDICT = "verdict of the pool"
    PROTECTION = "protection of the database pair"
    SERVER = "state of a pool server"
    TARGET = "order to a pool server"
    DATABASE = "state of a database"
    ROLE = "role of a database"
    EPOCH = "state of the epoch"
    STANDBY = "state of the secondary in the ledger"
    SPRAYER = "state of a sprayer (load balancer)"
    BACKEND = "state of a server at a sprayer"
    MAIL = "state of a mail server"
    LABEL = "label of the screens"
    TERM = "term"
    PROBLEM = "problem"
    SEVERITY = "severity of a problem"
    KIND = "kind of operation"
    RESULT = "result of an operation"
    CONDITION = "condition of an operation"
    CHECK_VERDICT = "verdict of a check"
    CHECK = "check of a plan"
    STEP_STATE = "state of a step"
    STEP = "step of an operation"
    EXIT_CODE = "exit code"


@dataclass(frozen=True, slots=True)
class Explanation:
    """A word explained to an operator."""

    meaning: str
    users: str  # what users notice; empty where a word is about no state of the pool
    remedy: str  # what to do; empty where there is nothing to do
    runbook: str = ""  # the page's address; empty where there is none


@dataclass(frozen=True, slots=True)
class ExplainedWord:
    """A word of the glossary."""

    word: str
    kind: WordKind
    explanation: Explanation
    formerly: str = ""  # the word for it in earlier versions
    also: tuple[str, ...] = ()  # other words that lead here


def problem(code: ProblemCode) -> Explanation:
    """A problem explained, with the address of its page."""
    return _explained(PROBLEMS[code], runbook(code))


def runbook(code: ProblemCode, address: str = RUNBOOKS) -> str:
    """The address of a problem's page: in the repository, or where `address` is, with the code for `{code}`."""
    return address.replace("{code}", code)


def find(text: str) -> tuple[ExplainedWord, ...]:
    """The words that a person may have meant; case, `-`, `_` and blanks do not matter. Empty for an unknown one."""
    key = _key(text)
    return tuple(one for one in every() if key in _keys(one))


def closest(text: str) -> tuple[str, ...]:
    """The known words that are most like an unknown one: they begin with it, or with most of its letters in order."""
    named = {key: one.word for one in reversed(every()) for key in _keys(one)}  # a state's own word before a problem's
    key = _key(text)
    if not key:
        return ()
    begun = {one[: len(key)]: one for one in named if len(one) > len(key) >= _BEGUN}
    found = [
        *sorted((one for one in named if one.startswith(key)), key=len),
        *difflib.get_close_matches(key, named, n=_NEAR, cutoff=0.6),
        *(begun[one] for one in difflib.get_close_matches(key, begun, n=_NEAR, cutoff=0.75)),
        *(one for one in named if key in one),
    ]
    return tuple(dict.fromkeys(named[one] for one in found))[:_NEAR]


@cache
def every() -> tuple[ExplainedWord, ...]:
    """All words, family by family."""
    return tuple(_every())


def _key(text: str) -> str:
    return re.sub(r"[\s_-]+", "", text).casefold()


def _keys(one: ExplainedWord) -> set[str]:
    return {_key(text) for text in (one.word, one.formerly, *one.also) if text}


def _explained(entry: GlossaryEntry, page: str = "") -> Explanation:
    return Explanation(entry.meaning, entry.users, entry.remedy, page)


# The words of earlier versions, for those that were renamed.
_FORMERLY: Mapping[tuple[WordKind, object], str] = {
    (WordKind.SERVER, ServerState.WAITING): "HELD",
    (WordKind.SERVER, ServerState.CUT_OFF): "FENCED",
    (WordKind.SERVER, ServerState.OVERLOADED): "CONSTRAINED",
    (WordKind.SERVER, ServerState.DRAINING): "WITHDRAWN",
    (WordKind.SERVER, ServerState.DRAINED): "WITHDRAWN",
    (WordKind.DATABASE, DatabaseState.ROGUE_PRIMARY): "STRAY",
    (WordKind.LABEL, "LOCKED"): "VIEW",
    (WordKind.LABEL, "UNLOCKED"): "WRITE",
}

# Each family with its table. The words of problems have more to them: see `_problems`.
_TABLES: Mapping[WordKind, Mapping[Any, GlossaryEntry]] = {
    WordKind.VERDICT: states.VERDICTS,
    WordKind.PROTECTION: states.PROTECTIONS,
    WordKind.SERVER: states.SERVER_STATES,
    WordKind.TARGET: states.TARGETS,
    WordKind.DATABASE: states.DATABASE_STATES,
    WordKind.ROLE: states.ROLES,
    WordKind.EPOCH: states.EPOCH_STATES,
    WordKind.STANDBY: states.STANDBYS,
    WordKind.SPRAYER: states.SPRAYER_STATES,
    WordKind.BACKEND: states.BACKEND_STATES,
    WordKind.MAIL: states.MAIL_STATES,
    WordKind.LABEL: labels.LABELS,
    WordKind.TERM: labels.TERMS,
    WordKind.PROBLEM: PROBLEMS,
    WordKind.SEVERITY: states.SEVERITIES,
    WordKind.KIND: operations.KINDS,
    WordKind.RESULT: states.RESULTS,
    WordKind.CONDITION: states.CONDITIONS,
    WordKind.CHECK_VERDICT: states.CHECK_VERDICTS,
    WordKind.CHECK: operations.CHECKS,
    WordKind.STEP_STATE: states.STEP_STATES,
    WordKind.STEP: operations.STEPS,
    WordKind.EXIT_CODE: labels.EXIT_CODES,
}


def _every() -> Iterator[ExplainedWord]:
    for kind, table in _TABLES.items():
        for code, entry in table.items():
            if isinstance(code, ProblemCode):
                yield ExplainedWord(code, kind, problem(code), also=state_words(code))
            else:
                yield ExplainedWord(str(code), kind, _explained(entry), _formerly(kind, code), _also(code))


def _formerly(kind: WordKind, code: object) -> str:
    before = _FORMERLY.get((kind, code), "")
    return "" if before == code else before


def _also(code: object) -> tuple[str, ...]:
    """`exit code 2` and `exit 2` lead to 2."""
    return (f"exit code {code}", f"exit {code}") if isinstance(code, int) else ()
