"""Faults of mail: odd mails, mails that cannot be fetched, users whom a mail server refuses, rows that are refused."""

from __future__ import annotations

import asyncio
import contextlib
import imaplib
import json
import re
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from tuiha.lab.drill.acts.hands import Hands, Put
from tuiha.lab.drill.faults.database import connected
from tuiha.lab.drill.needs import Setting
from tuiha.lab.drill.stage import NotReached, Stage, until
from tuiha.lab.load.books import Place
from tuiha.lab.load.devices import LoadUser
from tuiha.lab.load.mailer import MailTarget
from tuiha.lab.parts import mail
from tuiha.lab.parts.oddmail import Odd, compose
from tuiha.lab.parts.users import DemoUser
from tuiha.model.codes import ProblemCode
from tuiha.pooldb.errors import UNREAD

_SECONDS = 20.0
_INBOX = "INBOX"
_PUT = re.compile(rb"\[APPENDUID \d+ (\d+)\]")


async def put(server: MailTarget, user: str, message: bytes, keywords: Sequence[str] = ()) -> Place:
    """Put a mail into a user's INBOX; where it is. Raises NotReached."""
    try:
        return await asyncio.to_thread(_append, server, user, message, keywords)
    except (OSError, imaplib.IMAP4.error) as error:
        raise NotReached(f"{server.name} did not take a mail for {user}: {error}") from None


def _append(server: MailTarget, user: str, message: bytes, keywords: Sequence[str]) -> Place:
    with imaplib.IMAP4(server.host, server.port, _SECONDS) as session:
        log_in = f"{user}\0{server.user}\0{server.password}".encode()
        session.authenticate("PLAIN", lambda _: log_in)
        flags = f"({' '.join(keywords)})" if keywords else ""
        answer, words = session.append(_INBOX, flags, "", message)
    found = _PUT.search(words[0] if words and isinstance(words[0], bytes) else b"")
    if answer != "OK" or found is None:
        raise imaplib.IMAP4.error(f"{answer} {words!r}")
    return _INBOX, int(found[1])


_MANY = 30.0  # seconds for what must come to be, and has no limit of its own
_STEP = 0.25
_REFUSED = "refused by the database"
_TRIGGER = """
CREATE OR REPLACE FUNCTION drill_refuses() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.subject LIKE '%{text}%' THEN
        RAISE EXCEPTION 'the drill refuses this row' USING ERRCODE = substring(NEW.subject FROM '[0-9]+');
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER drill_refuses BEFORE INSERT ON change FOR EACH ROW EXECUTE FUNCTION drill_refuses();
"""


async def _put(hands: Hands, user: LoadUser, message_id: str, message: bytes, keywords: Iterable[str] = ()) -> Put:
    began = time.monotonic()
    first, *others = hands.targets(user.name)
    try:
        place = await put(first, user.name, message, tuple(keywords))
    except NotReached:
        if not others:
            raise
        place = await put(others[0], user.name, message, tuple(keywords))
    return hands.delivered(user.name, message_id, began, place)


@dataclass(frozen=True, slots=True)
class Guests:
    """Users get one more device each, the drill's own: users of the load (those who will be hurt), or spare ones."""

    count: int
    spare: bool = False

    @property
    def text(self) -> str:
        """In words."""
        return f"{self.count} {'spare users' if self.spare else 'users'} get a device of the drill"

    async def do(self, stage: Stage) -> None:
        """Invite them, and wait until all have registered. Raises NotReached."""
        hands = stage.mail
        users = list(hands.spare[:self.count]) if self.spare else hands.choose(self.count)
        guests = [hands.invite(user) for user in users]
        await until(lambda: all(guest.registered_at is not None for guest in guests), _MANY,
                    "the drill's devices have not all registered")
        await asyncio.sleep(1.0)


