"""The trouble that embedded mail servers make when a drill wants it, asked for by a client that is not the pool's."""

from __future__ import annotations

import asyncio
import imaplib

import pytest

from tests.server.mail.world import World
from tuiha.lab.drill.faults.mail import put
from tuiha.lab.load.mailer import MailTarget
from tuiha.lab.parts import mail
from tuiha.lab.parts.mailtrouble import PlannedRefusal, Unfetchable
from tuiha.lab.parts.oddmail import Odd, compose
from tuiha.lab.parts.users import DemoUser
from tuiha.server.mail import Bound

_SECONDS = 20.0


def server(lab: World) -> MailTarget:
    layout, ports = lab.processes.layout, lab.processes.mail.ports
    return MailTarget("mail1", "127.0.0.1", ports["mail1"], "plain", mail.MONITOR, layout.read_secret("mail_monitor"))


def opened(lab: World, user: Bound) -> imaplib.IMAP4:
    """A session of the monitor's log-in, acting for a user."""
    target = server(lab)
    session = imaplib.IMAP4(target.host, target.port, _SECONDS)
    session.authenticate("PLAIN", lambda _: f"{user.name}\0{target.user}\0{target.password}".encode())
    return session


@pytest.mark.parametrize(("keyword", "text"), [
    (Unfetchable.NO, "NO"), (Unfetchable.BYE, "FETCH failed: Internal error"), (Unfetchable.CLOSE, "EOF|closed"),
    (Unfetchable.SILENCE, "timed out"),
])
async def test_one_mail_cannot_be_fetched_and_the_others_can(lab: World, keyword: Unfetchable, text: str) -> None:
    user = await lab.user()
    good = await put(server(lab), user.name, compose(Odd.PLAIN, "a@x"))
    bad = await put(server(lab), user.name, compose(Odd.PLAIN, "b@x"), (keyword,))

    def ask() -> None:
        with opened(lab, user) as session:
            session.select("INBOX", readonly=True)
            assert session.uid("FETCH", f"{bad[1]}", "(FLAGS INTERNALDATE)")[0] == "OK"
            assert b"a@x" in repr(session.uid("FETCH", f"{good[1]}", "(BODY.PEEK[HEADER])")).encode()
        session = opened(lab, user)
        session.select("INBOX", readonly=True)
        session.sock.settimeout(1.0 if keyword is Unfetchable.SILENCE else _SECONDS)
        try:
            answer, _ = session.uid("FETCH", f"{good[1]}:{bad[1]}", "(BODY.PEEK[HEADER])")
            raise imaplib.IMAP4.error(f"{answer} {session.response('BYE')}")
        finally:
            session.shutdown()

    with pytest.raises((OSError, imaplib.IMAP4.error), match=text):
        await asyncio.to_thread(ask)


@pytest.mark.parametrize("kind", list(Odd))
async def test_odd_mails_are_taken_and_handed_out_whole(lab: World, kind: Odd) -> None:
    user, raw = await lab.user(), compose(kind, "odd@x")
    _, uid = await put(server(lab), user.name, raw)

    def ask() -> bytes:
        with opened(lab, user) as session:
            session.select("INBOX", readonly=True)
            _, found = session.uid("FETCH", f"{uid}", "(BODY.PEEK[])")
            return found[0][1]  # type: ignore[no-any-return]

    assert await asyncio.to_thread(ask) == raw


async def test_a_user_is_refused_and_let_in_again(lab: World) -> None:
    user = await lab.user()
    known = DemoUser(user.name, "secret", "east")

    def select() -> str:
        with opened(lab, user) as session:
            return session.select("INBOX", readonly=True)[0]

    assert await asyncio.to_thread(select) == "OK"
    await mail.set_user(lab.processes.mail, known, **{PlannedRefusal.SELECT: "NO [SERVERBUG] Not now"})
    assert await asyncio.to_thread(select) == "NO"
    await mail.set_user(lab.processes.mail, known, **{PlannedRefusal.LOGIN: "NO [LIMIT] Too many"})
    with pytest.raises(imaplib.IMAP4.error, match="LIMIT"):
        await asyncio.to_thread(select)
    await mail.remove_user(lab.processes.mail, known)
    with pytest.raises(imaplib.IMAP4.error, match="AUTHORIZATIONFAILED"):
        await asyncio.to_thread(select)
    await mail.set_user(lab.processes.mail, known)
    assert await asyncio.to_thread(select) == "OK"
