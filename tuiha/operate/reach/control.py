"""The servers' control interface, spoken with the operator's token."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp

from tuiha.config.settings import Pool
from tuiha.config.tls import for_partners
from tuiha.operate.records.actor import whoami


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
        self._session: aiohttp.ClientSession | None = None

    async def get(self, address: str, path: str, *, seconds: float = 2.0) -> Any:
        """GET {address}/control/{path}. Raises ControlError."""
        return await self._ask("GET", address, path, None, seconds)

    async def post(
        self, address: str, path: str, body: Mapping[str, Any] | None = None, *, seconds: float = 2.0
    ) -> Any:
        """POST {address}/control/{path} with a JSON body. Raises ControlError."""
        return await self._ask("POST", address, path, body or {}, seconds)

    async def _ask(self, method: str, address: str, path: str, body: Mapping[str, Any] | None, seconds: float) -> Any:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, ssl=self._ssl or True))
        data = None if body is None else json.dumps(body)
        try:
            async with asyncio.timeout(seconds):
                url = f"{address}/control/{path}"
                async with self._session.request(method, url, headers=self._headers, data=data) as answer:
                    found = await answer.json(content_type=None)
        except TimeoutError:
            raise ControlError("no answer") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ControlError(f"cannot be asked: {type(error).__name__}") from None
        if answer.status >= 400:
            told = found if isinstance(found, dict) else {}
            text = f"{told.get('title', 'refused')}: {told.get('detail', '')}".rstrip(": ")
            raise ControlError(text, answer.status)
        return found

    async def close(self) -> None:
        """Drop connections."""
        if self._session is not None:
            await self._session.close()
