"""Each problem has a runbook that is up to date, reachable, and whose commands exist."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.programs.docs import runbooks
from tests.programs.docs.runbook_parts import PARTS
from tests.words.pools import snapshots
from tests.words.rules import broken
from tuiha.cli.main import build_parser
from tuiha.model.codes import ProblemCode
from tuiha.model.facts import Severity
from tuiha.model.operations.catalogue import misuse
from tuiha.words.glossary.problems import PROBLEMS

_RANK = {Severity.NOTE: 0, Severity.WARNING: 1, Severity.BAD: 2}


def test_the_pages_are_up_to_date() -> None:
    """When this fails: python -m tests.programs.docs.runbooks."""
    made = runbooks.documents()
    assert {path.name for path in runbooks.FOLDER.glob("*.md")} == made.keys()
    for name, text in made.items():
        assert (runbooks.FOLDER / name).read_text() == text, name


def test_every_problem_has_its_parts_and_is_linked() -> None:
    assert set(PARTS) == set(ProblemCode)
    index = (runbooks.FOLDER / "README.md").read_text()
    for code in ProblemCode:
        assert index.count(f"]({code}.md)") == 1


def test_no_problem_is_worse_than_the_index_says() -> None:
    for seed in range(40):
        for snapshot in snapshots(seed):
            for one in snapshot.problems:
                assert _RANK[one.severity] <= _RANK[PROBLEMS[one.code].severity], one.code


@pytest.mark.parametrize("code", ProblemCode)
def test_commands_of_a_page_are_understood(code: ProblemCode) -> None:
    """Each `tuiha ...` in backquotes or in a block, by the grammar of the command line."""
    text = runbooks.page(code)
    blocks = "\n".join(re.findall(r"```\n(.*?)```", text, re.DOTALL))
    shown = re.findall(r"`tuiha ([^`]+)`", text) + re.findall(r"(?m)^(?: *next: )?tuiha (.+)$", blocks)
    assert shown, "a page without a command"
    parser = build_parser(whole=True)
    for words in map(shlex.split, shown):
        found = parser.parse_args(words)
        if found.command == "plan":
            assert misuse(found.kind, found.target, {}) == "", words


@pytest.mark.parametrize("code", ProblemCode)
def test_sentences_of_a_page_are_plain(code: ProblemCode) -> None:
    parts = PARTS[code]
    texts = [*parts.avoid, parts.wake, *(meaning for look in parts.looks for _, meaning in look.outputs)]
    assert [why for text in texts for why in broken(text)] == []
