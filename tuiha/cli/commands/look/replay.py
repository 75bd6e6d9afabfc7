"""`tuiha replay`: the pool as it was recorded."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tuiha.cli import exits
from tuiha.cli.output.streams import put
from tuiha.cli.screens.looks import add_looks, looks_of

HELP = """Show the dashboard as it was. `,` and `.` go to the snapshot before and the next, `<` and `>` to the change
before and the next, `@` to a moment or an incident. `=` shows the differences from the snapshot before. Nothing can be
changed.

Without FILE it is the recording of the configured pool. FILE needs no configuration: a recording can be read
anywhere. A moment is 03:00 or 03:00:20 (the last such time before the recording's end, UTC), 2026-11-21 03:00, or 15m,
2h, 1d for so long before the end.

exit codes: 0 left, 2 no such recording, or no terminal"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add FILE, --at, --json and how it looks."""
    parser.add_argument("file", metavar="FILE", nargs="?", type=Path, help="a recording")
    parser.add_argument("--at", metavar="MOMENT", help="where to begin (the end)")
    parser.add_argument("--json", action="store_true",
                        help="no dashboard: print the snapshot of that moment as one JSON object (tuiha.status/2)")
    add_looks(parser)


def run(arguments: argparse.Namespace) -> int:
    """Show the recording until it is left, or print one snapshot of it."""
    if not arguments.json and not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        raise exits.CommandError("the dashboard needs a terminal; `tuiha replay --json` does without", exits.USAGE)
    from tuiha.watch.recording.replay import Replay

    path = _file(arguments)
    replay = Replay(path, _moment(path, arguments.at))
    try:
        if arguments.json:
            from tuiha.cli.output.documents import status

            put(json.dumps(status(replay.latest()), indent=2))
            return exits.OK
        from tuiha.tui.app import run as show

        return show(replay, replay.pool, mode="REPLAY", looks=looks_of(arguments), replay=replay)
    finally:
        replay.close()


def _file(arguments: argparse.Namespace) -> Path:
    if arguments.file is not None:
        return Path(arguments.file)
    from tuiha.cli.configuration import opened
    from tuiha.watch.recording.setup import place_of

    return place_of(*opened(arguments))


def _moment(path: Path, text: str | None) -> float | None:
    """The moment that is meant; a time of day depends on where the recording ends."""
    if text is None:
        return None
    from tuiha.watch.recording.moments import moment
    from tuiha.watch.recording.reader import Recording

    recording = Recording(path)
    try:
        return moment(text, recording.blocks[-1].last_at)
    except ValueError as error:
        raise exits.CommandError(str(error), exits.USAGE) from None
    finally:
        recording.close()
