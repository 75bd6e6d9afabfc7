"""The mail server is asked again: by one pool server for all of them, one at a time for each user.

The claim, the answer and a doubt are in the user's row, so N servers ask once. A refusal marks the stored hash and is
announced: every server forgets the password and ends what still waits with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial

from tuiha.pooldb.connection import Connection
from tuiha.pooldb.statements.users import (
    CLAIM_QUESTION,
    CONFIRM_PASSWORD,
    DOUBT_USERS,
    NOTE_UNANSWERED,
    REFUSE_PASSWORD,
)
from tuiha.server.database.access import Unavailable
from tuiha.server.database.gate import Gate
from tuiha.server.devices.enrolment import Provisioner
from tuiha.server.devices.revocation import announce

ASK_AGAIN = 60.0  # seconds until the mail servers are asked again, when none could answer, or when they refused
_EARLIER = 0.5  # of `recheck`: the most by which a user's turn is early, so that users who came together do not ask so


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a mail cluster's word is believed, in seconds."""

    recheck: float
    grace: float


@dataclass(frozen=True, slots=True)
class PasswordWord:
    """What was last said of a password. Times are in seconds before the row was read; None: never."""

    confirmed: float
    unanswered: float | None = None
    refused: float | None = None  # None as well when the password was accepted later
    doubted: bool = False  # since it was confirmed
    chance: float = 0.0  # from 0 to 1, different for each user and word: how early its turn is


def believed(word: PasswordWord, terms: Terms) -> float:
    """Seconds from the reading of the row for which the word holds; 0 or less: ask the mail server before anything."""
    if word.refused is not None:
        return ASK_AGAIN - word.refused
    fresh = 0.0 if word.doubted else terms.recheck * (1.0 - _EARLIER * word.chance) - word.confirmed
    if word.unanswered is None:
        return fresh
    return max(fresh, min(ASK_AGAIN - word.unanswered, terms.grace - word.confirmed))


log = logging.getLogger("tuiha.recheck")

_LONGEST = 8.0  # seconds that the mail servers may take
_PAUSE = 1.0  # seconds until doubts that could not be written are written again
_QUIET = 3.0  # of `recheck`, one part in so many: a doubt that proved groundless is not repeated within it


class RecheckAnswer(StrEnum):
    """What came of asking."""

    CONFIRMED = "confirmed"
    REFUSED = "refused"
    UNANSWERED = "unanswered"  # no mail server of the cluster could say
    ELSEWHERE = "elsewhere"  # another pool server asks at this moment, or has asked


class Recheck:
    """Asks mail clusters again about users that the pool has, and writes down what they say."""

    def __init__(self, gate: Gate, provisioner: Provisioner, terms: Mapping[str, Terms]) -> None:
        self._gate = gate
        self._provisioner = provisioner
        self.terms = terms  # by mail cluster
        self.counts: Counter[tuple[str, str]] = Counter()  # mail cluster and answer
        self._doubts: set[int] = set()
        self._doubted = asyncio.Event()

    async def ask(
        self, user_id: int, name: str, password: str, cluster: str, stored: str, asked_at: datetime | None
    ) -> RecheckAnswer:
        """Ask about a password; `stored` and `asked_at` are of the user's row as it was read. Raises Unavailable."""
        claim = await self._gate.write(lambda c: c.fetchval(CLAIM_QUESTION, user_id, stored, asked_at))
        if claim is None:
            return RecheckAnswer.ELSEWHERE
        answer = await self._answer(name, password, cluster)
        await self._gate.write(lambda c: _keep(c, answer, user_id, stored, claim))
        self.counts[cluster, answer] += 1
        if answer is not RecheckAnswer.CONFIRMED:
            log.warning("a user's password, asked again", extra={"user": name, "cluster": cluster, "answer": answer})
        return answer

    async def _answer(self, name: str, password: str, cluster: str) -> RecheckAnswer:
        try:
            async with asyncio.timeout(_LONGEST):
                right = await self._provisioner.confirms(name, password, cluster)
        except (Unavailable, TimeoutError):
            return RecheckAnswer.UNANSWERED
        return RecheckAnswer.CONFIRMED if right else RecheckAnswer.REFUSED

    def doubt(self, user_id: int) -> None:
        """The monitor saw evidence against this user: all servers ask before they serve it again."""
        self._doubts.add(user_id)
        self._doubted.set()

    async def run(self) -> None:
        """Write doubts down until cancelled."""
        quiet = min((terms.recheck for terms in self.terms.values()), default=0.0) / _QUIET
        while True:
            await self._doubted.wait()
            self._doubted.clear()
            doubts, self._doubts = self._doubts, set()
            try:
                await self._gate.write(partial(_doubt, user_ids=sorted(doubts), quiet=quiet))
            except Unavailable as error:
                log.info("doubts not written yet", extra={"users": len(doubts), "reason": str(error)})
                self._doubts |= doubts
                self._doubted.set()
                await asyncio.sleep(_PAUSE)


async def _keep(connection: Connection, answer: RecheckAnswer, user_id: int, stored: str, claim: datetime) -> None:
    if answer is RecheckAnswer.CONFIRMED:
        await connection.execute(CONFIRM_PASSWORD, user_id, stored, claim)
    elif answer is RecheckAnswer.REFUSED:
        await connection.execute(REFUSE_PASSWORD, user_id, stored)
        await announce(connection, user_id)
    else:
        await connection.execute(NOTE_UNANSWERED, user_id, claim)


async def _doubt(connection: Connection, user_ids: list[int], quiet: float) -> None:
    rows = await connection.fetch(DOUBT_USERS, user_ids, quiet)
    for row in rows:
        await announce(connection, row["id"])
