"""The configuration that a command works with."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuiha.config.settings import Pool


def opened(arguments: argparse.Namespace) -> tuple[Pool, Path]:
    """The pool, and the folder that its relative paths start from. Raises ConfigError."""
    from tuiha.config.find import find
    from tuiha.config.load import load

    path = find(arguments.config)
    return load(path), path.parent
