"""Writes docs/glossary.md: `python -m tests.programs.docs.glossary`, from the top of the checkout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from tuiha.words.explain import ExplainedWord, every

TARGET = Path(__file__).parents[3] / "docs" / "glossary.md"
WORDS = """# Glossary

Every word of the screens, messages and documents. `tuiha explain WORD` prints the same text, also without a
configuration. Capitals, blanks, `-` and `_` do not matter there.
"""


def rows() -> Iterator[str]:
    """A table for each family."""
    for kind, family in groupby(every(), key=lambda one: one.kind):
        members = list(family)
        columns = [title for title, field in (("what users notice", "users"), ("what to do", "remedy"))
                   if any(getattr(one.explanation, field) for one in members)]
        titles = ["word", "meaning", *columns]
        yield f"\n## {kind[0].upper()}{kind[1:]}\n\n| {' | '.join(titles)} |\n|{'---|' * len(titles)}"
        yield from (f"| {' | '.join(_cells(one, columns))} |" for one in members)


def _cells(one: ExplainedWord, columns: Iterable[str]) -> Iterator[str]:
    told = one.explanation
    word = f"[`{one.word}`](runbooks/{one.word}.md)" if told.runbook else f"`{one.word}`"
    yield f"{word}, formerly {one.formerly}" if one.formerly else word
    yield told.meaning
    if "what users notice" in columns:
        yield told.users
    if "what to do" in columns:
        yield told.remedy


def document() -> str:
    """The whole document."""
    return WORDS + "\n".join(rows()) + "\n"


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
