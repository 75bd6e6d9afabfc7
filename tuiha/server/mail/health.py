"""Who is to blame when mail fails: one user, or the mail server? Pure; the clock is an argument.

A mail server is judged by what is known about the server itself, and by nothing else. A message, a mailbox, a
password or one connection can fail for a reason of its own, and anybody who can send a mail can bring that about for
many users at once. So no number of users in trouble makes a server gone. Their trouble is a question to the probe:

- After log-in and SELECT a failure is the user's affair (`Blame.USER`). When the connection ended, the probe is asked
  for a sign of life at once (`Blame.LOOK`).
- Before that the server may be the cause, unless it refused this one user. Then the probe goes the whole way of a
  user on a new connection: connect, log in, open a mailbox (`Blame.DOUBT`). The probe's user differs from the others
  in everything. When the probe gets in, the trouble is the users' own. They cause no second look until they were in.

`judge` says what a look of the probe means. A server that neither answers on the kept connection nor lets the probe in
is gone. One that answers, and lets nobody in, is closed while users are connected through it: these stay, and the
others go to its partner. With nobody connected there is nothing to keep, and it is gone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from tuiha.drivers.mail.client import ImapError, ImapFailure
from tuiha.model.problems.mail_trouble import Trouble


class Phase(StrEnum):
    """How far a user's connection has come."""

    CONNECT = "connect"  # and greeting, and TLS
    LOGIN = "login"
    SELECT = "select"
    ENTERED = "entered"  # the mailbox is open


class Blame(StrEnum):
    """What a user's failure asks for."""

    USER = "user"  # nothing: it is this user's affair
    LOOK = "look"  # a sign of life from the server, now
    DOUBT = "doubt"  # a whole look on a new connection


# LIMIT and INUSE are not among them: LIMIT is said to a user who has too many connections, and INUSE is of one mailbox.
_SERVERS_CODES = frozenset({"UNAVAILABLE", "SERVERBUG", "CONTACTADMIN"})
# With these words Dovecot refuses a user at mail_max_userip_connections; Debian's 2.3.19.1 under the code UNAVAILABLE.
_USERS_LIMIT = "Maximum number of connections from user"


def may_be_servers(failure: ImapFailure) -> bool:
    """Whether a failure before the mailbox was open may be the mail server's; a refusal of one user is not."""
    if isinstance(failure, ImapError) and failure.response is not None:
        return failure.code in _SERVERS_CODES and _USERS_LIMIT not in str(failure)
    return True


def blame(phase: Phase, failure: ImapFailure) -> Blame:
    """What a user's failure in a phase asks for."""
    if phase is Phase.ENTERED:
        refused = isinstance(failure, ImapError)  # the server talks, however oddly
        return Blame.USER if refused else Blame.LOOK
    return Blame.DOUBT if phase is Phase.CONNECT or may_be_servers(failure) else Blame.USER


_NOBODY = re.compile(r"no such user|unknown user|user unknown|user (?:does not|doesn't) exist|user not found", re.I)
_NOBODY_CODES = frozenset({"NONEXISTENT", "USERNOTFOUND"})
_REFUSED_CODES = frozenset({"AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED"}) | _NOBODY_CODES


def trouble(phase: Phase, failure: ImapFailure) -> Trouble:
    """What a user's failure in a phase is called."""
    if phase is Phase.ENTERED:
        return Trouble.READING
    if phase is Phase.SELECT:
        return Trouble.MAILBOX
    if phase is Phase.CONNECT or may_be_servers(failure):
        return Trouble.NO_ANSWER
    nobody = isinstance(failure, ImapError) and (failure.code in _NOBODY_CODES or _NOBODY.search(str(failure)))
    return Trouble.NO_SUCH_USER if nobody else Trouble.LOGIN


def says_not_admitted(phase: Phase, failure: ImapFailure) -> bool:
    """Whether the mail server says that there is no such user, or that the user may not come in (RFC 5530)."""
    if phase is not Phase.LOGIN or not isinstance(failure, ImapError) or failure.response != "NO":
        return False
    return failure.code in _REFUSED_CODES or trouble(phase, failure) is Trouble.NO_SUCH_USER


class Kept(StrEnum):
    """What the probe's kept connection did."""

    NONE = "none"  # there was none
    ANSWERED = "answered"
    ENDED = "ended"
    SILENT = "silent"  # for the whole deadline


