"""Documents are plain English: short sentences, with an actor, without the words of our own dialect."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.project.shown import ROOT, comments, documents, length, paragraphs, sentences

LONGEST = 25  # words

# A word that is not the usual one, and the usual one.
BANNED = {
    r"(?i)\b(?:whoever|somebody|anybody)\b": "name the actor: the server, the operator, someone",
    r"^(?:Who|What)\b(?! to do\.$)(?!.*\?)": "begin with the actor: a user that..., the part that...",
    r"(?i)\banew\b": "again",
    r"(?i)\bfloors\b": "layers",
    r"(?i)\bhearts\b": "heartbeats",
    r"(?i)\b(?:go|goes|going|went|gone) on\b": "continue",
    r"(?i)\bby (?:itself|themselves)\b": "automatically",
    r"(?i)\bof one's own\b": "your own",
    r"(?i)\b(?:let|lets|letting) (?:it |them |the \w+ )?go\b": "release, remove",
    r"(?i)\btells? of\b": "report, describe",
    r"(?i)\b(?:is|are) told\b": "receive, get",
    r"(?i)\bfor ever\b": "forever",
}
DEVELOPERS = {"CONTRIBUTING.md", "architecture.md", "proof.md"}  # pages for those who change the program
MADE = {"failover-transcript.md"}  # screens, as they were


def texts() -> list[Path]:
    """The pages, and the configurations that explain themselves."""
    return [*documents(), *sorted((ROOT / "config").glob("*.yaml"))]


def told(document: Path) -> list[str]:
    """The sentences of a page with their line."""
    found = paragraphs if document.suffix == ".md" else comments
    return [f"{line}: {sentence}" for line, paragraph in found(document.read_text())
            for sentence in sentences(paragraph)]


def too_long(sentence: str) -> bool:
    return length(sentence.partition(": ")[2]) > LONGEST


def dialect(sentence: str) -> str:
    """The usual words instead of those that the sentence has."""
    return "; ".join(usual for word, usual in BANNED.items() if re.search(word, sentence.partition(": ")[2]))


@pytest.mark.parametrize("document", texts(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_sentence_is_too_long(document: Path) -> None:
    found = [sentence for sentence in told(document) if too_long(sentence)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("document", texts(), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_words_are_the_usual_ones(document: Path) -> None:
    if document.name not in MADE:
        found = [f"{sentence} -> {usual}" for sentence in told(document) if (usual := dialect(sentence))]
        assert not found, "\n".join(found)


def test_no_page_for_users_runs_our_tests() -> None:
    """Programs of the tests are for developers; an installed tuiha does not have them."""
    for document in documents():
        if document.name not in DEVELOPERS:
            assert "python -m tests" not in document.read_text(), document.relative_to(ROOT)


PAGE = """# A heading that counts for nothing

One [link with words](a/b.md) here. `code with. a dot` is one
word!

**Bold.** More.

| a | table |

- An item
  of a list: more.
- Another.

```
Code. Is not.
```

    Indented. Neither.
"""


def test_sentences_are_found_and_counted() -> None:
    assert [sentence for _, block in paragraphs(PAGE) for sentence in sentences(block)] == [
        "One link with words here.", "`code_with_a_dot` is one word!", "Bold.", "More.", "An item of a list: more.",
        "Another."]
    assert length("`code_with_a_dot` is one word!") == 4
    assert [line for line, _ in paragraphs(PAGE)] == [3, 6, 10, 12]
    assert too_long("1: " + "word " * 26)
    assert not too_long("1: " + "word " * 25)


@pytest.mark.parametrize("sentence", ["Whoever runs it goes on.", "What is left is made anew.", "It ends by itself.",
                                      "Who runs Patroni keeps it.", "Nobody can let the user go."])
def test_dialect_is_found(sentence: str) -> None:
    assert dialect(f"1: {sentence}")
    assert not dialect("1: What is tuiha? The server continues, and releases the user automatically.")
