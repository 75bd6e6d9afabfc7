"""`tuiha rehearse`: restore a backup in a folder of its own, and report."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from tuiha.cli import exits
from tuiha.cli.arguments import completed_by_files
from tuiha.cli.output.streams import put, say

if TYPE_CHECKING:
    from tuiha.model.databases.restores import RestoreReport
    from tuiha.model.documents import RehearsalDocument

HELP = """Rehearse a restore: verify a base backup, copy it to a folder of its own, start PostgreSQL on the copy, read
the pool's tables, begin a new epoch there, and report. The pair is not touched: the copy opens no port, archives
nothing and follows nothing. It is removed at the end.

BACKUP is the folder of a base backup, as pg_basebackup, `pgbackrest restore` or `barman recover` write it. With --from
a base backup is taken first. A configuration, where there is one, says which pool it should be of.

exit codes: 0 the pool can be restored from it, 1 it cannot, 2 usage, or PostgreSQL's programs are not here"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add BACKUP and the options."""
    backup = parser.add_argument("backup", metavar="BACKUP", nargs="?", type=Path, help="folder of a base backup")
    completed_by_files(backup)
    parser.add_argument("--from", metavar="CONNINFO", dest="source",
                        help="take a base backup from there first: 'host=db2 user=tuiha_replica'; the password is in "
                             "~/.pgpass or PGPASSFILE")
    parser.add_argument("--archive", metavar="COMMAND", default="false",
                        help="PostgreSQL's restore_command: fetches WAL that the backup lacks, 'cp /archive/%%f %%p'")
    parser.add_argument("--folder", metavar="DIR", type=Path, help="where the copy is made; it needs the room")
    parser.add_argument("--programs", metavar="DIR", type=Path, help="PostgreSQL's programs, of the backup's version")
    parser.add_argument("--superuser", metavar="NAME", default="postgres", help="of the backup (default postgres)")
    parser.add_argument("--seconds", metavar="N", type=float, default=3600.0,
                        help="limit of each stage (default 3600)")
    parser.add_argument("--json", action="store_true", help="print one JSON object (tuiha.rehearsal/1)")


def run(arguments: argparse.Namespace) -> int:
    """Rehearse, and print the report."""
    from tuiha.lab.pool.account import NoAccount
    from tuiha.lab.restore import NotRehearsed, RestoreOrder, rehearse
    from tuiha.words.reports.backups import restore_lines

    if (arguments.backup is None) == (arguments.source is None):
        raise exits.CommandError("name the folder of a base backup, or --from CONNINFO, and not both", exits.USAGE)
    pool, database, system = _expected(arguments)
    backup, programs, folder = (None if one is None else one.absolute()
                                for one in (arguments.backup, arguments.programs, arguments.folder))
    wanted = RestoreOrder(backup, arguments.source, programs, folder, database, arguments.superuser, arguments.archive,
                    arguments.seconds, pool, system)
    try:
        report = rehearse(wanted, lambda done: say(f"tuiha: {done.stage}: {done.result} ({done.seconds:.1f} s)"))
    except (NotRehearsed, NoAccount) as error:
        raise exits.CommandError(str(error), exits.USAGE) from None
    put(json.dumps(document(report), indent=2) if arguments.json else "\n".join(restore_lines(report)))
    return exits.OK if report.good else exits.FAILED


def _expected(arguments: argparse.Namespace) -> tuple[str | None, str, str | None]:
    """The pool, its database's name and its system, as the configuration says; without one any pool will do."""
    from tuiha.cli.configuration import config_of
    from tuiha.config.errors import ConfigError
    from tuiha.config.load import load

    try:
        path = config_of(arguments)
    except ConfigError:
        if arguments.config is not None:
            raise
        return None, "tuiha", None
    pool = load(path)
    return pool.pool, pool.database.name, pool.database.system_identifier


def document(report: RestoreReport) -> RehearsalDocument:
    """The document of `tuiha rehearse --json`."""
    from tuiha.cli.output.table import moment

    found = report.found
    return {
        "schema": "tuiha.rehearsal/1", "backup": report.backup, "at": moment(report.at), "good": report.good,
        "seconds": round(report.seconds, 3),
        "stages": [{"stage": one.stage, "result": one.result, "seconds": round(one.seconds, 3),
                    "fault": one.fault, "detail": one.detail} for one in report.stages],
        "found": None if found is None else {
            "pool": found.pool, "epoch": found.epoch, "active": found.active, "timeline": found.timeline,
            "system_identifier": found.system_identifier, "users": found.users, "devices": found.devices,
            "changes": found.changes, "newest": moment(found.newest)}}
