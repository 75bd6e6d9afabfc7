"""The actions of an agent, whichever way its orders go; what it answers is checked here."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from tuiha.drivers.protocols import AgentError, Stopped
from tuiha.model.databases.way_back import AT_LEAST, LogIn, Rehearsal

_LOOK = 3.0  # seconds for an action that only looks
_REHEARSAL = 15.0  # seconds for a log-in by ssh, several looks, and three log-ins to the partner
_NUMBER = re.compile(r"\d{1,20}")
_LONG = 300  # characters of a text that an agent answers
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

    async def rehearse(self, partner: str) -> Rehearsal:
        """Try what the database needs to follow its partner, and change nothing. Raises AgentError."""


@runtime_checkable
class Identifying(Protocol):
    """An agent that can tell which database system is in its data folder, also while the database is stopped."""

    async def identity(self) -> str | None:
        """The system identifier; None when there is no database in the folder. Raises AgentError."""


@runtime_checkable
class Keeping(Protocol):
    """An agent that keeps each data folder that a copy replaced, until it is told to discard it."""

    async def discard(self) -> int:
        """Remove the kept folders; how many they were. Raises AgentError."""


class Actions(ABC):
    """An agent as actions over one `_order`."""

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
        """Replace the stopped database by a fresh, verified copy of `source`; the old data folder is kept beside it."""
        await self._order("base_backup", source, self.seconds * _COPY)

    async def discard(self) -> int:
        """Remove the data folders that were kept; how many. Raises AgentError, also for an agent that keeps none."""
        answer = await self._order("discard", "", self.seconds * _COPY)
        removed = answer.get("removed")
        if not isinstance(removed, int) or isinstance(removed, bool):
            raise AgentError(f"the agent of {self.name} did not say how many data folders it removed")
        return removed

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

    async def identity(self) -> str | None:
        """The system identifier of what is in the data folder; None: no database. Raises AgentError."""
        answer = await self._order("identity", "", min(self.seconds, _LOOK))
        if "system_identifier" not in answer:
            raise AgentError(f"the agent of {self.name} did not say which database system it has")
        return self._system(answer)

    async def rehearse(self, partner: str) -> Rehearsal:
        """Have it try whether the database could follow its partner. Raises AgentError with what is in the way.

        An agent of an earlier version only says that it is ready: then no log-in was tried.
        """
        answer = await self._order("rehearse", partner, min(self.seconds, _REHEARSAL))
        if answer.get("ready") is not True:
            raise AgentError(f"the agent of {self.name} did not say that it is ready")
        if "replication" not in answer:
            return Rehearsal(self.name, partner, error=f"the agent of {self.name} does not try to log in to {partner}: "
                             "it is of an earlier version", tried=False)
        replication, copy, rewind = (self._log_in(answer, way) for way in ("replication", "copy", "rewind"))
        return Rehearsal(self.name, partner, self._system(answer), replication, copy, rewind,
                         _settings(answer.get("settings")))

    def _system(self, answer: Mapping[str, Any]) -> str | None:
        found = answer.get("system_identifier")
        if found is not None and not (isinstance(found, str) and _NUMBER.fullmatch(found)):
            raise AgentError(f"the agent of {self.name} answered with no system identifier")
        return found

    def _log_in(self, answer: Mapping[str, Any], way: str) -> LogIn | None:
        told = answer.get(way)
        if told is None:
            return None
        if not isinstance(told, Mapping):
            raise AgentError(f"the agent of {self.name} did not say how its log-in for {way} went")
        if told.get("error") is not None:
            return LogIn(str(told["error"])[:_LONG] or "no reason")
        system, secondary, name = told.get("system_identifier"), told.get("secondary"), told.get("name")
        return LogIn(None, str(system)[:_LONG], secondary if isinstance(secondary, bool) else None,
                     None if name is None else str(name)[:_LONG])

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


def _settings(told: object) -> dict[str, str]:
    """Settings as an agent answered them; a number that is none is left out."""
    if not isinstance(told, Mapping):
        return {}
    found = {str(name)[:_LONG]: str(value)[:_LONG] for name, value in list(told.items())[:_LONG]}
    return {name: value for name, value in found.items() if name not in AT_LEAST or _NUMBER.fullmatch(value)}
