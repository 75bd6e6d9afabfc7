"""Which configuration is meant when nobody says so."""

from __future__ import annotations

import os
from pathlib import Path

from tuiha.config import places
from tuiha.config.load import ConfigError, Problem

VARIABLE = "TUIHA_CONFIG"


def find(explicit: Path | None) -> Path:
    """The configuration file to use. Raises ConfigError when there is none.

    In this order: `explicit` (`--config`), $TUIHA_CONFIG, ./tuiha.yaml, tuiha.yaml in the user's configuration
    folder, the running embedded pool. One that was named is returned even when it does not exist: falling back to
    another pool would be worse than the message that `load` has for it.
    """
    if explicit is not None:
        return explicit.expanduser()
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser()
    usual = (Path(places.CONFIGURATION), places.config_folder() / places.CONFIGURATION)
    for file in usual:
        if file.is_file():
            return file
    running = places.running_pool()
    if running is not None:
        return running / places.EMBEDDED_CONFIGURATION
    raise ConfigError(Problem(
        f"there is no configuration: not ./{usual[0]}, not {usual[1]}, and no embedded pool is running",
        f"name one with --config FILE or {VARIABLE}, or start an embedded pool with 'tuiha up'"))
