"""`tuiha check`: is everything that the configuration names there, and does it fit together?"""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import TYPE_CHECKING

from tuiha.cli import exits
from tuiha.cli.output.streams import progress, put, say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tuiha.config.settings import Pool
    from tuiha.drivers.protocols import LedgerDriver
    from tuiha.model.check.finding import Finding
    from tuiha.model.documents import CheckDocument
    from tuiha.model.reports import LedgerRecord
    from tuiha.watch.check import Checked

HELP = """Validate the configuration, then probe everything it names, in parallel, and say what to fix: reach, log-in,
roles and rights, identity and settings of the pair, lag, clocks, tokens, versions, ledger, capacity with one server
less, certificates. Nothing is changed, unless --create-ledger is given.

exit codes: 0 nothing is bad, 1 something is, 2 the configuration cannot be used, 3 nothing could be reached,
            4 the ledger could not be created"""

_MARK = {"ok": "ok     ", "warning": "WARNING", "bad": "BAD    "}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add --json and --create-ledger."""
    parser.add_argument("--json", action="store_true", help="print one JSON object (tuiha.check/1)")
    parser.add_argument("--create-ledger", action="store_true",
                        help="write the first ledger record from the active database's facts")


def run(arguments: argparse.Namespace) -> int:
    """Print the findings."""
    from tuiha.cli.configuration import config_of
    from tuiha.config.load import load
    from tuiha.watch.check import check

    path = config_of(arguments)
    pool, base = load(path), path.parent
    with progress(f"probing {pool.pool}"):
        checked = asyncio.run(check(pool, base, path))
        if arguments.create_ledger:
            _create(pool, base, checked)
            checked = asyncio.run(check(pool, base, path))
    bad = sum(f.level == "bad" for f in checked.findings)
    put(json.dumps(document(pool.pool, checked.findings), indent=2) if arguments.json else _text(checked))
    if not checked.reached:
        return exits.UNREACHABLE
    return exits.FAILED if bad else exits.OK


def _text(checked: Checked) -> str:
    from tuiha.cli.output.table import plain
    from tuiha.words.findings import said

    width = max((len(f.subject) for f in checked.findings), default=0)
    lines = []
    for finding in checked.findings:
        told = said(finding)
        lines.append(f"{_MARK[finding.level]}  {finding.subject:<{width}}  {plain(told.what)}")
        if told.means:
            lines.append(f"{'':{width + 11}}{told.means}")
        if told.fix:
            lines.append(f"{'':{width + 11}}fix: {told.fix}")
    bad, warnings = (sum(f.level == level for f in checked.findings) for level in ("bad", "warning"))
    lines.append(f"{len(checked.findings)} findings: {bad} bad, {warnings} to think about")
    return "\n".join(lines)


def document(pool: str, found: Sequence[Finding]) -> CheckDocument:
    """The document of `tuiha check --json`."""
    from tuiha.words.findings import said

    return {"schema": "tuiha.check/1", "pool": pool,
            "findings": [{"level": f.level, "code": str(f.code), "subject": f.subject, "what": told.what,
                          "means": told.means or None, "fix": told.fix or None}
                         for f in found for told in (said(f),)]}


async def _written(ledger: LedgerDriver, record: LedgerRecord) -> None:
    try:
        await ledger.create(record)
    finally:
        await ledger.close()


def _create(pool: Pool, base: Path, checked: Checked) -> None:
    """Write the first ledger record. Raises CommandError."""
    from tuiha.drivers.factory import open_ledger
    from tuiha.drivers.protocols import Conflict, DriverError
    from tuiha.watch.check import first_record

    driver = open_ledger(pool, base)
    if driver is None:
        raise exits.CommandError("the configuration names no ledger; add ledger: with its path", exits.USAGE)
    record = first_record(checked)
    if isinstance(record, str):
        raise exits.CommandError(f"the ledger was not created: {record}. `tuiha check` says more.", exits.REFUSED)
    try:
        asyncio.run(_written(driver, record))
    except Conflict as error:
        raise exits.CommandError(f"the ledger was not created: {error}. Remove it only when it is surely not in use.",
                                 exits.REFUSED) from None
    except (DriverError, OSError) as error:
        raise exits.CommandError(f"the ledger was not created: {error}", exits.FAILED) from None
    say(f"ledger created: epoch {record.epoch}, {record.active} active, standby {record.standby}")
