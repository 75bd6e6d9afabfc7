"""The options that say how a dashboard looks and sounds."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuiha.tui.looks import Looks


def add_looks(parser: argparse.ArgumentParser) -> None:
    """Add --theme, --ascii, --no-clock, --no-bell and --notify."""
    parser.add_argument("--theme", metavar="NAME", help="dark, light, color-blind, high-contrast, ansi, plain, one of "
                        "your own by name, or a theme's file (the one that fits the terminal; ansi over SSH)")
    parser.add_argument("--ascii", action="store_true", help="draw with nothing but ASCII characters")
    parser.add_argument("--no-clock", action="store_true", help="no time on line 1: a pool that is idle sends nothing")
    parser.add_argument("--no-bell", action="store_true", help="no bell when a node is newly DOWN")
    parser.add_argument("--notify", action="store_true",
                        help="tell the desktop as well when a node is newly DOWN (OSC 9)")


def looks_of(
    arguments: argparse.Namespace, wanted: Mapping[str, list[str]] | None = None, path: Path | None = None
) -> Looks:
    """What was asked for, with the keys of the pool's configuration. Raises ConfigError when they cannot be used."""
    from tuiha.tui.looks import Looks

    keys = own_keys(wanted, path) if wanted else {}
    return Looks(
        arguments.theme, arguments.ascii, not arguments.no_clock, not arguments.no_bell, arguments.notify, keys=keys
    )


def own_keys(wanted: Mapping[str, list[str]], path: Path | None) -> dict[str, str]:
    """The `keys:` section, checked. Raises ConfigError with file and line."""
    from tuiha.config.document import read
    from tuiha.tui.keymap import keymap

    document = None if path is None else read(path)
    return keymap(wanted, lambda id: (path, None if document is None else document.line(("keys", id))))
