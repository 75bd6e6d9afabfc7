"""What documents show: their prose in sentences, and their commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"(?m)^ *```.*\n(?P<text>(?:.*\n)*?) *```")
_INDENTED = re.compile(r"(?m)(?:^|(?<=\n\n))(?: {4}.*\n)+")
_CODE = re.compile(r"`([^`]+)`")
_COMMAND = re.compile(  # at a command's place: first in its line or behind a word of the shell
    r"\s*(?:\$ )?(?:until )?(?:[\w.]*/)*tuiha(?P<words> .+)")
_ENDS = re.compile(r"\s{2,}|\s#|\s?(?:;|&&|\|\|?|2>&1|>>?)(?:\s|$)")
_ITEM = re.compile(r"^\s*(?:[-*]|\d+\.)\s+")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\")]?\s+")


@dataclass(frozen=True, slots=True)
class ShownCommand:
    """A `tuiha ...` of a document: its words, and whether it stands in a sentence, where a name alone may do."""

    words: tuple[str, ...]
    in_a_sentence: bool

    def __str__(self) -> str:
        return " ".join(("tuiha", *self.words))


def documents() -> list[Path]:
    """Every page for people."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")),
            *sorted((ROOT / "config").rglob("*.md"))]


def blocks(text: str) -> Iterator[str]:
    """The code of a document, fenced or indented, with its lines joined at a backslash."""
    for found in _FENCE.finditer(text):
        yield found["text"].replace("\\\n", " ")
    for found in _INDENTED.finditer(_FENCE.sub("", text)):
        yield found[0].replace("\\\n", " ")


def commands(text: str) -> Iterator[ShownCommand]:
    """Each `tuiha ...` of a document: in its code, its tables and its sentences."""
    for block in blocks(text):
        for line in block.splitlines():
            beside = r"\s{2,}(?=tuiha )" if line.lstrip().startswith("tuiha ") else r"(?!)"  # two in a line, or output
            for piece in re.split(rf"{beside}|&& |; |\| ", line):
                if (found := _COMMAND.match(piece)) is not None:
                    yield ShownCommand(_words(found["words"]), in_a_sentence=False)
    for found in _CODE.finditer(_INDENTED.sub("\n", _FENCE.sub("", text))):
        code = " ".join(found[1].split())
        if code.startswith("tuiha "):
            yield ShownCommand(_words(code.removeprefix("tuiha ")), in_a_sentence=True)


def _words(text: str) -> tuple[str, ...]:
    return tuple(shlex.split(_ENDS.split(text, maxsplit=1)[0], comments=False))


def paragraphs(text: str) -> Iterator[tuple[int, str]]:
    """The prose of a document with the line it begins in: no headings, tables or code."""
    lines: list[str] = []
    first = 0
    fenced = False
    listed = False
    for number, line in enumerate((*text.split("\n"), ""), 1):
        words = line.strip()
        listed = _ITEM.match(line) is not None or (listed and line[:1] in ("", " "))
        fence = words.startswith("```")
        code = fenced or fence or (line.startswith("    ") and not lines and not listed)
        fenced ^= fence
        ends = code or not words or words.startswith(("|", "#", "<", "![")) or _ITEM.match(line) is not None
        if ends and lines:
            yield first, " ".join(lines)
            lines = []
        if code or not words or words.startswith(("|", "#", "<", "![")):
            continue
        first = first if lines else number
        lines.append(_ITEM.sub("", line, count=1).strip().removeprefix("> "))


def comments(text: str) -> Iterator[tuple[int, str]]:
    """The comments of a configuration that stand alone, with the line each begins in; a setting is no comment."""
    lines: list[str] = []
    first = 0
    for number, line in enumerate((*text.split("\n"), ""), 1):
        words = re.fullmatch(r" *# (\S.*)", line)
        if words is None and lines:
            yield first, " ".join(lines)
            lines = []
        if words is not None:
            first = first if lines else number
            lines.append(words[1])


def sentences(paragraph: str) -> list[str]:
    """The sentences of a paragraph: a link is its text, and a piece of code is one word."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", paragraph)
    text = _CODE.sub(lambda found: f"`{re.sub(r'[^A-Za-z0-9]+', '_', found[1])}`", text)
    return _SENTENCE_END.split(text.replace("**", "").replace("*", ""))


def length(sentence: str) -> int:
    """The words of a sentence."""
    return sum(any(letter.isalnum() for letter in word) for word in sentence.split())
