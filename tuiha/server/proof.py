"""Whether another server of this pool passed a request on, or somebody only says so.

The server that forwards signs what it forwards with a key that all servers of the pool have: it is made from the token
that their control interfaces accept, and follows its rotation. A request without a right signature is a device's own.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable

from tuiha.server.tokens import Tokens

_MARK = re.compile(r"([A-Za-z0-9._-]{1,63}) ([0-9a-f]{32}) ([0-9a-f]{64})")


class Proof:
    """Signs the marker of forwarded requests, and verifies it."""

    def __init__(self, server: str, tokens: Callable[[], Tokens]) -> None:
        self._server = server
        self._tokens = tokens
        self._mine: set[str] = set()  # of requests that this server passed on and that are not answered yet

    def sign(self, target: str, authorization: str) -> tuple[str, str]:
        """The marker for a request, and the name to forget it by when it is answered."""
        nonce = secrets.token_hex(16)
        self._mine.add(nonce)
        keys = self._keys()
        mark = _mac(keys[0], self._server, nonce, target, authorization)
        return f"{self._server} {nonce} {mark}", nonce

    def answered(self, nonce: str) -> None:
        """A request that this server passed on is over."""
        self._mine.discard(nonce)

    def holds(self, marker: str, target: str, authorization: str) -> bool:
        """Whether a server of this pool passed on this request.

        One that comes back to the server that passed it on is believed as well, whatever key the others have by now:
        else a request could go round while tokens are being changed.
        """
        found = _MARK.fullmatch(marker)
        if found is None:
            return False
        server, nonce, given = found.groups()
        right = False
        for key in self._keys():  # all of them, so that time does not tell which one fits
            right |= hmac.compare_digest(_mac(key, server, nonce, target, authorization), given)
        return right or nonce in self._mine

    def _keys(self) -> list[bytes]:
        tokens = self._tokens()
        return [hashlib.sha256(b"tuiha forwards\0" + one.encode()).digest()
                for one in tokens.operators or tokens.viewers]


def _mac(key: bytes, *parts: str) -> str:
    text = "\n".join(parts).encode("utf-8", "surrogateescape")
    return hmac.new(key, text, hashlib.sha256).hexdigest()
