"""Whether another server of this pool passed a request on, or somebody only says so.

The server that forwards signs what it forwards with a key that all servers of the pool have: it is made from the token
that their control interfaces accept, and follows its rotation. A request without a right signature is a device's own,
and so is one that was signed more than a minute ago or came before: a nonce begins with the time, and counts once.

A server of the version before makes nonces without a time. Its requests are a device's own here: they are counted once
more, and forwarded once more when the user is bound elsewhere. It believes what this server signs, so none goes round.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable

from tuiha.server.http.tokens import Tokens

VALID = 60.0  # seconds that a signature is believed, and by which the clocks of two servers may differ
_MOST = 200_000  # nonces of the last minutes that are kept
_MARK = re.compile(r"([A-Za-z0-9._-]{1,63}) ([0-9a-f]{32}) ([0-9a-f]{64})")


class Proof:
    """Signs the marker of forwarded requests, and verifies it."""

    def __init__(self, server: str, tokens: Callable[[], Tokens], now: Callable[[], float] = time.time) -> None:
        """`now`: seconds since 1970."""
        self._server = server
        self._tokens = tokens
        self._now = now
        self._seen: OrderedDict[str, float] = OrderedDict()  # nonces that came, and when
        self._mine: set[str] = set()  # of requests that this server passed on and that are not answered yet

    def sign(self, target: str, authorization: str) -> tuple[str, str]:
        """The marker for a request, and the name to forget it by when it is answered."""
        nonce = f"{int(self._now() * 1000):012x}{secrets.token_hex(10)}"
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
        return nonce in self._mine or (right and self._first(nonce))

    def sign_client(self, nonce: str, client: str) -> str:
        """A device's address, for the server that a request is passed on to."""
        return f"{client} {_mac(self._keys()[0], nonce, client)}"

    def client(self, marker: str, text: str) -> str:
        """The device's address in a request whose marker `holds`; empty when that is not proven."""
        found = _MARK.fullmatch(marker)
        client, _, given = text.partition(" ")
        nonce = found.group(2) if found else ""
        right = False
        for key in self._keys():
            right |= hmac.compare_digest(_mac(key, nonce, client).encode(), given.encode("utf-8", "surrogateescape"))
        return client if right else ""

    def _first(self, nonce: str) -> bool:
        """Whether a nonce is of this minute and did not come before."""
        now = self._now()
        while self._seen and (len(self._seen) > _MOST or now - next(iter(self._seen.values())) > 2 * VALID):
            self._seen.popitem(last=False)
        if abs(now - int(nonce[:12], 16) / 1000) > VALID or nonce in self._seen:
            return False
        self._seen[nonce] = now
        return True

    def _keys(self) -> list[bytes]:
        tokens = self._tokens()
        return [hashlib.sha256(b"tuiha forwards\0" + one.encode()).digest()
                for one in tokens.operators or tokens.viewers]


def _mac(key: bytes, *parts: str) -> str:
    text = "\n".join(parts).encode("utf-8", "surrogateescape")
    return hmac.new(key, text, hashlib.sha256).hexdigest()
