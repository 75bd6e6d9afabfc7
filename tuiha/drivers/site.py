"""The surroundings that a driver is opened in, beside the settings of the part of the pool that it is for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tuiha.config import secrets

if TYPE_CHECKING:
    from tuiha.config.settings import Pool
    from tuiha.config.values import Secret, Source


@dataclass(frozen=True)
class Site:
    """The surroundings of a driver: the settings of the whole pool, and the place that paths and secrets refer to."""

    pool: Pool
    base: Path  # the folder of the configuration file: relative paths begin there
    token: str = field(default="", repr=False)  # of the control interface: for tuiha's own servers alone
    renew: Callable[[], str] | None = None  # reads the token again, when a server refuses it
    known: Mapping[Source, str] = field(default_factory=dict, repr=False)  # secrets that were read already

    def secret(self, secret: Secret) -> str:
        """The text of a secret. Raises ConfigError; may block as long as the secret's command takes."""
        known = self.known.get(secret.source)
        return secrets.resolve(secret, self.base) if known is None else known
