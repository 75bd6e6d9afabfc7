"""Arguments of commands: files, which shells complete, and numbers within bounds."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def completed_by_files(action: argparse.Action) -> None:
    """Have a shell complete an argument by the names of files."""
    action.complete = {"bash": "_shtab_compgen_files", "zsh": "_files",  # type: ignore[attr-defined]
                       "fish": "-F"}


def whole(low: int, high: int) -> Callable[[str], int]:
    """A whole number from `low` to `high`, as an argument's type."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from {low:,} to {high:,}")
        return value

    return read
