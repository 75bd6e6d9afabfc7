"""Who is asking: HTTP Basic against the enterprise database, with a bound on the work that wrong passwords cost."""

from __future__ import annotations

import asyncio
import base64
import math
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zlib import crc32

from aiohttp import hdrs, web

from tuiha.model.names import DEFAULT, LONGEST, NameRule, canonical
from tuiha.server.access import Unavailable
from tuiha.server.gate import Gate
from tuiha.server.passwords import Remembered, verify_password
from tuiha.server.problem import Problem
from tuiha.server.provision import Provisioner
from tuiha.server.recheck import Answer, Recheck
from tuiha.server.turns import Turns
from tuiha.server.word import REFUSED, Word, believed

_FRESH = 30.0  # seconds that a user's row is used before it is read again
_MOST = 200_000  # users kept
_MOST_FAILURES = 10  # wrong passwords of one user in a minute, on one server
_ASKED = 15.0  # seconds that a request waits until the mail server was asked about its user
_LOOK = 0.2  # seconds between two looks at a user about whom another server asks

_USER = """
SELECT id, name, mail_cluster, password_hash, disabled_at IS NOT NULL AS disabled, asked_at,
       extract(epoch FROM clock_timestamp() - confirmed_at)::float8 AS confirmed,
       extract(epoch FROM clock_timestamp() - unanswered_at)::float8 AS unanswered,
       extract(epoch FROM clock_timestamp() - refused_at)::float8 AS refused,
       coalesce(doubted_at > confirmed_at, false) AS doubted, confirmed_at::text AS word
FROM app_user WHERE name = $1
"""


@dataclass(frozen=True, slots=True)
class User:
    """A user of the pool."""

    id: int
    name: str
    cluster: str
    password_hash: str
    disabled: bool = False  # by an operator: the password may be right, and nothing is served
    word: Word = field(default=Word(0.0), compare=False)
    asked_at: datetime | None = field(default=None, compare=False)
    read_at: float = field(default=0.0, compare=False)  # monotonic seconds

    @property
    def verifier(self) -> str:
        """The hash of the password, whatever the mail server says of it by now."""
        return self.password_hash.removeprefix(REFUSED)

    @property
    def refused(self) -> bool:
        """Whether the mail server refuses the password by now."""
        return self.password_hash.startswith(REFUSED)


