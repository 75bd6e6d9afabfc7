"""Several pools: the list, the dashboard of the one that is opened, and the list again."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tuiha.cli.exits import CommandError
from tuiha.cli.screens.pools import watching
from tuiha.config.errors import ConfigError

if TYPE_CHECKING:
    from tuiha.tui.looks import Looks


def show_several(paths: Sequence[Path], looks: Looks) -> int:
    """Show the list until it is left; all pools are watched, and recorded, all the time."""
    from tuiha.cli.logfile import log_to_file

    with watching(paths) as pools:
        log_to_file()
        from tuiha.cli.screens.dashboard import show_pool
        from tuiha.tui.terminal.app import TerminalApp
        from tuiha.tui.views.wall.picker import Picker

        cursor, palette = 0, looks.palette()
        while True:
            picker = Picker([pool.watched() for pool in pools], palette, first=cursor)
            code = picker.show()
            if picker.chosen is None or TerminalApp.told_to_end:
                return code
            cursor = picker.chosen
            with suppress(ConfigError, CommandError):  # of a pool that cannot be watched the list says why
                show_pool(pools[cursor].feed, pools[cursor].path, lambda _: looks)
            if TerminalApp.told_to_end:
                return code
