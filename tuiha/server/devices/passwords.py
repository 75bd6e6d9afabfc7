"""Passwords of users' devices: stored as scrypt hashes, checked off the event loop, remembered without the password."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")

_BLOCK, _LANES, _BYTES = 8, 1, 32
# OWASP's figure for scrypt: n = 2^17, r = 8, p = 1 (Password Storage Cheat Sheet). Of the parameters that it calls
# equal these cost a thief of hashes the most memory, and servers of the version before can read them.
COST = 17
_RANDOM = 4  # costs up to this are of random passwords, whose hash needs none: left as they are
_MEMORY = 256 * 2**20  # bytes that one hash may take; COST takes 128 MiB
AT_ONCE = 2  # hashes that a process makes at a time, so that log-ins take a bounded part of its memory
_workers = ThreadPoolExecutor(AT_ONCE, "scrypt")


async def off_loop(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Make or verify a hash off the event loop, when it is its turn."""
    return await asyncio.get_running_loop().run_in_executor(_workers, partial(work, *arguments, **named))


def hash_password(password: str, cost: int = COST) -> str:
    """Return `scrypt$cost$salt$hash` of a password; `cost` is the binary logarithm of scrypt's n.

    The default (128 MiB, some 0.4 s of a core) suits passwords that people choose. The embedded pool's are 192 random
    bits, for which a low cost is as good.
    """
    salt = secrets.token_bytes(16)
    return f"scrypt${cost}${_text(salt)}${_text(_scrypt(password, salt, cost))}"


def cost_of(stored: str) -> int:
    """The cost of a stored hash; 0 for a malformed one."""
    _, _, rest = stored.partition("$")
    cost = rest.partition("$")[0]
    return int(cost) if cost.isdecimal() and len(cost) < 3 else 0


def outdated(stored: str) -> bool:
    """Whether a hash is cheaper than one that is made today, and the password worth a better one."""
    return _RANDOM < cost_of(stored) < COST


def verify_password(password: str, stored: str) -> bool:
    """Whether a password fits a stored hash. A malformed hash fits nothing."""
    try:
        kind, cost, salt, wanted = stored.split("$")
        if kind != "scrypt":
            return False
        found = _scrypt(password, base64.b64decode(salt), int(cost))
        return hmac.compare_digest(found, base64.b64decode(wanted))
    except ValueError:
        return False


def _scrypt(password: str, salt: bytes, cost: int) -> bytes:
    return hashlib.scrypt(
        password.encode(), salt=salt, n=2**cost, r=_BLOCK, p=_LANES, dklen=_BYTES, maxmem=_MEMORY
    )


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@dataclass(slots=True)
class Remembered:
    """Passwords that were right a moment ago, as keyed digests: one scrypt for many requests.

    Each process has its own random key, so a digest is worth nothing elsewhere, and nothing here is the password.
    An entry ends when its stored hash changes.
    """

    limit: int = 200_000
    _key: bytes = field(repr=False, default_factory=lambda: secrets.token_bytes(32))
    _digests: dict[str, tuple[str, bytes]] = field(repr=False, default_factory=dict)

    def knows(self, user: str, password: str, stored: str) -> bool:
        """Whether this password was right for this user while `stored` was the stored hash."""
        entry = self._digests.get(user)
        return entry is not None and entry[0] == stored and hmac.compare_digest(entry[1], self._digest(password))

    def keep(self, user: str, password: str, stored: str) -> None:
        """Remember a password that `verify_password` found right."""
        if len(self._digests) >= self.limit:
            self._digests.pop(next(iter(self._digests)))
        self._digests[user] = (stored, self._digest(password))

    def forget(self, user: str) -> None:
        """Have the user's next password verified."""
        self._digests.pop(user, None)

    def _digest(self, password: str) -> bytes:
        return hmac.digest(self._key, password.encode(), "sha256")
