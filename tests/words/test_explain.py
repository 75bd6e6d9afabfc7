"""Each word that tuiha uses is explained, in plain English."""

from __future__ import annotations

import pytest

from tests.words.rules import broken
from tuiha.model.codes import ProblemCode
from tuiha.words import explain
from tuiha.words.glossary.problems import PROBLEMS


def test_every_problem_is_explained() -> None:
    assert set(PROBLEMS) == set(ProblemCode)


@pytest.mark.parametrize("code", ProblemCode)
def test_a_problem_has_a_meaning_an_effect_and_a_remedy(code: ProblemCode) -> None:
    told = explain.problem(code)
    assert told.runbook == f"docs/runbooks/{code}.md"
    for text in (told.meaning, told.users, told.remedy):
        assert list(broken(text)) == []
        assert text[0].isupper() or text.startswith("tuiha")
        assert text.endswith(".")
