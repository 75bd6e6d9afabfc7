"""`tuiha explain`: a word of the screens, messages and documents in plain English."""

from __future__ import annotations

import argparse
import json
import re
import textwrap
from collections.abc import Iterable, Iterator
from itertools import groupby

from tuiha.cli import exits
from tuiha.cli.output import documents
from tuiha.cli.output.streams import put
from tuiha.words import explain
from tuiha.words.explain import ExplainedWord

HELP = """Explain a word: its meaning, what users notice, and what to do. It needs no configuration.

WORD is a state, a verdict, a label, a problem's code, a check, a step, an operation or an exit code.
Capitals, blanks, `-` and `_` do not matter. Without a word all words are listed.

exit codes: 0 explained, 2 there is no such word"""
_WIDTH = 80
_LABELS = 15  # columns of "Users notice"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the word and --json."""
    parser.add_argument("word", metavar="WORD", nargs="*", help="the word; several are one, such as LIMITED BY")
    parser.add_argument("--json", action="store_true", help="print one JSON object (tuiha.explain/1)")


def run(arguments: argparse.Namespace) -> int:
    """Print what is known of the word."""
    text = " ".join(arguments.word)
    found = explain.find(text) if text else explain.every()
    if not found:
        raise exits.CommandError(_unknown(text), exits.USAGE)
    if arguments.json:
        put(json.dumps(documents.explained(found), indent=2))
    elif text:
        put("\n\n".join("\n".join(whole(one)) for one in found))
    else:
        put("\n".join(index(found)))
    return exits.OK


def _unknown(text: str) -> str:
    near = explain.closest(text)
    offered = f"the closest words: {', '.join(near)}" if near else "`tuiha explain` lists all words"
    return f"'{text[:40]}' is not in the glossary; {offered}"


def whole(one: ExplainedWord) -> Iterator[str]:
    """A word with everything that is known of it."""
    yield f"{one.word}  ({one.kind}{f', formerly {one.formerly}' if one.formerly else ''})"
    told = one.explanation
    yield from _wrapped("", told.meaning)
    yield from _wrapped("Users notice", told.users)
    yield from _wrapped("What to do", told.remedy)
    yield from _wrapped("Runbook", told.runbook)


def _wrapped(label: str, text: str) -> list[str]:
    first = f"  {label:<{_LABELS}}" if label else "  "
    return textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=" " * len(first),
                         break_long_words=False, break_on_hyphens=False)


def index(words: Iterable[ExplainedWord]) -> Iterator[str]:
    """All words, one line each, by family."""
    for number, (kind, family) in enumerate(groupby(words, key=lambda one: one.kind)):
        members = list(family)
        width = max(len(one.word) for one in members)
        if number:
            yield ""
        yield f"{kind[0].upper()}{kind[1:]}"
        for one in members:
            first, *_ = re.split(r"(?<=\.) ", one.explanation.meaning)
            yield _cut(f"  {one.word:<{width}}  {first}")


def _cut(line: str) -> str:
    """A line that fits, cut between two words."""
    return line if len(line) <= _WIDTH else f"{line[:_WIDTH - 3].rsplit(' ', 1)[0].rstrip(' ,;:')}..."
