"""Writes docs/runbooks/: `python -m tests.programs.docs.runbooks`, from the top of the checkout.

A page has the glossary's texts, what `tuiha status` prints for such a problem (of a made-up pool), and the parts of
tests/programs/docs/runbook_parts.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from tests.programs.docs.runbook_parts import PARTS, Look
from tests.words.pools import snapshots
from tuiha.cli.output.status import problem_text
from tuiha.model.codes import ProblemCode
from tuiha.model.facts import Severity
from tuiha.words.glossary.problems import PROBLEMS
from tuiha.words.problems import state_words

FOLDER = Path(__file__).parents[3] / "docs" / "runbooks"
_SEEDS = range(80)
_SEVERITIES: Mapping[Severity, str] = {
    Severity.BAD: "Act now",
    Severity.WARNING: "Act today",
    Severity.NOTE: "Good to know",
}
_INDEX = """# Runbooks

One page for each problem that tuiha reports: what it means, what users notice, what to do, and what to avoid.
Key `!` of the dashboard lists the problems of the pool. `tuiha explain CODE` prints the short form.
`tuiha status --json` and alerts carry the address of the page. A problem is listed here by the worst severity that it
can have.
"""


@cache
def samples() -> Mapping[ProblemCode, tuple[str, ...]]:
    """What `tuiha status` prints for a problem of each code; the shortest one of many made-up pools."""
    found: dict[ProblemCode, tuple[str, ...]] = {}
    for seed in _SEEDS:
        for snapshot in snapshots(seed):
            for one in snapshot.problems:
                lines = tuple(problem_text(one, snapshot.at))
                if one.code not in found or len("".join(lines)) < len("".join(found[one.code])):
                    found[one.code] = lines
    return found


def page(code: ProblemCode) -> str:
    """A problem's page."""
    return "\n".join(_page(code)) + "\n"


def _page(code: ProblemCode) -> Iterator[str]:
    entry, parts = PROBLEMS[code], PARTS[code]
    state = " / ".join(state_words(code))
    yield f"# {code}{f': {state}' if state else ''}\n"
    yield f"{entry.meaning}\n"
    yield f"## Users notice\n\n{entry.users}\n"
    yield f"## Remedy\n\n{entry.remedy}\n"
    if code in samples():
        yield "`tuiha status` shows, for example:\n\n```"
        yield from samples()[code]
        yield "```\n"
    yield "## Find the cause\n"
    for look in parts.looks:
        yield from _look(look)
    yield "## Do not\n"
    yield from (f"- {one}" for one in parts.avoid)
    yield f"\n## When to wake an expert\n\n{parts.wake}\n"
    yield f"[All runbooks](README.md) · [glossary](../glossary.md) · `tuiha explain {code}`"


def _look(look: Look) -> Iterator[str]:
    yield f"{look.where[0].upper()}{look.where[1:]}:\n\n```\n{look.command}\n```\n"
    yield "| output | meaning |\n|---|---|"
    for output, meaning in look.outputs:
        told = output.strip().replace("|", "\\|")
        yield f"| `{told}` | {meaning} |"
    yield ""


def index() -> str:
    """The page that leads to all others."""
    lines = [_INDEX]
    for severity, title in _SEVERITIES.items():
        lines += [f"## {title}\n", "| problem | state | meaning |", "|---|---|---|"]
        lines += [f"| [`{code}`]({code}.md) | {' / '.join(state_words(code))} | {entry.meaning} |"
                  for code, entry in PROBLEMS.items() if entry.severity is severity]
        lines.append("")
    return "\n".join(lines)


def documents() -> dict[str, str]:
    """All pages, by the names of their files."""
    return {"README.md": index(), **{f"{code}.md": page(code) for code in ProblemCode}}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in documents().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
