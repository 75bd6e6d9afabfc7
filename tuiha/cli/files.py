"""Arguments that are files: shells complete them."""

from __future__ import annotations

import argparse


def completed_by_files(action: argparse.Action) -> None:
    """Have a shell complete an argument by the names of files."""
    action.complete = {"bash": "_shtab_compgen_files", "zsh": "_files",  # type: ignore[attr-defined]
                       "fish": "-F"}
