"""Each word that tuiha uses is explained, in plain English."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import pytest

from tests.words.rules import broken
from tuiha.cli import exits
from tuiha.model.codes import ProblemCode
from tuiha.model.facts import Protection, Severity, Verdict
from tuiha.model.operations.catalogue import OPERATIONS
from tuiha.model.operations.evidence import StepId
from tuiha.model.operations.intent import Condition
from tuiha.model.operations.plans import CheckId, CheckVerdict, OperationStatus, StepStatus
from tuiha.model.reports import (
    BackendState,
    DatabaseRole,
    DatabaseState,
    EpochState,
    MailState,
    ServerState,
    ServerTarget,
    SprayerState,
    Standby,
)
from tuiha.words import explain
from tuiha.words.explain import ExplainedWord
from tuiha.words.glossary import labels, operations, states
from tuiha.words.glossary.problems import PROBLEMS


@pytest.mark.parametrize(("table", "codes"), [
    (PROBLEMS, ProblemCode), (states.VERDICTS, Verdict), (states.PROTECTIONS, Protection),
    (states.SERVER_STATES, ServerState), (states.TARGETS, ServerTarget), (states.DATABASE_STATES, DatabaseState),
    (states.ROLES, DatabaseRole), (states.SPRAYER_STATES, SprayerState), (states.BACKEND_STATES, BackendState),
    (states.MAIL_STATES, MailState), (states.EPOCH_STATES, EpochState), (states.STANDBYS, Standby),
    (states.RESULTS, OperationStatus), (states.CONDITIONS, Condition), (states.CHECK_VERDICTS, CheckVerdict),
    (states.STEP_STATES, StepStatus), (states.SEVERITIES, Severity), (operations.CHECKS, CheckId),
    (operations.STEPS, StepId),
])
def test_every_code_is_explained(table: Mapping[StrEnum, object], codes: type[StrEnum]) -> None:
    assert set(table) == set(codes)


def test_every_kind_of_operation_and_every_exit_code_is_explained() -> None:
    assert operations.KINDS.keys() == OPERATIONS.keys()
    codes = {value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}
    assert labels.EXIT_CODES.keys() == codes


@pytest.mark.parametrize("code", ProblemCode)
def test_a_problem_has_a_meaning_an_effect_a_remedy_and_a_page(code: ProblemCode) -> None:
    told = explain.problem(code)
    assert all((told.meaning, told.users, told.remedy))
    assert told.runbook == f"docs/runbooks/{code}.md"
    assert explain.runbook(code, "https://example.org/{code}/") == f"https://example.org/{code}/"


@pytest.mark.parametrize("one", explain.every(), ids=lambda one: f"{one.kind}: {one.word}")
def test_explanations_are_whole_plain_sentences(one: ExplainedWord) -> None:
    for text in filter(None, (one.explanation.meaning, one.explanation.users, one.explanation.remedy)):
        assert list(broken(text)) == []
        assert text[0].isupper() or text.startswith(("tuiha", "`tuiha"))
        assert text.endswith(".")


def test_every_word_is_found_by_itself_and_by_its_former_name() -> None:
    for one in explain.every():
        assert one in explain.find(str(one.word))
        assert not one.formerly or one in explain.find(one.formerly)


@pytest.mark.parametrize(("typed", "word"), [
    ("deg", "DEGRADED"), ("over", "OVERLOADED"), ("cut", "CUT OFF"), ("rogue", "ROGUE PRIMARY"),
    ("limited", "LIMITED BY"), ("overlaoded", "OVERLOADED"), ("dgraded", "DEGRADED"),
    ("ROUGE PRIMARY", "ROGUE PRIMARY"), ("unprotectd", "UNPROTECTED"), ("switchovr", "switchover"),
    ("overlao", "OVERLOADED"), ("unprotcet", "UNPROTECTED"), ("database-donw", "database-down"),
])
def test_a_beginning_and_a_typing_error_lead_to_the_word(typed: str, word: str) -> None:
    assert word in explain.closest(typed)


def test_what_is_like_no_word_leads_nowhere() -> None:
    assert explain.closest("") == explain.closest("qqqqqqq") == ()
