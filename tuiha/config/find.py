"""Which configuration is meant when nobody says so."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tuiha.config import places
from tuiha.config.load import ConfigError, ConfigProblem

VARIABLE = "TUIHA_CONFIG"
FOLDER = "pools"  # in the configuration folder: one file for each further pool


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
    further = _further()
    if len(further) == 1:
        return further[0]
    if further:
        raise ConfigError(ConfigProblem(f"there are {len(further)} pools: {', '.join(file.stem for file in further)}",
                                        f"name one with --config {further[0]}"))
    running = places.running_pool()
    if running is not None:
        return running / places.EMBEDDED_CONFIGURATION
    raise ConfigError(ConfigProblem(
        f"there is no configuration: not ./{usual[0]}, not {usual[1]}, and no embedded pool is running",
        f"name one with --config FILE or {VARIABLE}, write one with 'tuiha init', or start an embedded pool with "
        "'tuiha up'"))


def find_all(explicit: Sequence[Path]) -> tuple[Path, ...]:
    """The configuration files of all pools to watch, at least one. Raises ConfigError when there is none.

    Those that were named; else tuiha.yaml and pools/*.yaml in the user's configuration folder, unless $TUIHA_CONFIG or
    ./tuiha.yaml names one; else what `find` finds.
    """
    if explicit:
        return tuple(dict.fromkeys(file.expanduser() for file in explicit))
    if os.environ.get(VARIABLE) or Path(places.CONFIGURATION).is_file():
        return (find(None),)
    usual = places.config_folder() / places.CONFIGURATION
    return tuple(file for file in (usual, *_further()) if file.is_file()) or (find(None),)


def _further() -> tuple[Path, ...]:
    return tuple(sorted((places.config_folder() / FOLDER).glob("*.yaml")))
