"""The manual page: made from the grammar, readable for every roff, and complete."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.programs.docs import man
from tuiha.cli.main import COMMANDS, build_parser

MACROS = {"TH", "nh", "ad", "SH", "SS", "PP", "TP"}
ESCAPES = {r"\-": "-", r"\e": "\\", r"\&": "", r"\fB": "", r"\fI": "", r"\fR": ""}


def printed(line: str) -> str:
    """A line of text as a reader sees it. An escape that we do not use, and a bare hyphen, are mistakes."""
    assert "-" not in line.replace(r"\-", ""), line
    return re.sub(r"\\(?:f.|.)", lambda found: ESCAPES[found[0]], line)


def sections(page: str) -> dict[str, str]:
    """The text below each heading; a heading of the second level has its first one before it."""
    found: dict[str, str] = {}
    first = heading = ""
    for line in page.splitlines():
        if line.startswith('.\\"'):
            continue
        if not line.startswith((".", "'")):
            found[heading] += printed(line) + "\n"
            continue
        macro, _, rest = line[1:].partition(" ")
        assert macro in MACROS, line
        if macro in ("SH", "SS"):
            first = printed(rest) if macro == "SH" else first
            heading = first if macro == "SH" else f"{first}/{printed(rest)}"
            assert heading not in found, heading
            found[heading] = ""
    return found


def parsers() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command with its parser, also those below another one."""
    waiting = list(man.commands(build_parser()).items())
    while waiting:
        name, parser = waiting.pop()
        yield name, parser
        waiting += [(f"{name} {below}", child) for below, child in man.commands(parser).items()]


def test_the_page_is_up_to_date() -> None:
    """When this fails: python -m tests.programs.docs.man.

    It is made in a process of its own: other tests add operations of theirs to the grammar of this one.
    """
    code = "import sys; from tests.programs.docs import man; sys.stdout.write(man.document())"
    made = subprocess.run([sys.executable, "-c", code], cwd=man.TARGET.parents[1], capture_output=True, text=True,
                          check=True)
    assert man.TARGET.read_text() == made.stdout


def test_the_page_has_what_a_page_has() -> None:
    found = sections(man.document())
    assert [name for name in found if "/" not in name] == ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS"]
    assert found["NAME"].startswith("tuiha - ")
    assert "outcome unknown" in found["DESCRIPTION"]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_there(name: str) -> None:
    assert f"COMMANDS/{name}" in sections(man.document())


def test_each_argument_is_there_with_its_help() -> None:
    found = sections(man.document())
    for name, parser in parsers():
        text = " ".join(found[f"COMMANDS/{name}"].split())
        for action in man.actions(parser):
            if action.dest == "help":
                continue
            for option in action.option_strings:
                assert option in text, f"{name} {option}"
            help_ = (action.help or "") % {"default": action.default, "prog": parser.prog}
            assert " ".join(help_.split()) in text, f"{name} {action.dest}"


@pytest.mark.parametrize("text", [".SH no heading", "'so /etc/passwd", r"a\nb", "--force"])
def test_no_text_is_a_command_of_roff(text: str) -> None:
    line = man.escaped(text)
    assert not line.startswith((".", "'"))
    assert printed(line) == text


def test_help_fits_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    every = [("tuiha", build_parser()), *parsers()]
    assert len(every) > len(COMMANDS)
    for name, parser in every:
        for line in parser.format_help().splitlines():
            assert len(line) <= 80, f"{name}: {line}"
