"""Writes docs/tuiha.1, the manual page: `python -m tests.programs.docs.man`, from the top of the checkout.

The page is made from the grammar of the command line alone, as `--help` is. A wheel installs it in share/man/man1.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from tuiha import __version__
from tuiha.cli.main import build_parser

TARGET = Path(__file__).parents[3] / "docs" / "tuiha.1"

_COLUMNS = re.compile(r"(\S.*?)\s{2,}(\S.*)")  # a row of two columns
_DEEP = 12  # an indented line that begins further right continues the row above it


def escaped(text: str) -> str:
    """The text as roff prints it: no letter of it is a command."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text


def prose(text: str) -> Iterator[str]:
    """Paragraphs, and tables as lists of terms, of a description or an epilog of the grammar."""
    paragraph: list[str] = []
    for line in (*text.splitlines(), ""):
        if line and not line[0].isspace():
            paragraph.append(line)
            continue
        if paragraph:
            yield from (".PP", escaped(" ".join(paragraph)))
            paragraph = []
        row = _COLUMNS.fullmatch(line.strip())
        if line.startswith(" " * _DEEP):
            yield escaped(line.strip())
        elif row is not None:
            yield from (".TP", f"\\fB{escaped(row[1])}\\fR", escaped(row[2]))
        elif line.strip():
            yield from (".TP", f"\\fB{escaped(line.strip())}\\fR")


def actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The arguments that help shows, without the commands."""
    return [action for action in parser._actions
            if action.help is not argparse.SUPPRESS and not isinstance(action, argparse._SubParsersAction)]


def commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The commands below a parser by name, each with its arguments."""
    found = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return {name: child for action in found for name, child in loaded(action.choices).items()}


def loaded(choices: dict[str, argparse.ArgumentParser]) -> dict[str, argparse.ArgumentParser]:
    """The parsers, once each has read its module."""
    for child in choices.values():
        getattr(child, "load", lambda: None)()
    return choices


def term(action: argparse.Action) -> str:
    """An argument as it is typed: bold what is fixed, italic what it stands for."""
    choices = f"{{{','.join(map(str, action.choices))}}}" if action.choices else ""
    value = action.metavar or choices or (action.dest.upper() if action.nargs != 0 else "")
    shown = f"\\fI{escaped(value if isinstance(value, str) else ' '.join(value))}\\fR" if value else ""
    if not action.option_strings:
        return shown
    names = ", ".join(f"\\fB{escaped(name)}\\fR" for name in action.option_strings)
    return f"{names} {shown}".rstrip() if action.nargs != 0 else names


def arguments(parser: argparse.ArgumentParser) -> Iterator[str]:
    """The list of a parser's arguments, except `--help`."""
    for action in actions(parser):
        if action.dest != "help":
            text = (action.help or "") % {"default": action.default, "prog": parser.prog}
            yield from (".TP", term(action), escaped(text))


def synopsis(parser: argparse.ArgumentParser) -> str:
    """One line: how the command is called."""
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    return f"\\fB{escaped(usage)}\\fR"


def section(parser: argparse.ArgumentParser, name: str) -> Iterator[str]:
    """One command, and the commands below it."""
    yield from (f".SS {escaped(name)}", synopsis(parser))
    yield from prose(parser.description or "")
    yield from arguments(parser)
    yield from prose(parser.epilog or "")
    for below, child in commands(parser).items():
        yield from section(child, f"{name} {below}")


def document() -> str:
    """The whole page."""
    parser = build_parser()
    lines = ['.\\" Made from the grammar by tests/programs/docs/man.py: change the texts of tuiha/cli instead.',
             f'.TH TUIHA 1 "" "tuiha {__version__}" "User Commands"', ".nh", ".ad l", ".SH NAME",
             "tuiha \\- run and watch a high\\-availability mail sync pool", ".SH SYNOPSIS", synopsis(parser),
             ".SH DESCRIPTION", *prose(parser.description or ""), *prose(parser.epilog or ""),
             ".SH OPTIONS", *arguments(parser), ".SH COMMANDS"]
    for name, child in commands(parser).items():
        lines += section(child, name)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
