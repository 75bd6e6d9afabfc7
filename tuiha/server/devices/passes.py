"""Passes: a device that was let in by one server is let in by another one, or after a restart, without a new scrypt.

A pass is worth nothing by itself: it says that this password of this user fitted this stored hash, and whoever shows
it has to send that password as well. So it ends with the hash. It is signed with a key that all servers have, made from
the operators' token. Who has that token and a pass can try passwords without scrypt; who has that token and the stored
hashes can make passes. It is a cookie, as HTTP clients keep these by themselves; one that does not costs a scrypt at
each server.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable

from aiohttp import web

from tuiha.server.http.marks import COOKIE, PASS
from tuiha.server.http.tokens import Tokens

VALID = 7 * 86400.0  # seconds
_SKEW = 60.0  # seconds by which the clocks of two servers may differ
_PASS = re.compile(r"([0-9a-f]{1,16})\.([0-9a-f]{32})\.([0-9a-f]{32})")

FIRST: web.RequestKey[bool] = web.RequestKey("first", bool)  # of a device's request: this server did not know it


def bring(request: web.Request, response: web.StreamResponse) -> None:
    """Give the device of a request a pass, if it has none that this server has seen."""
    shown = request[PASS]() if request.get(FIRST) or request.method == "PUT" else ""
    if shown:
        response.set_cookie(COOKIE, shown, max_age=int(VALID), path="/v1/", httponly=True, samesite="Strict",
                            secure=request.secure)


class Passes:
    """Makes passes, and looks at those that are shown."""

    def __init__(self, tokens: Callable[[], Tokens], now: Callable[[], float] = time.time) -> None:
        """`now`: seconds since 1970."""
        self._tokens = tokens
        self._now = now

    def make(self, name: str, password: str, verifier: str) -> str:
        """A pass for a user whose password fits this stored hash; empty in a pool without an operators' token."""
        if not self._keys():
            return ""
        until = f"{int(self._now() + VALID):x}"
        key = self._keys()[0]
        return f"{until}.{_mac(key, 'name', until, name)}.{_mac(key, 'all', until, name, password, verifier)}"

    def holds(self, shown: str, name: str, password: str, verifier: str) -> bool:
        """Whether a pass is one for this user, this password and this stored hash."""
        return self._right(shown, 3, "all", name, password, verifier)

    def vouches(self, shown: str, name: str) -> bool:
        """Whether a pass is one of this user, who was let in before. It takes no look at the database."""
        return self._right(shown, 2, "name", name)

    def _right(self, shown: str, part: int, *of: str) -> bool:
        found = _PASS.fullmatch(shown)
        if found is None or not self._now() < int(found[1], 16) <= self._now() + VALID + _SKEW:
            return False
        kind, *rest = of
        right = False
        for key in self._keys():  # all of them, so that time does not tell which one fits
            right |= hmac.compare_digest(_mac(key, kind, found[1], *rest), found[part])
        return right

    def _keys(self) -> list[bytes]:
        tokens = self._tokens()
        return [hashlib.sha256(b"tuiha passes\0" + one.encode()).digest()
                for one in tokens.operators]


def _mac(key: bytes, *parts: str) -> str:
    """Each part with its length: no two lists of parts are one text."""
    coded = (part.encode("utf-8", "surrogateescape") for part in parts)
    return hmac.digest(key, b"".join(b"%d:%b" % (len(one), one) for one in coded), "sha256").hex()[:32]
