"""Each code has its words, and what comes next has its command and its key."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tuiha.model.codes import (
    CHECK,
    Action,
    EventKind,
    Evidence,
    Fate,
    Next,
    ProblemCode,
    Relief,
    WatcherEnding,
    plan,
    serve,
)
from tuiha.model.codes import Effect as EffectOfLoss
from tuiha.model.databases.durability import BY_HAND, Gap
from tuiha.model.facts import NodeKind, Problem, Severity
from tuiha.model.problems.mail_trouble import Trouble
from tuiha.words import events, mail, next, obstacles, problems
from tuiha.words.next import command, key
from tuiha.words.problems import detail, state, what


@pytest.mark.parametrize(("table", "codes"), [
    (problems._TEXTS, ProblemCode), (problems._EFFECTS, EffectOfLoss), (problems._EVIDENCE, Evidence),
    (problems._FATES, Fate), (problems._RELIEFS, Relief), (events._TEXTS, EventKind), (events._ENDINGS, WatcherEnding),
    (next._COMMANDS, Action), (next._MENDS, BY_HAND), (obstacles._REASONS, Gap), (mail._SAID, Trouble),
])
def test_each_code_has_its_words(table: Mapping[object, object], codes: object) -> None:
    assert set(table) == set(codes)  # type: ignore[call-overload]


@pytest.mark.parametrize(("then", "told", "pressed"), [
    (plan("failover"), "tuiha plan failover", "f"),
    (plan("failover-mail", "mail2"), "tuiha plan failover-mail mail2", "f"),
    (plan("rejoin", "db2"), "tuiha plan rejoin db2", "f"),
    (plan("enable", "s2"), "tuiha plan enable s2", "e"),
    (serve("s2"), "tuiha serve s2", None),
    (serve(), "tuiha serve NAME", None),
    (Next(Action.RESUME, ("20260101-000000-beef",)), "tuiha resume 20260101-000000-beef", "a"),
    (CHECK, "tuiha check", None),
    (None, "", None),
])
def test_what_comes_next_is_a_command_and_perhaps_a_key(then: Next | None, told: str, pressed: str | None) -> None:
    assert (command(then), key(then)) == (told, pressed)


def test_a_state_of_two_words_stays_whole() -> None:
    problem = Problem(Severity.BAD, NodeKind.DATABASE, "db1", ProblemCode.NO_EPOCH_ROW)
    assert (state(problem), detail(problem)) == ("NO EPOCH ROW", "cannot read the pool's tables")
    assert what(problem) == "NO EPOCH ROW  cannot read the pool's tables"