@dataclass(frozen=True, slots=True)
class OddMail:
    """Each of the drill's guests gets the same odd mail."""

    kind: Odd = Odd.PLAIN
    keyword: str | None = None  # makes it unfetchable
    subjects: tuple[str, ...] = ()  # one for each guest, in turn
    first: int | None = None  # of the guests, so many; None: all

    @property
    def text(self) -> str:
        """In words."""
        how = f", unfetchable ({self.keyword})" if self.keyword else ""
        return f"a mail that is {self.kind}{how} for {'each' if self.first is None else self.first} of these users"

    async def do(self, stage: Stage) -> None:
        """Put it into their mailboxes. Raises NotReached."""
        stage.mark()
        hands = stage.mail
        keywords = (self.keyword,) if self.keyword else ()
        for number, guest in enumerate(list(hands.guests.values())[:self.first]):
            message_id = hands.message_id()
            subject = self.subjects[number % len(self.subjects)] if self.subjects else None
            hands.odd.append(await _put(hands, guest.user, message_id, compose(self.kind, message_id, subject),
                                        keywords))


@dataclass(frozen=True, slots=True)
class NextMail:
    """Each of the drill's guests gets an ordinary mail, and is told of it."""

    seconds: float = 20.0  # the longest wait

    @property
    def text(self) -> str:
        """In words."""
        return "an ordinary mail for each of these users, and each is told of it"

    async def do(self, stage: Stage) -> None:
        """Deliver them, wait, and note how long each took. Raises NotReached."""
        stage.mark()
        hands = stage.mail
        sent = []
        for guest in hands.guests.values():
            message_id = hands.message_id()
            sent.append(await _put(hands, guest.user, message_id, compose(Odd.PLAIN, message_id)))
        with contextlib.suppress(NotReached):
            await until(lambda: None not in _delays(hands, sent), self.seconds, "not all were told")
        delays = _delays(hands, sent)
        hands.next_after += [delay for delay in delays if delay is not None]
        lacking = [one.user for one, delay in zip(sent, delays, strict=True) if delay is None]
        if lacking:
            raise NotReached(f"{', '.join(lacking)}: not told of the next mail within {self.seconds:g} s")


@dataclass(frozen=True, slots=True)
class OddTold:
    """Each of the drill's guests has been told of the odd mails, one way or the other."""

    seconds: float = 40.0

    @property
    def text(self) -> str:
        """In words."""
        return "each of these users is told of the odd mail"

    async def do(self, stage: Stage) -> None:
        """Wait for it, and note how long it took. Raises NotReached."""
        hands = stage.mail
        with contextlib.suppress(NotReached):
            await until(lambda: None not in _delays(hands, hands.odd), self.seconds, "not all were told")
        delays = _delays(hands, hands.odd)
        hands.odd_after = [delay for delay in delays if delay is not None]
        lacking = [one.user for one, delay in zip(hands.odd, delays, strict=True) if delay is None]
        if lacking:
            raise NotReached(f"{', '.join(lacking)}: not told of the odd mail within {self.seconds:g} s")


def _delays(hands: Hands, sent: list[Put]) -> list[float | None]:
    arrived = [hands.guests[one.user].arrived(one.message_id, one.place) for one in sent]
    return [None if at is None else max(0.0, at - one.at) for one, at in zip(sent, arrived, strict=True)]


@dataclass(frozen=True, slots=True)
class RefuseRows:
    """The database refuses some rows of the sync history for good: by a trigger, with the SQLSTATE in the subject."""

    database: str
    text: str = "the database refuses some rows for good"

    async def do(self, stage: Stage) -> None:
        """Plant the trigger."""
        connection = await connected(stage, self.database)
        try:
            await connection.execute(_TRIGGER.replace("{text}", _REFUSED), timeout=_MANY)
        except UNREAD as error:
            raise NotReached(f"{self.database} did not take the trigger: {error}") from None
        finally:
            connection.terminate()


def refused_subject(sqlstate: str) -> str:
    """The subject of a mail whose row is refused with this SQLSTATE."""
    return f"{sqlstate}: {_REFUSED}"


