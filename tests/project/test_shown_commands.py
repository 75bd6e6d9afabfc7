"""Every `tuiha ...` that a document shows is a command that the program takes; what needs no pool is run."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from tests.project.shown import ROOT, ShownCommand, commands, documents
from tuiha.cli.main import COMMANDS, build_parser, main, with_default
from tuiha.lab.drill.matrix import unattended
from tuiha.model.operations.catalogue import OPERATIONS, misuse

# A page's placeholder, and a value of its kind.
VALUES = {"N": "1", "S": "1", "COMMAND": "status", "KIND": "rebalance", "HOST:PORT": "localhost:1", "MOMENT": "03:00",
          "...": None, "TARGET": None, "SCENARIO": None, "[options]": None, "…": None}
NEEDS_NO_POOL = {"completion", "explain", "--help", "--version"}


def filled(words: tuple[str, ...]) -> list[str]:
    """A synopsis as somebody types it, with everything that is optional."""
    typed = (re.sub(r"\|.*", "", re.sub(r"[\[\]]|\.\.\.$", "", re.sub(r"\]?\.\.\.", "", word))) for word in words)
    return [value for word in typed if word for value in (VALUES.get(word, word),) if value is not None]


def against(shown: ShownCommand) -> str:
    """Why the program does not take it; empty when it does."""
    words = filled(shown.words)
    if shown.in_a_sentence and len(words) == 1 and words[0] in COMMANDS:
        return ""  # a sentence about a command names it
    if shown.in_a_sentence and len(words) == 2 and words[0] == "plan" and words[1][0].isalpha():
        return "" if words[1] in OPERATIONS else f"there is no operation {words[1]}"
    printed = io.StringIO()
    with contextlib.redirect_stderr(printed), contextlib.redirect_stdout(printed):
        try:
            arguments = build_parser().parse_args(with_default(words))
        except SystemExit as end:
            name = shown.in_a_sentence and "arguments are required" in printed.getvalue()
            return printed.getvalue() if end.code and not name else ""
    if arguments.command == "plan" and "NAME=VALUE" not in words:
        return misuse(arguments.kind, arguments.target, dict(arguments.option)) if "KIND" not in shown.words else ""
    if arguments.command == "drill":
        return ", ".join(set(arguments.scenarios) - set(unattended.table()))
    return ""


SCREENS = "failover-transcript.md"  # its blocks are pictures of a terminal, with lines that end at its edge


@pytest.mark.parametrize("document", [page for page in documents() if page.name != SCREENS],
                         ids=lambda page: str(page.relative_to(ROOT)))
def test_the_program_takes_what_is_shown(document: Path) -> None:
    wrong = {str(shown): why for shown in commands(document.read_text()) if (why := against(shown))}
    assert not wrong


def test_documents_show_commands_and_mistakes_are_found() -> None:
    assert len({str(shown) for document in documents() for shown in commands(document.read_text())}) > 50
    text = ("```\n$ tuiha statsu   no such command\ntuiha apply 7f3a\n.venv/bin/tuiha plan move anna\n"
            "tuiha up && tuiha lab hurt s1\n```\n\n    tuiha drill no-such-drill\n\n"
            "See `tuiha plan\nexplode`, `tuiha x`.\n")
    assert [str(shown) for shown in commands(text) if against(shown)] == [
        "tuiha statsu", "tuiha apply 7f3a", "tuiha plan move anna", "tuiha lab hurt s1", "tuiha drill no-such-drill",
        "tuiha plan explode", "tuiha x"]


def test_what_needs_no_pool_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    shown = {shown.words for document in documents() for shown in commands(document.read_text())
             if shown.words[:1] and (shown.words[0] in NEEDS_NO_POOL or "--help" in shown.words
                                     or shown.words[:2] in (("drill", "--list"), ("config", "example")))}
    assert {("drill", "--list"), ("completion", "bash")} <= shown
    for words in sorted(shown):
        if not any(word.isupper() for word in words):
            assert main(list(words)) == 0, words
            assert capsys.readouterr().out, words
