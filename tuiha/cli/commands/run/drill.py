"""`tuiha drill`: load, a fault, and the verdict of an independent checker, on embedded pools."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from tuiha.cli import exits
from tuiha.cli.output.streams import put, say

if TYPE_CHECKING:
    from tuiha.lab.drill.scenario import Scenario
    from tuiha.lab.drill.verdict import DrillVerdict, Run

HELP = """Drill the pool: start an embedded pool with load, hurt it at a chosen moment, let the operation run, and
print the verdict of an independent checker. Each scenario has a pool of its own; everything is gone when it ends.

Without a name a quick subset runs (about 3 minutes); --all runs everything, --list names it. With --json one JSON
object a scenario is printed as it ends (tuiha.drill/1).

exit codes: 0 everything held, 1 something did not, 2 no such scenario, or the pool's servers are not installed"""

_HEADS = ("scenario", "", "lost", "late", "doubled", "twice", "split", "outage", "failed", "delayed", "subst.",
          "operation")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add which scenarios, and what is printed."""
    parser.add_argument("scenarios", metavar="SCENARIO", nargs="*", help="names (see --list); none: the quick ones")
    parser.add_argument("--all", action="store_true", help="run every scenario")
    parser.add_argument("--list", action="store_true", help="list the scenarios and what each does")
    parser.add_argument("--json", action="store_true", help="print one JSON object a scenario")
    parser.add_argument("--history", type=Path, metavar="FILE",
                        help="write every registration and read of the witness, for other checkers")


def run(arguments: argparse.Namespace) -> int:
    """Run the drills; the code says whether all held."""
    import asyncio

    from tuiha.lab.drill.matrix.unattended import table

    known = table()
    chosen = _chosen(arguments, known)
    if arguments.list:
        put("\n".join(listing(list(known.values()) if not arguments.scenarios else chosen)))
        return exits.OK
    _installed()
    with _opened(arguments.history) as history:
        verdicts = asyncio.run(_run(chosen, arguments.json, history))
    if not arguments.json:
        put("\n".join(report(verdicts)))
    return exits.OK if all(verdict.ok for verdict in verdicts) else exits.FAILED


def _opened(path: Path | None) -> TextIO | nullcontext[None]:
    """The file of histories; None without one. Raises CommandError when it cannot be written."""
    if path is None:
        return nullcontext()
    try:
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise exits.CommandError(f"cannot write {path}: {error.strerror}", exits.USAGE) from None


def _installed() -> None:
    """Raises CommandError where the pool's real servers are missing: said once, not once a scenario."""
    from tuiha.lab.runtime import binaries

    try:
        binaries.find()
    except binaries.MissingServers as missing:
        raise exits.CommandError(str(missing), exits.USAGE) from None


def _chosen(arguments: argparse.Namespace, known: Mapping[str, Scenario]) -> list[Scenario]:
    """The scenarios that were asked for. Raises CommandError for a name that is none."""
    import difflib

    for name in arguments.scenarios:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else "`tuiha drill --list` names them"
            raise exits.CommandError(f"there is no scenario '{name}'; {hint}", exits.USAGE)
    if arguments.scenarios:
        return [known[name] for name in arguments.scenarios]
    return list(_possible(known)) if arguments.all else [s for s in known.values() if s.quick]


def _possible(known: Mapping[str, Scenario]) -> Iterator[Scenario]:
    """Every scenario that this user can run; says which are left out, and why."""
    import os

    from tuiha.lab.drill.needs import lacking

    for scenario in known.values():
        why = lacking(scenario.acts, os.geteuid() == 0)
        if why is None:
            yield scenario
        else:
            say(f"{scenario.name}: skipped: {why}")


async def _run(scenarios: Sequence[Scenario], as_json: bool, file: TextIO | None) -> list[DrillVerdict]:
    import json

    from tuiha.lab.drill.observation.history import history
    from tuiha.lab.drill.run import drill

    def keep(scenario: Scenario, run: Run) -> None:
        if file is not None:
            file.writelines(f"{line}\n" for line in history(scenario.name, run.recording, run.kept, run.looked))
            file.flush()

    verdicts = []
    for scenario in scenarios:
        verdict = await drill(scenario, say, keep=keep)
        verdicts.append(verdict)
        if as_json:
            put(json.dumps(verdict.document()))
        say("  everything held" if verdict.ok else f"  FAILED: {'; '.join(verdict.broken)}")
    return verdicts


def listing(scenarios: Sequence[Scenario]) -> list[str]:
    """Name, mark of the quick ones, story."""
    from tuiha.cli.output.table import aligned

    return aligned([[s.name, "quick" if s.quick else "", s.story] for s in scenarios])


def report(verdicts: Sequence[DrillVerdict]) -> list[str]:
    """The verdicts as an aligned table, and below it what did not hold."""
    from tuiha.cli.output.table import aligned, cell

    rows = [list(_HEADS)]
    for v in verdicts:
        operation = f"{v.operation.get('kind')} {v.operation.get('result')}" if v.operation else None
        numbers = (v.lost, v.late, v.doubled, v.monitored_twice, v.split)
        rows.append([v.scenario, "ok" if v.ok else "FAILED", *map(cell, numbers), cell(v.outage_ms, "{:,} ms"),
                     cell(v.requests_failed, "{:,}"), cell(v.requests_delayed, "{:,}"), cell(v.substitutes, "{:,}"),
                     cell(operation)])
    lines = aligned(rows, right=range(2, 11))
    for v in verdicts:
        if v.mail is not None:
            lines.append(f"{v.scenario}: {v.mail.text}")
        lines += [f"{v.scenario}: {text}" for text in v.broken]
        lines += [f"{v.scenario}: {kind}: {text}" for kind, texts in v.examples.items() for text in texts]
    return lines
