"""Waiting for news of a mailbox: IDLE, or a question now and then where a server knows no IDLE."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

from tuiha.drivers.mail.talk import Talk
from tuiha.drivers.mail.wire import ImapError, Response, Wire

News = Literal["exists", "expunge", "bye", "timeout"]

_ASK = 15.0  # seconds between two questions


class Listening(Talk):
    """A connection that can wait."""

    __slots__ = ("_deaf",)

    def __init__(self, wire: Wire, timeout: float) -> None:
        super().__init__(wire, timeout)
        self._deaf = False  # the server knows no IDLE

    async def noop(self) -> None:
        """Ask the server for a sign of life; new messages are then told by `idle`."""
        async with self._call():
            await self._command([b"NOOP"])

    async def idle(self, timeout: float) -> News:
        """Wait up to `timeout` seconds for news of the selected mailbox.

        Answers `exists` at once when messages arrived since the last fetch began; after `bye` the connection is
        closed. A server that refuses IDLE is asked every 15 seconds instead. Raises ImapGone when the connection is
        lost.
        """
        if self._news:
            return "exists"
        if not self._deaf:
            try:
                return await self._idle(timeout)
            except ImapError as error:
                if error.response is None:
                    raise
                self._deaf = True
        return await self._ask_on(timeout)

    async def _ask_on(self, timeout: float) -> News:
        """What IDLE is for, where there is none."""
        left = timeout
        while left > 0 and not self._news:
            await asyncio.sleep(min(_ASK, left))
            left -= _ASK
            await self.noop()
        return "exists" if self._news else "timeout"

    async def _idle(self, timeout: float) -> News:
        seen: list[News] = []

        def on(response: Response) -> None:
            if response.words[1:] == [b"EXPUNGE"]:
                seen.append("expunge")

        async with self._call(timeout + 2 * self._timeout):
            async with asyncio.timeout(self._timeout):
                tag = self._send([b"IDLE"])
                while (response := await self._next(tag, on)).tag != b"+":
                    if response.tag == tag:
                        raise ImapError("the server ends IDLE by itself")
            told = await self._wait(timeout, tag, on, seen)
            if told == "bye":
                self.close()
                return told
            self._wire.send(b"DONE\r\n")
            async with asyncio.timeout(self._timeout):
                while (await self._next(tag, on)).tag != tag:
                    pass
        return "exists" if self._news else seen[0] if seen else told

    async def _wait(self, timeout: float, tag: bytes, on: Callable[[Response], None], seen: list[News]) -> News:
        try:
            async with asyncio.timeout(timeout):
                while not self._news and not seen:
                    response = await self._next(tag, on, bye=True)
                    if response.words[:1] == [b"BYE"]:
                        return "bye"
                    if response.tag == tag:
                        raise ImapError("the server ended IDLE by itself")
        except TimeoutError:
            return "timeout"
        return "exists"
