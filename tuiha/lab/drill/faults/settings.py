"""Settings that a drill changes: the servers are started with them before the load begins."""

from __future__ import annotations

from dataclasses import dataclass

from tuiha.lab.drill.needs import Setting
from tuiha.lab.drill.stage import Stage


@dataclass(frozen=True, slots=True)
class ChangedSettings:
    """A configuration of the servers that differs from the usual one."""

    settings: tuple[Setting, ...]

    @property
    def text(self) -> str:
        """In words."""
        return "servers have " + ", ".join(f"{section}.{key} {value}" for section, key, value in self.settings)

    async def do(self, stage: Stage) -> None:
        """Nothing: it was done before the load began."""


def recheck(seconds: float) -> ChangedSettings:
    """The mail server is asked again about a user's password after so long."""
    return ChangedSettings((("mail", "recheck", seconds),))
