"""Drivers that other packages offer. docs/drivers.md has a worked example."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tuiha.config.errors import ConfigError, Problem
from tuiha.config.plugins import offered


def imported(group: str, name: str, field: str) -> Callable[..., Any]:
    """What opens the driver `name`. Raises ConfigError, naming `field`, when it cannot be imported."""
    entry = offered(group).get(name)
    if entry is None:
        raise ConfigError(Problem(f"there is no driver '{name}' any more", "install the package that offers it", field))
    try:
        found: Callable[..., Any] = entry.load()
    except Exception as error:  # noqa: BLE001 - a foreign module may fail in any way
        raise ConfigError(Problem(
            f"the driver '{name}' cannot be imported: {type(error).__name__}: {error}",
            f"mend or remove the package that offers {entry.value}", field)) from None
    return found
