"""Log-ins that are not remembered: what checking them costs is bounded, and guesses wait behind everybody else.

A password is verified with the stored hash, and what that does not confirm is tried at the mail servers. A user who
was let in before from the same address goes first, then the others of the pool, then names that it does not know. What
fails waits like an unknown name in the end, so neither time nor refusals tell which names exist.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from enum import IntEnum
from random import Random

from tuiha.pooldb.statements.users import REHASH
from tuiha.server.database.access import Unavailable
from tuiha.server.database.gate import Gate
from tuiha.server.devices.enrolment import Provisioner
from tuiha.server.devices.guesses import NAME, SECONDS, Counted, Guesses, GuessLimit, TooMany
from tuiha.server.devices.passwords import AT_ONCE, COST, cost_of, hash_password, off_loop, outdated, verify_password
from tuiha.server.devices.turns import FairTurns
from tuiha.server.devices.user import User
from tuiha.server.http.problems import HttpProblem

_WAITING = 500  # that wait, of one rank
_PATIENCE = 10.0  # seconds that they wait
_REFUSED = 30.0  # seconds for which a log-in that was refused is refused again without a look
_MOST = 20_000  # of those
_MEASURE = 60.0  # seconds until it is measured again how long verifying takes
_NOBODY = f"scrypt${COST}$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


class Rank(IntEnum):
    """Whose turn comes first."""

    ADMITTED = 0  # from an address from which the user was let in before
    KNOWN = 1
    FAILING = 2  # a name of the pool that failed within the minute
    STRANGE = 3  # a name that the pool does not know, and whatever the stored hash does not confirm


class Logins:
    """Checks names and passwords."""

    def __init__(
        self,
        gate: Gate,
        provisioner: Provisioner | None,
        read: Callable[[str], Awaitable[User | None]],
    ) -> None:
        """`provisioner` None: what the database does not confirm is wrong. `read`: a user's row as it is now."""
        self._gate = gate
        self._provisioner = provisioner
        self._read = read
        self.guesses = Guesses(gate)
        self._verifying = FairTurns("passwords to check", AT_ONCE, _WAITING, _PATIENCE, Rank.STRANGE)
        self._key = secrets.token_bytes(32)
        # Digest of a log-in -> the monotonic time until which it is refused, and how often it was.
        self._refused: OrderedDict[bytes, tuple[float, int]] = OrderedDict()
        self._under_way: dict[bytes, asyncio.Future[User]] = {}
        self._took: deque[float] = deque(maxlen=20)  # seconds that it took to verify a password, lately
        self._measured = 0.0  # monotonic seconds: when that was
        self._chance = Random()

    async def check(self, name: str, password: str, address: str, user: User | None) -> User:
        """The user whose log-in this is. Raises Problem 401 or 429; access.Unavailable, also when too many wait.

        Several devices that log in with the same password at the same time are one log-in.
        """
        digest = hmac.digest(self._key, f"{name}\0{password}".encode(), "sha256")
        until, times = self._refused.get(digest, (0.0, 0))
        if time.monotonic() < until:
            self._refused[digest] = until, times + 1
            raise denied() if times < NAME else _too_many()
        same = self._under_way.get(digest)
        if same is not None:
            return await asyncio.shield(same)
        future: asyncio.Future[User] = asyncio.get_running_loop().create_future()
        self._under_way[digest] = future
        try:
            found = await self._checked(name, password, address, user)
        except BaseException as error:
            if isinstance(error, HttpProblem) and error.status == 401:
                self._refuse(digest)
            future.set_exception(error if isinstance(error, (HttpProblem, Unavailable)) else Unavailable("not checked"))
            future.exception()  # seen, also when nobody else waits
            raise
        else:
            future.set_result(found)
            return found
        finally:
            del self._under_way[digest]

    def forget(self) -> None:
        """Somebody's right to come in changed: look again at what was refused."""
        self._refused.clear()

    def _refuse(self, digest: bytes) -> None:
        self._refused[digest] = time.monotonic() + _REFUSED, 1
        self._refused.move_to_end(digest)
        if len(self._refused) > _MOST:
            self._refused.popitem(last=False)

    async def _checked(self, name: str, password: str, address: str, user: User | None) -> User:
        admitted = user is not None and await self.guesses.was_admitted(user.id, address)
        counted = [await self._count(_limits(name, address, admitted))]
        try:
            found = await self._verified(password, address, user, admitted, counted[0].of_name)
            if found is None:
                found = await self._asked(name, password, address, user, admitted, counted)
        except Unavailable:
            await self.guesses.back(counted)
            raise
        await self.guesses.right(counted, found.id, address)
        return found

    async def _count(self, limits: dict[GuessLimit, str]) -> Counted:
        try:
            return await self.guesses.count(limits)
        except TooMany:
            await asyncio.sleep(self._chance.choice(self._took) if self._took else 0.0)  # as if it had been verified
            raise _too_many() from None

    async def _verified(
        self, password: str, address: str, user: User | None, admitted: bool, wrong: int
    ) -> User | None:
        """The user, when the stored hash confirms the password; hashed again when the hash is a cheap one."""
        if user is None or not cost_of(user.verifier):
            return None
        rank = Rank.ADMITTED if admitted else Rank.KNOWN if wrong <= 1 else Rank.FAILING
        async with self._verifying.one(rank, address):
            if not await self._fits(password, user.verifier):
                return None
            cheap = outdated(user.password_hash) and not user.refused
            better = await off_loop(hash_password, password) if cheap else None
        if better is not None:
            await self._gate.write(lambda c: c.execute(REHASH, user.id, user.password_hash, better))
            return await self._read(user.name) or user
        return user

    async def _fits(self, password: str, stored: str) -> bool:
        began = time.monotonic()
        right = await off_loop(verify_password, password, stored)
        if cost_of(stored) >= COST:
            self._took.append(time.monotonic() - began)
            self._measured = time.monotonic()
        return right

    async def _as_long(self, password: str) -> None:
        """Take as long as verifying a password takes, without its work: guesses at random names cost no core."""
        if not self._took or time.monotonic() - self._measured > _MEASURE:
            await self._fits(password, _NOBODY)
        else:
            await asyncio.sleep(self._chance.choice(self._took))

    async def _asked(
        self, name: str, password: str, address: str, user: User | None, admitted: bool, counted: list[Counted]
    ) -> User:
        """The user whom the mail cluster confirms. Raises Problem 401 or 429."""
        async with self._verifying.one(Rank.STRANGE, address):
            if user is None or cost_of(user.verifier) < COST:
                await self._as_long(password)
        # The mail cluster's word does not bring a disabled user back, so it is not asked.
        if self._provisioner is not None and (user is None or not user.disabled):
            if not admitted:
                counted.append(await self._count(_strange(address)))
            if await self._provisioner.admit(name, password, user.cluster if user else None):
                found = await self._read(name)
                if found is not None:
                    return found
        raise denied()


def _limits(name: str, address: str, admitted: bool) -> dict[GuessLimit, str]:
    if admitted:
        return {GuessLimit.ADMITTED: f"{name} {address}"}
    return {GuessLimit.NAME: name} | ({GuessLimit.ADDRESS: address} if address else {})


def _strange(address: str) -> dict[GuessLimit, str]:
    return {GuessLimit.POOL: "mail"} | ({GuessLimit.STRANGE: address} if address else {})


def _too_many() -> HttpProblem:
    return HttpProblem(429, "Too many wrong passwords", f"Wait {SECONDS} s, then try again.",
                       headers={"Retry-After": str(SECONDS)})


def denied(detail: str = "The user's name or password is wrong.") -> HttpProblem:
    """The answer to a log-in that is not right."""
    return HttpProblem(
        401, "Not logged in", detail, headers={"WWW-Authenticate": 'Basic realm="tuiha", charset="UTF-8"'}
    )
