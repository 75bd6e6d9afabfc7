"""Write docs/json.md: `python -m tests.programs.docs.documents`, from the top of the checkout.

Fields, values and meanings are those of `tuiha.model.documents`. What a document is for is said here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

from tuiha.model.documents import (
    AlertDocument,
    CheckDocument,
    DemoDocument,
    DevicesDocument,
    DrillDocument,
    EventsDocument,
    ExplainDocument,
    OperationDocument,
    OperationsDocument,
    PlanDocument,
    RefusalDocument,
    RehearsalDocument,
    StatusDocument,
    UsersDocument,
)
from tuiha.model.schema import Definitions, Schema, classes, meanings

TARGET = Path(__file__).parents[3] / "docs" / "json.md"
WIDTH = 120
WORDS = """# JSON documents

Every command that prints JSON prints one object with a `schema`: its name and a number. The number rises when a key is
removed or changes its meaning; new keys may come without it. `tuiha status --watch --json` prints one object on each
line.

- Keys are always there. An unknown value is `null`; tuiha leaves nothing out, and guesses nothing.
- Times are RFC 3339 in UTC with milliseconds: `2026-11-22T03:12:07.123Z`. Spans are in seconds, sizes in bytes.
- The exit code gives the same result as one number (see `tuiha COMMAND --help`).

The schemas below are JSON Schema (draft 2020-12). A program makes this page from the classes that the commands fill
(`tuiha/model/documents.py`), and the tests validate the output of the commands against it. A key without a line in a
table is what its name says. The answers of the pool servers' control interface are in their `/openapi.json`.
"""


@dataclass(frozen=True, slots=True)
class Page:
    """One document of the page."""

    kind: Any
    title: str
    words: str = ""


PAGES = (
    Page(StatusDocument, "`tuiha status --json`, `tuiha replay --json`", "One look at the pool, or at its recording."),
    Page(EventsDocument, "`tuiha events --json`",
         "The newest events as pool servers and operations recorded them in the database."),
    Page(UsersDocument, "`tuiha users --json`", "A page of users in the order of their names."),
    Page(DevicesDocument, "`tuiha devices NAME --json`"),
    Page(CheckDocument, "`tuiha check --json`"),
    Page(PlanDocument, "`tuiha plan --json`", "[operations.md](operations.md) says what plans and operations are."),
    Page(OperationDocument, "`tuiha apply --json`, `tuiha operations ID --json`",
         "`tuiha resume`, `tuiha undo` and `tuiha cancel` print it as well."),
    Page(RefusalDocument, "A refusal",
         "Commands of operations print it with `--json` when they are refused; the sentence is on stderr as well."),
    Page(OperationsDocument, "`tuiha operations --json`"),
    Page(AlertDocument, "What the command of `alerts:` reads",
         "`tuiha export` runs the command with one such line on its standard input."),
    Page(RehearsalDocument, "`tuiha rehearse --json`", "[backup.md](backup.md) says what a rehearsal is."),
    Page(ExplainDocument, "`tuiha explain [WORD] --json`", "Every word that fits, or without WORD all of them."),
    Page(DemoDocument, "`tuiha demo --headless --json`",
         "The checker's report on a run of the embedded pool under load. `failures`, `lost`, `doubled` and\n"
         "`monitored_twice` must be 0."),
    Page(DrillDocument, "`tuiha drill --json`",
         "One object for each scenario, as it ends. A figure that nobody could judge is null, and then `ok` is false."),
)


def schema_of(kind: Any) -> Schema:
    """The whole schema of a document."""
    definitions = Definitions()
    whole = definitions.whole(kind)
    name = get_args(get_type_hints(kind)["schema"])[0]
    found = {"$id": name, **whole}
    return found | ({"$defs": definitions.found} if definitions.found else {})


def document() -> str:
    """The whole page."""
    return WORDS + "".join(f"\n{part}\n" for page in PAGES for part in _parts(page))


def _parts(page: Page) -> Iterator[str]:
    yield f"## {page.title}"
    if page.words:
        yield page.words
    rows = [f"| `{path}` | {text} |" for path, text in _rows(page.kind, "")]
    if rows:
        yield "\n".join(["| key | meaning |", "|---|---|", *rows])
    yield f"```json\n{compact(schema_of(page.kind))}\n```"


def _rows(kind: Any, above: str) -> Iterator[tuple[str, str]]:
    """Each key with a meaning, by its path, with the keys inside it."""
    hints = get_type_hints(kind, include_extras=True)
    for name, text in meanings(kind):
        path = f"{above}{name}"
        if text:
            yield path, text
        for inner in classes(hints[name]):
            yield from _rows(inner, f"{path}[]." if "list[" in str(hints[name]) else f"{path}.")


def compact(value: object, depth: int = 0, before: int = 0) -> str:
    """JSON with everything on one line that fits; `before` is what stands on the line already."""
    line = json.dumps(value)
    if len(line) + 2 * depth + before < WIDTH or not isinstance(value, dict | list) or not value:
        return line
    space, end = "  " * (depth + 1), "  " * depth
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {compact(one, depth + 1, len(key) + 4)}" for key, one in value.items()]
        return "{\n" + ",\n".join(space + part for part in parts) + f"\n{end}}}"
    if all(isinstance(one, str | None) for one in value):
        return "[\n" + "\n".join(_wrapped([json.dumps(one) for one in value], space)) + f"\n{end}]"
    return "[\n" + ",\n".join(space + compact(one, depth + 1) for one in value) + f"\n{end}]"


def _wrapped(words: list[str], space: str) -> Iterator[str]:
    line = ""
    for number, word in enumerate(words):
        word += "," if number < len(words) - 1 else ""
        if line and len(space) + len(line) + 1 + len(word) > WIDTH:
            yield space + line
            line = ""
        line += f" {word}" if line else word
    yield space + line


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
