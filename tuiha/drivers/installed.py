"""Imports drivers, ours and those of other packages. docs/drivers.md has worked examples."""

from __future__ import annotations

from typing import Any, Protocol

from tuiha.config.errors import ConfigError, ConfigProblem
from tuiha.config.plugins import DriverKind, find
from tuiha.drivers.site import Site


class Opener(Protocol):
    """The object behind an entry point: a class, or a function."""

    def __call__(self, settings: Any, site: Site, /) -> Any:
        """Make the driver of one part of the pool. `settings`: that part's own. Nothing is connected yet."""


def imported(kind: DriverKind, name: str, field: str) -> Opener:
    """The opener of the driver `name`. Raises ConfigError, naming `field`, when it cannot be imported."""
    entry = find(kind, name)
    if entry is None:
        raise ConfigError(
            ConfigProblem(f"there is no driver '{name}' any more", "install the package that offers it", field)
        )
    try:
        found: Opener = entry.load()
    except Exception as error:  # noqa: BLE001 - a foreign module may fail in any way
        raise ConfigError(ConfigProblem(
            f"the driver '{name}' cannot be imported: {type(error).__name__}: {error}",
            f"mend or remove the package that offers {entry.value}", field)) from None
    return found
