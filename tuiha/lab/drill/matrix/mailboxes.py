"""Drills of mail and users as they are: one odd mail, one broken mailbox, one lost password must cost nobody else."""

from __future__ import annotations

from tuiha.lab.drill.acts.base import Act, Kill, Wait
from tuiha.lab.drill.faults.mail import (
    Answered,
    AtMailServer,
    Guests,
    NextMail,
    OddMail,
    OddTold,
    ProblemSaid,
    RefuseRows,
    recheck,
    refused_subject,
)
from tuiha.lab.drill.faults.network import mend, quiet, reset
from tuiha.lab.drill.scenario import STEADY, MailLimits, Scenario
from tuiha.lab.parts.mailtrouble import PlannedRefusal, Unfetchable
from tuiha.lab.parts.oddmail import Odd

_MAIL = tuple(f"servers>mail{number}" for number in (1, 2, 3, 4))
_QUIET = 6.0  # seconds
_RECHECK = 4.0  # seconds, in place of a quarter of an hour
_HURT = 9  # users: three and more on a pool server, so that a count of users with trouble would blame a mail server
_SQLSTATES = ("22001", "23514", "54000")  # data, constraint, program limit: repeating mends none of them
_NO = "NO [SERVERBUG] Mailbox cannot be opened"


def _odd(*mails: Act, users: int = _HURT, patience: float = 20.0) -> tuple[Act, ...]:
    """Users get odd mails, are told of the next one, and of the odd ones. `patience`: seconds to wait for that."""
    return (Guests(users), *mails, NextMail(patience), OddTold(2 * patience), Wait(6), NextMail(patience))


_MESSAGES = (
    Scenario("mail-odd-header", "a mail with more than 1 MiB of header for nine users, and three more odd ones",
             STEADY, _odd(OddMail(Odd.WIDE), *(OddMail(kind, first=2) for kind in (Odd.MANY, Odd.ENDLESS, Odd.RAW))),
             outage=2.0, mail=MailLimits(apart=0)),
    Scenario("mail-unfetchable", "the mail server answers NO to the FETCH of one mail of nine users", STEADY,
             _odd(OddMail(keyword=Unfetchable.NO)), outage=2.0, mail=MailLimits(apart=0, substitutes=_HURT)),
    Scenario("mail-unfetchable-failover", "one mail of nine users cannot be fetched, and the mail server dies", STEADY,
             (*_odd(OddMail(keyword=Unfetchable.NO)), Kill(("mail1",)), Wait(8), NextMail()), outage=2.0,
             mail=MailLimits(apart=0, gone=True, disconnected=None, substitutes=_HURT)),
    Scenario("mail-unfetchable-silent", "the mail server never answers the FETCH of one mail of three users", STEADY,
             _odd(OddMail(keyword=Unfetchable.SILENCE), users=3, patience=60.0), outage=2.0,
             mail=MailLimits(apart=3, within=45.0, substitutes=3)),  # each try takes the deadline of a call, 10 s
    Scenario("mail-bye-in-fetch", "the mail server says BYE at the FETCH of one mail of nine users", STEADY,
             _odd(OddMail(keyword=Unfetchable.BYE)), outage=2.0, mail=MailLimits(apart=_HURT, substitutes=_HURT)),
    Scenario("mail-close-in-fetch", "the mail server hangs up at the FETCH of one mail of nine users", STEADY,
             _odd(OddMail(keyword=Unfetchable.CLOSE)), outage=2.0, mail=MailLimits(apart=_HURT, substitutes=_HURT)),
    Scenario("mail-row-refused", "the database refuses the row of one mail of three users for good", STEADY,
             (RefuseRows("db1"), *_odd(OddMail(subjects=tuple(map(refused_subject, _SQLSTATES))), users=3)),
             outage=2.0, mail=MailLimits(apart=0, substitutes=3)),
)

_CONNECTIONS = (
    Scenario("mail-quiet-cut", f"a firewall cuts all quiet mail connections every {_QUIET:g} s, for half a minute",
             STEADY, (Guests(3), quiet(_QUIET, *_MAIL), Wait(30), NextMail(), mend(*_MAIL), Wait(6), NextMail()),
             outage=2.0, mail=MailLimits(apart=0, disconnected=None)),
)

_USERS = (
    Scenario(
        "mail-user-refused",
        "two users' log-ins and two users' mailboxes are refused: the pool says so",
        STEADY,
        (
            AtMailServer("mailboxes refused", fields=((PlannedRefusal.SELECT, _NO),), count=2),
            AtMailServer("log-ins refused", fields=((PlannedRefusal.LOGIN, "NO [LIMIT] Too many sessions"),), first=2),
            AtMailServer("log-ins refused", fields=((PlannedRefusal.LOGIN, "NO [UNAVAILABLE] Try later"),), first=3),
            Guests(4, spare=True),
            Wait(10),
            ProblemSaid(),
            AtMailServer("as before", count=4),
            ProblemSaid(yes=False, within=60),
            NextMail(),
        ),
        outage=2.0,
        spare=4,
        mail=MailLimits(apart=4),
    ),
    Scenario(
        "user-removed",
        "a user is removed at the mail server: 401 on every server within the setting",
        STEADY,
        (
            recheck(_RECHECK),
            Guests(2, spare=True),
            AtMailServer("removed", removed=True),
            Answered(401, within=_RECHECK + 2),
            Wait(6),
            Answered(401, within=0),
            Answered(200, within=5, user=1),
        ),
        outage=2.0,
        spare=2,
        mail=MailLimits(apart=1),
    ),
    Scenario(
        "user-removed-noticed",
        "a user is removed, and the monitor's log-in is refused: 401 at once",
        STEADY,
        (
            Guests(2, spare=True),
            AtMailServer("removed", removed=True),
            reset(*_MAIL),
            Answered(401, within=5),
            Wait(4),
            Answered(401, within=0),
            Answered(200, within=5, user=1),
        ),
        outage=2.0,
        spare=2,
        mail=MailLimits(apart=1, disconnected=None),
    ),
    Scenario(
        "user-password-changed",
        "a user's password changes at the mail server: the new one works alone",
        STEADY,
        (
            recheck(_RECHECK),
            Guests(2, spare=True),
            AtMailServer("another password", password=True),
            Answered(200, within=10, new=True),
            Answered(401, within=_RECHECK + 2),
            Wait(6),
            Answered(401, within=0),
            Answered(200, within=5, user=1),
        ),
        outage=2.0,
        spare=2,
        mail=MailLimits(apart=0),
    ),
)

ALL = (*_MESSAGES, *_CONNECTIONS, *_USERS)