class ProbeWay(StrEnum):
    """How far a new connection of the probe came."""

    NOT_TRIED = "not tried"
    IN = "in"
    REFUSED = "refused"  # the probe's user, for a reason of this user: the server answers
    BARRED = "barred"  # greeted, and then not let in for a reason that may be the server's
    UNREACHED = "unreached"  # no greeting


@dataclass(frozen=True, slots=True)
class ProbeLook:
    """One look of the probe at a mail server."""

    kept: Kept
    way: ProbeWay
    why: str = ""  # why it was not let in, or has no answer

    @property
    def answered(self) -> bool:
        """Whether nothing failed in it."""
        return self.way in (ProbeWay.IN, ProbeWay.REFUSED) or (
            self.kept is Kept.ANSWERED and self.way is ProbeWay.NOT_TRIED
        )


class Judgement(StrEnum):
    """What is to be done with a mail server after a look."""

    AS_BEFORE = "as before"  # it answers; whether it lets users in was not asked
    OPEN = "open"
    CLOSED = "closed"  # it answers and lets nobody in: those who are in stay
    GONE = "gone"


def judge(look: ProbeLook, connected: int) -> Judgement:
    """What a look means, with so many users connected through the server."""
    if look.way in (ProbeWay.IN, ProbeWay.REFUSED):
        return Judgement.OPEN
    if look.way is ProbeWay.NOT_TRIED:
        return Judgement.AS_BEFORE if look.kept is Kept.ANSWERED else Judgement.GONE
    answers = look.kept is Kept.ANSWERED or (look.way is ProbeWay.BARRED and look.kept is not Kept.SILENT)
    return Judgement.CLOSED if answers and connected else Judgement.GONE


class Health:
    """The judgement on one mail server.

    Once gone it stays gone until `bring_back`: a server that comes and goes must not take its users along each time.
    A closed one is open again as soon as anybody gets in.
    """

    __slots__ = ("_acquitted", "_answered_at", "_asked", "_doubting", "closed", "why")

    def __init__(self) -> None:
        self._answered_at = float("-inf")
        self._doubting: set[int] = set()  # users that failed since the last look
        self._asked: set[int] = set()  # those that the present look is about
        self._acquitted: set[int] = set()  # users in trouble of their own
        self.why: str | None = None  # why it is gone; None: it is not
        self.closed: str | None = None  # why it lets nobody in; None: as far as is known it does

    @property
    def gone(self) -> bool:
        """Whether it is gone."""
        return self.why is not None

    @property
    def doubted(self) -> bool:
        """Whether users failed in a way that may be the server's, and no look has answered that."""
        return bool(self._doubting)

    def answered(self, now: float) -> None:
        """It gave a sign of life to a user."""
        self._answered_at = now

    def answered_since(self, moment: float) -> bool:
        """Whether a user had an answer since then."""
        return self._answered_at >= moment

    def served(self, user_id: int, now: float) -> None:
        """A user was let in."""
        self.answered(now)
        self.closed = None
        self.forget(user_id)

    def failed(self, user_id: int) -> None:
        """A user failed in a way that may be the server's."""
        if user_id not in self._acquitted:
            self._doubting.add(user_id)

    def forget(self, user_id: int) -> None:
        """A user is well, or leaves."""
        self._doubting.discard(user_id)
        self._asked.discard(user_id)
        self._acquitted.discard(user_id)

    def asks(self) -> None:
        """A whole look begins: it is about the users that have failed so far."""
        self._asked |= self._doubting
        self._doubting.clear()

    def looked(self, look: ProbeLook, started: float, connected: int) -> bool:
        """A look that began at `started` has ended. True when this tips the judgement: it is gone from now on.

        A look that failed says nothing when a user had an answer meanwhile.
        """
        judgement = judge(look, connected)
        if judgement is Judgement.OPEN:
            self.closed = None
            self._acquitted |= self._asked
        if judgement is not Judgement.AS_BEFORE:
            self._asked.clear()
        if judgement in (Judgement.CLOSED, Judgement.GONE) and not self.answered_since(started):
            return self._fails(judgement, look.why)
        return False

    def bring_back(self) -> None:
        """Use it again."""
        self.why = self.closed = None
        for users in (self._doubting, self._asked, self._acquitted):
            users.clear()

    def _fails(self, judgement: Judgement, why: str) -> bool:
        self.closed = why
        if judgement is Judgement.CLOSED or self.why is not None:
            return False
        self.why = why
        return True
