"""Who is asking: HTTP Basic against the enterprise database and the mail server's word."""

from __future__ import annotations

import asyncio
import base64
import math
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from functools import partial

from aiohttp import hdrs, web

from tuiha.model.users.names import DEFAULT, LONGEST, NameRule, canonical
from tuiha.pooldb.statements.users import USER
from tuiha.server.database.access import Unavailable
from tuiha.server.database.gate import Gate
from tuiha.server.devices.enrolment import Provisioner
from tuiha.server.devices.logins import Logins, denied
from tuiha.server.devices.passes import FIRST, Passes
from tuiha.server.devices.passwords import Remembered
from tuiha.server.devices.recheck import Recheck, RecheckAnswer, believed
from tuiha.server.devices.room import STAY
from tuiha.server.devices.user import User
from tuiha.server.http.clients import CLIENT
from tuiha.server.http.marks import COOKIE, PASS
from tuiha.server.http.problems import HttpProblem

_FRESH = 30.0  # seconds that a user's row is used before it is read again
_MOST = 200_000  # users kept
_ASKED = 15.0  # seconds that a request waits until the mail server was asked about its user
_KNOWN: web.RequestKey[tuple[str, str, str]] = web.RequestKey("known", tuple)  # what a look at the request found out
_LOOK = 0.2  # seconds between two looks at a user about whom another server asks


class Users:
    """Authenticates requests."""

    def __init__(
        self,
        gate: Gate,
        provisioner: Provisioner | None = None,
        names: NameRule = DEFAULT,
        recheck: Recheck | None = None,
        passes: Passes | None = None,
    ) -> None:
        """`names`: which spellings of a name are one user. `recheck` None: the database's word holds for ever.
        `passes` None: each server verifies each password itself.
        """
        self._gate = gate
        self._rule = names
        self.recheck = recheck
        self._passes = passes
        self._rows: OrderedDict[str, tuple[float, User]] = OrderedDict()
        self._names: dict[int, str] = {}  # of the rows that are kept
        self._forgotten = 0  # grows whenever something is dropped: what was read before it is not kept
        self._asking: dict[int, tuple[asyncio.Lock, int]] = {}  # and how many want it
        self._remembered = Remembered()
        self.logins = Logins(gate, provisioner, self._read)

    async def authenticate(self, request: web.Request) -> User:
        """The user of a request. Raises Problem 401, 403 or 429; access.Unavailable, also when too many are checked."""
        name, password, right_for = self._login(request)
        user = await self._find(name)
        if user is None or (user.verifier != right_for and not self._remembered.knows(name, password, user.verifier)):
            if user is None or not self._has_pass(request, name, password, user):
                with _outside(request):
                    user = await self.logins.check(name, password, request.get(CLIENT, ""), user)
            self._remembered.keep(name, password, user.verifier)
            request[FIRST] = True
        request[PASS] = partial(self._pass, name, password, user.verifier)
        if user.disabled:
            raise disabled()
        return await self._by_the_word(user, password)

    def _login(self, request: web.Request) -> tuple[str, str, str | None]:
        """Name, password, and the stored hash for which `remembers` found that right, once. Raises Problem 401."""
        known: tuple[str, str, str] | None = request.get(_KNOWN)
        if known is not None:
            del request[_KNOWN]
            return known
        return (*_credentials(request.headers.get(hdrs.AUTHORIZATION, ""), self._rule), None)

    def _has_pass(self, request: web.Request, name: str, password: str, user: User) -> bool:
        """Whether another server, or this one before it was started again, let this very log-in in."""
        shown = request.cookies.get(COOKIE, "")
        return self._passes is not None and self._passes.holds(shown, name, password, user.verifier)

    def _pass(self, name: str, password: str, verifier: str) -> str:
        return "" if self._passes is None else self._passes.make(name, password, verifier)

    def remembers(self, request: web.Request) -> bool:
        """Whether a request's name and password were verified here before, or it has a pass of that user.

        It costs no look at the database.
        """
        try:
            name, password = _credentials(request.headers.get(hdrs.AUTHORIZATION, ""), self._rule)
        except HttpProblem:
            return False
        kept = self._rows.get(name)
        if kept is not None and self._remembered.knows(name, password, kept[1].verifier):
            request[_KNOWN] = name, password, kept[1].verifier
            return True
        return self._passes is not None and self._passes.vouches(request.cookies.get(COOKIE, ""), name)

    def left(self, user: User) -> float:
        """Seconds for which a user is served before the mail server is asked again; 0 or less: not even now."""
        terms = self.recheck.terms.get(user.cluster) if self.recheck is not None else None
        return math.inf if terms is None else believed(user.word, terms) - (time.monotonic() - user.read_at)

    def forget(self, user_id: int) -> None:
        """Drop what is remembered of a user: the next request reads the row, and has the password verified."""
        self._forgotten += 1
        self.logins.forget()
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
        if self.recheck is not None:
            self.recheck.doubt(user_id)

    async def run(self) -> None:
        """Tell the other servers of doubts, until cancelled."""
        if self.recheck is not None:
            await self.recheck.run()

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
            raise denied()
        return user

    async def _asked_again(self, name: str, password: str) -> User | None:
        """The user once its mail server was asked, by this server or another one. Raises Unavailable."""
        until = time.monotonic() + _ASKED
        user = await self._find(name)  # another device's request may have asked meanwhile
        while user is not None and self.recheck is not None and self.left(user) <= 0:
            if time.monotonic() > until:
                raise Unavailable("the mail server has not said yet whether this user may come in")
            answer = await self.recheck.ask(
                user.id, name, password, user.cluster, user.password_hash, user.asked_at
            )
            if answer is RecheckAnswer.ELSEWHERE:
                await asyncio.sleep(_LOOK)
            user = await self._read(name)
            if answer is RecheckAnswer.UNANSWERED and user is not None and self.left(user) <= 0:
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

    async def _find(self, name: str) -> User | None:
        kept = self._rows.get(name)
        if kept is not None and time.monotonic() - kept[0] < _FRESH:
            return kept[1]
        return await self._read(name)

    async def _read(self, name: str) -> User | None:
        now, forgotten = time.monotonic(), self._forgotten
        row = await self._gate.read(lambda c: c.fetchrow(USER, name))
        if row is None:
            self._rows.pop(name, None)
            return None
        user = User.of(row, now)
        if forgotten == self._forgotten:
            self._rows[name], self._names[user.id] = (now, user), name
            if len(self._rows) > _MOST:
                _, (_, old) = self._rows.popitem(last=False)
                self._names.pop(old.id, None)
        return user


def _outside(request: web.Request) -> AbstractContextManager[None]:
    """Log-ins have turns of their own."""
    stay = request.get(STAY)
    return nullcontext() if stay is None else stay.outside()


def _credentials(header: str, names: NameRule = DEFAULT) -> tuple[str, str]:
    """The user's one name, however it was spelled, and the password. Raises Problem 401."""
    kind, _, coded = header.partition(" ")
    try:
        login, colon, password = base64.b64decode(coded, validate=True).decode().partition(":")
    except ValueError:  # not base64, or not UTF-8
        kind = login = colon = password = ""
    if kind.lower() != "basic" or not colon:
        raise denied("Send the user's name and password with HTTP Basic.")
    login = canonical(login, names)
    if not login or "\0" in login or len(login) > LONGEST or len(password) > 1024:
        raise denied()
    return login, password


def disabled() -> HttpProblem:
    """The answer to every request of a disabled user; asking again changes nothing."""
    return HttpProblem(403, "This user is disabled",
                       "An operator of the pool disabled this user. Stop asking, and ask the operator.")