@dataclass(frozen=True, slots=True)
class AtMailServer:
    """Something changes in the log-ins of the drill's spare users at the mail server."""

    what: str
    removed: bool = False
    password: bool = False  # they get another one
    fields: tuple[tuple[str, str], ...] = ()  # trouble
    first: int = 0  # from this spare user
    count: int = 1

    @property
    def text(self) -> str:
        """In words."""
        return f"{self.count} users at the mail server: {self.what}"

    async def do(self, stage: Stage) -> None:
        """Change them in Valkey. Raises NotReached."""
        stage.mark()
        hands = stage.mail
        lab = mail.Mail(stage.layout, {})
        for user in hands.spare[self.first:self.first + self.count]:
            known = DemoUser(user.name, user.password + "-new" if self.password else user.password,
                             hands.homes[user.name])
            try:
                await (mail.remove_user(lab, known) if self.removed else mail.set_user(lab, known, **dict(self.fields)))
            except mail.MailSetupError as error:
                raise NotReached(str(error)) from None


@dataclass(frozen=True, slots=True)
class Answered:
    """Every pool server answers a spare user with this status, and goes on doing so."""

    status: int
    within: float  # seconds
    user: int = 0  # which of the spare users
    new: bool = False  # with the new password

    @property
    def text(self) -> str:
        """In words."""
        return (f"every server answers {self.status} to the user's {'new' if self.new else 'old'} password within "
                f"{self.within:g} s")

    async def do(self, stage: Stage) -> None:
        """Ask every server until all answer so. Raises NotReached."""
        hands, began = stage.mail, time.monotonic()
        user = hands.spare[self.user]
        password = user.password + "-new" if self.new else user.password
        last: dict[str, int] = {}
        # A password that is tried again and again is refused before it is looked at: 429, a refusal as well.
        fits = {self.status, 429} if self.status == 401 else {self.status}
        while not last or not set(last.values()) <= fits:
            last = {name: await _status(hands, address, user.name, password)
                    for name, address in hands.servers.items()}
            if time.monotonic() - began > self.within and not set(last.values()) <= fits:
                told = ", ".join(f"{name} {status}" for name, status in last.items())
                raise NotReached(f"not every server answers {self.status} after {self.within:g} s: {told}")
            await asyncio.sleep(_STEP)


async def _status(hands: Hands, address: str, name: str, password: str) -> int:
    try:
        headers = {"Authorization": aiohttp.encode_basic_auth(name, password)}
        async with hands.session.get(f"{address}/v1/me", headers=headers,
                                     timeout=aiohttp.ClientTimeout(total=10)) as answer:
            return answer.status
    except (TimeoutError, aiohttp.ClientError, OSError):
        return 0


@dataclass(frozen=True, slots=True)
class ProblemSaid:
    """`tuiha status` says that users are without mail, or no longer says it."""

    yes: bool = True
    within: float = 20.0

    @property
    def text(self) -> str:
        """In words."""
        return f"`tuiha status` {'says' if self.yes else 'no longer says'} that users are without mail"

    async def do(self, stage: Stage) -> None:
        """Ask until it is so. Raises NotReached."""
        began = time.monotonic()
        while True:
            document = await _document(stage)
            words = " ".join(json.dumps(problem) for problem in document["problems"])
            said = any(problem["code"] == ProblemCode.WITHOUT_MAIL for problem in document["problems"])
            if said is self.yes:
                return
            if time.monotonic() - began > self.within:
                raise NotReached(f"after {self.within:g} s `tuiha status` says {document['verdict']}, "
                                 f"problems: {words or 'none'}")
            await asyncio.sleep(1.0)


async def _document(stage: Stage) -> dict[str, Any]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tuiha", "status", "--json", "--config", str(stage.pool.config_path),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(_MANY):
            out, _ = await child.communicate()
    except TimeoutError:
        child.kill()
        raise NotReached(f"`tuiha status` does not end after {_MANY:g} s") from None
    try:
        found: dict[str, Any] = json.loads(out)
    except ValueError:
        raise NotReached(f"`tuiha status` printed no JSON: {out[:200]!r}") from None
    return found


@dataclass(frozen=True, slots=True)
class ChangedSettings:
    """A configuration of the servers that differs from the usual one."""

    settings: tuple[Setting, ...]

    @property
    def text(self) -> str:
        """In words."""
        return "servers have " + ", ".join(f"{section}.{key} {value}" for section, key, value in self.settings)

    async def do(self, stage: Stage) -> None:
        """Nothing: it was done before the load began."""


def recheck(seconds: float) -> ChangedSettings:
    """The mail server is asked again about a user's password after so long."""
    return ChangedSettings((("mail", "recheck", seconds),))