class Users:
    """Authenticates requests."""

    def __init__(
        self,
        gate: Gate,
        provisioner: Provisioner | None = None,
        names: NameRule = DEFAULT,
        recheck: Recheck | None = None,
    ) -> None:
        """`names`: which spellings of a name are one user. `recheck` None: the database's word holds for ever."""
        self._gate = gate
        self._rule = names
        self._provisioner = provisioner
        self._recheck = recheck
        self._rows: OrderedDict[str, tuple[float, User]] = OrderedDict()
        self._names: dict[int, str] = {}  # of the rows that are kept
        self._forgotten = 0  # grows whenever something is dropped: what was read before it is not kept
        self._asking: dict[int, tuple[asyncio.Lock, int]] = {}  # and how many want it
        self._remembered = Remembered()
        self._failures: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._trying: Counter[str] = Counter()
        self._checking = Turns("passwords to check", at_once=2, waiting=2000, seconds=10.0)  # a core and 16 MB each

    async def authenticate(self, request: web.Request) -> User:
        """The user of a request. Raises Problem 401, 403 or 429; access.Unavailable, also when too many are checked."""
        name, password = _credentials(request.headers.get(hdrs.AUTHORIZATION, ""), self._rule)
        user = await self._find(name)
        if user is None or not self._remembered.knows(name, password, user.verifier):
            with self._attempt(name):
                user = await self._check(name, password, user)
        if user.disabled:
            raise disabled()
        return await self._by_the_word(user, password)

    def left(self, user: User) -> float:
        """Seconds for which a user is served before the mail server is asked again; 0 or less: not even now."""
        terms = self._recheck.terms.get(user.cluster) if self._recheck is not None else None
        return math.inf if terms is None else believed(user.word, terms) - (time.monotonic() - user.read_at)

    def forget(self, user_id: int) -> None:
        """Drop what is remembered of a user: the next request reads the row, and has the password verified."""
        self._forgotten += 1
        name = self._names.pop(user_id, None)
        if name is not None:
            self._rows.pop(name, None)
            self._remembered.forget(name)

    def forget_all(self) -> None:
        """Drop all rows: whose right changed is not known."""
        self._forgotten += 1
        self._names.clear()
        self._rows.clear()

    def doubt(self, user_id: int) -> None:
        """Evidence against a user: on all servers the mail server is asked before the user is served again."""
        if self._recheck is not None:
            self._recheck.doubt(user_id)

    async def run(self) -> None:
        """Tell the other servers of doubts, until cancelled."""
        if self._recheck is not None:
            await self._recheck.run()

    async def _by_the_word(self, user: User, password: str) -> User:
        """A user whose password fits the stored hash, if the mail server still takes it."""
        if self.left(user) <= 0:
            stored, name = user.verifier, user.name
            async with self._alone(user.id):
                found = await self._asked_again(name, password)
            if found is None or found.verifier != stored:
                raise Unavailable("the user's password is being changed")
            user = found
        if user.refused:
            raise _denied("The user's name or password is wrong.")
        return user

    async def _asked_again(self, name: str, password: str) -> User | None:
        """The user once its mail server was asked, by this server or another one. Raises Unavailable."""
        until = time.monotonic() + _ASKED
        user = await self._find(name)  # another device's request may have asked meanwhile
        while user is not None and self._recheck is not None and self.left(user) <= 0:
            if time.monotonic() > until:
                raise Unavailable("the mail server has not said yet whether this user may come in")
            answer = await self._recheck.ask(
                user.id, name, password, user.cluster, user.password_hash, user.asked_at
            )
            if answer is Answer.ELSEWHERE:
                await asyncio.sleep(_LOOK)
            user = await self._read(name)
            if answer is Answer.UNANSWERED and user is not None and self.left(user) <= 0:
                raise Unavailable("no mail server can confirm this user now")
        return user

    @asynccontextmanager
    async def _alone(self, user_id: int) -> AsyncIterator[None]:
        """One request at a time that asks about a user."""
        lock, wanted = self._asking.get(user_id, (asyncio.Lock(), 0))
        self._asking[user_id] = (lock, wanted + 1)
        try:
            async with lock:
                yield
        finally:
            lock, wanted = self._asking.pop(user_id)
            if wanted > 1:
                self._asking[user_id] = (lock, wanted - 1)

    async def _check(self, name: str, password: str, user: User | None) -> User:
        async with self._checking:
            if user is not None and self._remembered.knows(name, password, user.verifier):
                return user  # another device of the same user came first
            # An unknown user costs as much as a wrong password, so that time does not tell which names exist.
            stored = user.verifier if user else _NOBODY
            right = await asyncio.to_thread(verify_password, password, stored)
        if user is None or not right:
            user = await self._admit(name, password, user)
        self._remembered.keep(name, password, user.verifier)
        return user

    async def _admit(self, name: str, password: str, user: User | None) -> User:
        """A user whom the database does not confirm, confirmed by the mail cluster. Raises Problem 401."""
        known = user.cluster if user else None
        # The mail cluster's word does not bring a disabled user back, so it is not asked.
        askable = user is None or not user.disabled
        if askable and self._provisioner is not None and await self._provisioner.admit(name, password, known):
            admitted = await self._read(name)
            if admitted is not None:
                return admitted
        self._failed(name)
        raise _denied("The user's name or password is wrong.")

    async def _find(self, name: str) -> User | None:
        kept = self._rows.get(name)
        if kept is not None and time.monotonic() - kept[0] < _FRESH:
            return kept[1]
        return await self._read(name)

    async def _read(self, name: str) -> User | None:
        now, forgotten = time.monotonic(), self._forgotten
        row = await self._gate.read(lambda c: c.fetchrow(_USER, name))
        if row is None:
            self._rows.pop(name, None)
            return None
        user = _user(row, now)
        if forgotten == self._forgotten:
            self._rows[name], self._names[user.id] = (now, user), name
            if len(self._rows) > _MOST:
                _, (_, old) = self._rows.popitem(last=False)
                self._names.pop(old.id, None)
        return user

    @contextmanager
    def _attempt(self, name: str) -> Iterator[None]:
        """One check of a user's password. What is under way may turn out wrong, so it counts for the bound."""
        since, count = self._failures.get(name, (0.0, 0))
        failed = count if time.monotonic() - since < 60 else 0
        if failed >= _MOST_FAILURES:
            raise Problem(
                429, "Too many wrong passwords", "Wait a minute, then try again.", headers={"Retry-After": "60"}
            )
        if failed + self._trying[name] >= _MOST_FAILURES:
            raise Unavailable("too many log-ins of this user at this moment")
        self._trying[name] += 1
        try:
            yield
        finally:
            self._trying[name] -= 1
            if not self._trying[name]:
                del self._trying[name]

    def _failed(self, name: str) -> None:
        now = time.monotonic()
        since, count = self._failures.get(name, (now, 0))
        self._failures[name] = (since, count + 1) if now - since < 60 else (now, 1)
        if len(self._failures) > 10_000:
            self._failures.popitem(last=False)


_NOBODY = "scrypt$14$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


def _user(row: Any, now: float) -> User:
    chance = crc32(f"{row['id']} {row['word']}".encode()) / 2**32
    word = Word(row["confirmed"], row["unanswered"], row["refused"], row["doubted"], chance)
    return User(row["id"], row["name"], row["mail_cluster"], row["password_hash"], row["disabled"], word,
                row["asked_at"], now)


def _credentials(header: str, names: NameRule = DEFAULT) -> tuple[str, str]:
    """The user's one name, however it was spelled, and the password. Raises Problem 401."""
    kind, _, coded = header.partition(" ")
    try:
        login, colon, password = base64.b64decode(coded, validate=True).decode().partition(":")
    except ValueError:  # not base64, or not UTF-8
        kind = login = colon = password = ""
    if kind.lower() != "basic" or not colon:
        raise _denied("Send the user's name and password with HTTP Basic.")
    login = canonical(login, names)
    if not login or "\0" in login or len(login) > LONGEST or len(password) > 1024:
        raise _denied("The user's name or password is wrong.")
    return login, password


def disabled() -> Problem:
    """The answer to every request of a disabled user; asking again changes nothing."""
    return Problem(403, "This user is disabled",
                   "An operator of the pool disabled this user. Stop asking, and ask the operator.")


def _denied(detail: str) -> Problem:
    return Problem(401, "Not logged in", detail, headers={"WWW-Authenticate": 'Basic realm="tuiha", charset="UTF-8"'})
