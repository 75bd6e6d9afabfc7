"""Several pools: the list, the dashboard of the one that is opened, and the list again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tuiha.cli.pools import Opened
from tuiha.cli.recording import Kept

if TYPE_CHECKING:
    from tuiha.tui.looks import Looks


def show_several(paths: Sequence[Path], looks: Looks) -> int:
    """Show the list until it is left; all pools are watched, and recorded, all the time."""
    from tuiha.tui.pools.picker import Picker
    from tuiha.tui.terminal.app import TerminalApp

    recordings: dict[Path, Kept] = {}

    def started(pool: Opened) -> None:
        if pool.settings is not None and pool.watcher is not None:
            recordings[pool.path] = Kept(pool.settings, pool.path.parent)
            recordings[pool.path].start(pool.watcher)

    pools = [Opened(path, started) for path in paths]
    cursor, palette = 0, looks.palette()
    try:
        while True:
            picker = Picker([pool.watched() for pool in pools], palette, first=cursor)
            code = picker.show()
            if picker.chosen is None or TerminalApp.told_to_end:
                return code
            cursor = picker.chosen
            _show(pools[cursor], recordings, looks)
            if TerminalApp.told_to_end:
                return code
    finally:
        for pool in pools:
            pool.stop()
        for kept in recordings.values():
            kept.stop()


def _show(pool: Opened, recordings: dict[Path, Kept], looks: Looks) -> None:
    """The dashboard of one pool; of one that cannot be watched the list says why."""
    if pool.settings is None or pool.watcher is None:
        return
    from tuiha.cli.operator import operator_of
    from tuiha.tui.app import run as show

    kept = recordings.get(pool.path)
    operator = operator_of(pool.settings, pool.path.parent, pool.path)
    try:
        show(pool.watcher, pool.name, looks=looks, ready=pool.start, operator=operator,
             past=kept.open if kept is not None else None)
    finally:
        operator.close()
