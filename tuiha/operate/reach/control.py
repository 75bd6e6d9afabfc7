"""The servers' control interface, spoken with the operator's token."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tuiha.config.settings import Pool
from tuiha.config.tls import for_partners
from tuiha.drivers.http import Asker
from tuiha.drivers.protocols import DriverError
from tuiha.model.operations.trace import HEADER
from tuiha.model.problems.causes import Cause
from tuiha.operate.records.actor import whoami

_LONGEST = 64 * 1024 * 1024  # bytes of an answer: the users of a large server are the longest one


class ControlError(Exception):
    """A server could not be told something, or refused. The text is for people; `status` is None without an answer."""

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class ControlClient:
    """Tells pool servers what to do. Addresses come from the pool's `server` table, or from the configuration."""

    def __init__(self, pool: Pool, base: Path, token: str) -> None:
        self._headers = {"Authorization": f"Bearer {token}", "X-Tuiha-Who": quote(whoami(), safe="@.-_")}
        self._ssl = for_partners(pool.own_servers, base)
        self._askers: dict[str, Asker] = {}
        self.trace = ""  # the part of an operation that requests are for, as `traceparent`; empty: none is told

    async def get(self, address: str, path: str, *, seconds: float = 2.0) -> Any:
        """GET {address}/control/{path}. Raises ControlError."""
        return await _told(self._asker(address).get(f"control/{path}", _LONGEST, seconds=seconds))

    async def post(
        self, address: str, path: str, body: Mapping[str, Any] | None = None, *, seconds: float = 2.0
    ) -> Any:
        """POST {address}/control/{path} with a JSON body. Raises ControlError."""
        return await _told(self._asker(address).post(f"control/{path}", body or {}, _LONGEST, None, seconds))

    def _asker(self, address: str) -> Asker:
        if address not in self._askers:
            self._askers[address] = Asker(address, self._headers, self._ssl, more=self._traced)
        return self._askers[address]

    def _traced(self) -> Mapping[str, str]:
        return {HEADER: self.trace} if self.trace else {}

    async def close(self) -> None:
        """Drop connections."""
        for asker in self._askers.values():
            await asker.close()


async def _told(answer: Awaitable[tuple[int, bytes]]) -> Any:
    """The document that a server answered. Raises ControlError for a refusal, and for everything else."""
    try:
        status, body = await answer
        found = json.loads(body)
    except DriverError as error:
        raise ControlError("no answer" if error.cause is Cause.SILENT else f"cannot be asked: {error}") from None
    except ValueError:
        raise ControlError("cannot be asked: its answer is not JSON") from None
    if status >= 400:
        told = found if isinstance(found, dict) else {}
        raise ControlError(f"{told.get('title', 'refused')}: {told.get('detail', '')}".rstrip(": "), status)
    return found
