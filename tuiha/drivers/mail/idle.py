"""Waiting for news of a mailbox: IDLE, or a question now and then where a server knows no IDLE."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from tuiha.drivers.mail.talk import Talk
from tuiha.drivers.mail.wire import ImapError, ImapGone, Response

News = Literal["exists", "expunge", "bye", "timeout"]

_ASK = 15.0  # seconds between two questions
_ENDS = 3  # a server that ends IDLE so often within seconds is asked instead


class Idle:
    """Waits on one connection, and remembers whether its server knows IDLE."""

    __slots__ = ("_ended", "_talk", "deaf")

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self.deaf = False  # the server refuses IDLE, or ends it unasked again and again
        self._ended = 0  # so often it ended IDLE unasked and soon

    async def wait(self, timeout: float) -> News:
        """Wait up to `timeout` seconds for news of the selected mailbox; `ImapClient.idle` says how."""
        if self._talk.news:
            return "exists"
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        while not self.deaf:
            began = loop.time()
            try:
                news = await self._once(max(0.0, end - began))
            except ImapError as error:
                if error.response is None:
                    raise
                self.deaf = True
                break
            if news is not None:
                return news
            self._ended += loop.time() - began < _ASK  # the server ended it: some do so when they have nothing to say
            self.deaf = self._ended >= _ENDS
        return await self._ask_on(end - loop.time())

    async def _ask_on(self, timeout: float) -> News:
        """What IDLE is for, where there is none."""
        left = timeout
        while left > 0 and not self._talk.news:
            await asyncio.sleep(min(_ASK, left))
            left -= _ASK
            await self._talk.noop()
        return "exists" if self._talk.news else "timeout"

    async def _once(self, timeout: float) -> News | None:
        """IDLE once; None: the server ended it, and has no news."""
        seen: list[News] = []

        def on(response: Response) -> None:
            if response.words[1:] == [b"EXPUNGE"] or response.words[:1] == [b"VANISHED"]:
                seen.append("expunge")

        async with self._talk.call(timeout + 3 * self._talk.timeout):
            async with asyncio.timeout(self._talk.timeout):
                tag = self._talk.send([b"IDLE"])
                while not (response := await self._talk.next(tag, on)).tag.startswith(b"+"):
                    if response.tag == tag:
                        return self._found(seen, None)
            return await self._read(timeout, tag, on, seen)

    async def _read(
        self, timeout: float, tag: bytes, on: Callable[[Response], None], seen: list[News]
    ) -> News | None:
        """Read until IDLE has ended. Reading is never cancelled: half a response would be lost with it."""
        loop, limit = asyncio.get_running_loop(), asyncio.timeout(None)
        told: News | None = None

        def end(why: News) -> None:
            nonlocal told
            if told is None:
                told = why
                limit.reschedule(loop.time() + self._talk.timeout)
                self._talk.wire.send(b"DONE\r\n")

        def late() -> None:
            with suppress(ImapGone):  # the reader hears it as well
                end("timeout")

        timer = loop.call_later(timeout, late)
        try:
            async with limit:
                if self._talk.news or seen:  # told before IDLE began
                    end("exists")
                while (response := await self._talk.next(tag, on, bye=True)).tag != tag:
                    if response.tag == b"*" and response.words[:1] == [b"BYE"]:
                        self._talk.close()
                        return "bye"
                    if self._talk.news or seen:
                        end("exists")
        finally:
            timer.cancel()
        return self._found(seen, told)

    def _found(self, seen: list[News], told: News | None) -> News | None:
        return "exists" if self._talk.news else seen[0] if seen else told
