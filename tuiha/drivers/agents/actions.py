"""The actions of an agent, whichever way its orders go; what it answers is checked here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from tuiha.drivers.protocols import AgentError, Stopped

_LOOK = 3.0  # seconds for an action that only looks
_REHEARSAL = 10.0  # seconds for a log-in by ssh, and several looks
_COPY = 60  # a base backup may take that many times the limit of an action


@runtime_checkable
class Measuring(Protocol):
    """An agent that can tell how much room a database's host has."""

    async def space(self) -> int:
        """Free bytes where the data is. Raises AgentError."""


@runtime_checkable
class Rehearsing(Protocol):
    """An agent that can tell whether it could do what it may be asked for."""

    async def ready(self) -> None:
        """Look, and change nothing. Raises AgentError with what is in the way."""


class Actions(ABC):
    """An agent as nine actions over one `_order`."""

    def __init__(self, name: str, seconds: float) -> None:
        self.name = name
        self.seconds = seconds

    @abstractmethod
    async def _order(self, action: str, argument: str, seconds: float) -> Mapping[str, Any]:
        """Have an action done and return what the agent answered. Raises AgentError."""

    async def stop(self, mode: str = "fast") -> Stopped:
        """Stop the database (mode `fast`: cleanly, `immediate`: at once); done already when it is stopped."""
        return self._stopped("stop", await self._order("stop", mode, self.seconds))

    async def start(self) -> None:
        """Start the database as what it was; done already when it runs. Returns before it answers."""
        await self._order("start", "", self.seconds)

    async def position(self) -> Stopped:
        """Where a stopped database ends."""
        return self._stopped("position", await self._order("position", "", self.seconds))

    async def fence(self) -> bool:
        """See that it does not run, and will not start by itself; whether it ran before."""
        answer = await self._order("fence", "", self.seconds)
        if not isinstance(answer.get("ran"), bool):
            raise AgentError(f"the agent of {self.name} did not say whether {self.name} ran before it was fenced")
        return bool(answer["ran"])

    async def rewind(self, source: str) -> str:
        """Make the stopped database one that can follow `source` (pg_rewind); what the program said last."""
        return str((await self._order("rewind", source, self.seconds)).get("text", ""))

    async def base_backup(self, source: str) -> None:
        """Replace the stopped database by a fresh copy of `source`."""
        await self._order("base_backup", source, self.seconds * _COPY)

    async def follow(self, source: str) -> None:
        """Have the stopped database start as the secondary of `source`."""
        await self._order("follow", source, self.seconds)

    async def space(self) -> int:
        """Free bytes where the database's data folder is. Raises AgentError, also for an agent that cannot tell."""
        answer = await self._order("space", "", min(self.seconds, _LOOK))
        free = answer.get("free")
        if not isinstance(free, int) or isinstance(free, bool):
            raise AgentError(f"the agent of {self.name} did not say how many bytes are free")
        return free

    async def ready(self) -> None:
        """See that everything else can be done: programs, paths, rights. Raises AgentError with what is in the way."""
        answer = await self._order("rehearse", "", min(self.seconds, _REHEARSAL))
        if answer.get("ready") is not True:
            raise AgentError(f"the agent of {self.name} did not say that it is ready")

    def _stopped(self, action: str, answer: Mapping[str, Any]) -> Stopped:
        try:
            return Stopped(bool(answer["clean"]), int(answer["position"]), int(answer["timeline"]))
        except (KeyError, TypeError, ValueError):
            raise AgentError(
                f"the agent of {self.name} did not answer {action} with clean, position and timeline"
            ) from None
