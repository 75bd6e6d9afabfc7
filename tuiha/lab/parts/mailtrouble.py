"""Trouble that an embedded mail server makes when a drill wants it: of one message, or of one user.

A message is unfetchable by its keyword (`$lab-no` and so on), which it is given when it is put into the mailbox: so it
is unfetchable from its first moment on. A user's log-in or mailbox is refused by two more fields of the user's row in
Valkey, `refuse-login` and `refuse-select`, each with what the server answers: `NO [LIMIT] Too many connections`.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any

from pymap.exceptions import InvalidAuth, ResponseError
from pymap.imap.state import ConnectionState
from pymap.interfaces.message import CachedMessage
from pymap.parsing.response import Response, ResponseBye, ResponseCode, ResponseNo
from pymap.parsing.specials import FetchRequirement

_ANSWER = re.compile(r"NO (?:\[([A-Z]+)\] )?(.*)")


class Unfetchable(StrEnum):
    """How the mail server answers who asks for the contents of a message; the values are keywords."""

    NO = "$lab-no"  # as Exchange, Yahoo and Kopano do
    BYE = "$lab-bye"  # as Dovecot does with a file that it may not read
    SILENCE = "$lab-silence"
    CLOSE = "$lab-close"


class PlannedRefusal(StrEnum):
    """What is refused to a user; the values are fields of the user's row."""

    LOGIN = "refuse-login"
    SELECT = "refuse-select"


class _Nothing(ResponseBye):
    """The end of a connection without a word."""

    async def async_write(self, writer: Any) -> None:
        """Write nothing."""


class _Refused(ResponseError):
    """A command that is answered like this."""

    def __init__(self, answer: Callable[[bytes], Response]) -> None:
        super().__init__()
        self._answer = answer

    def get_response(self, tag: bytes) -> Response:
        """The answer to the command with this tag."""
        return self._answer(tag)


_ANSWERS: dict[Unfetchable, Callable[[bytes], Response]] = {
    Unfetchable.NO: lambda tag: ResponseNo(tag, b"Server error while fetching messages",
                                           ResponseCode.of(b"SERVERBUG")),
    Unfetchable.BYE: lambda _: ResponseBye(b"FETCH failed: Internal error occurred."),
    Unfetchable.CLOSE: lambda _: _Nothing(b""),
}


def manner(message: CachedMessage) -> Unfetchable | None:
    """How the server answers who asks for this message; None: with the message."""
    words = {bytes(flag).decode("ascii").lower() for flag in message.permanent_flags}
    return next((one for one in Unfetchable if one in words), None)


class Troubles:
    """The refusals of one node: users are looked up at each log-in."""

    def __init__(self, look_up: Callable[[str], Awaitable[bytes | None]]) -> None:
        """`look_up`: user -> the user's row in Valkey, None when there is no such user."""
        self._look_up = look_up
        self._shut: dict[str, str] = {}  # user -> what SELECT is answered

    async def let_in(self, user: str) -> bool:
        """Whether there is such a user. Raises a pymap error when the log-in is refused."""
        row = await self._look_up(user)
        if row is None:
            return False
        fields = json.loads(row)
        self._shut.pop(user, None)
        if PlannedRefusal.SELECT in fields:
            self._shut[user] = fields[PlannedRefusal.SELECT]
        if PlannedRefusal.LOGIN in fields:
            raise _refusal(fields[PlannedRefusal.LOGIN])
        return True

    def install(self) -> None:
        """Have all connections of this process make trouble."""
        troubles, select, fetch = self, ConnectionState.do_select, ConnectionState.do_fetch

        async def do_select(self: ConnectionState, cmd: Any) -> Any:
            shut = troubles._shut.get(self.session.owner)
            if shut is not None:
                raise _refusal(shut)
            return await select(self, cmd)

        async def do_fetch(self: ConnectionState, cmd: Any) -> Any:
            wanted = FetchRequirement.reduce(attribute.requirement for attribute in cmd.attributes)
            if wanted & FetchRequirement.CONTENT:
                for _, message in self.selected.messages.get_all(cmd.sequence_set):
                    found = manner(message)
                    if found is Unfetchable.SILENCE:
                        await asyncio.Event().wait()  # until the connection ends
                    elif found is not None:
                        raise _Refused(_ANSWERS[found])
            return await fetch(self, cmd)

        ConnectionState.do_select = do_select  # type: ignore[method-assign]
        ConnectionState.do_fetch = do_fetch  # type: ignore[method-assign]


def _refusal(answer: str) -> ResponseError:
    found = _ANSWER.fullmatch(answer)
    if found is None:
        return InvalidAuth(answer)
    code, text = found[1], found[2].encode()
    return _Refused(lambda tag: ResponseNo(tag, text, None if code is None else ResponseCode.of(code.encode())))
