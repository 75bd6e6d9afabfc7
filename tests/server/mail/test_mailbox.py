"""What is asked next, and what a bad message costs."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from tuiha.drivers.mail.envelopes import Envelope, EnvelopePart
from tuiha.server.mail.mailbox import ALONE, LOGINS, MailboxReading, Suspects

NAMED = "the server says BYE: FETCH failed: Internal error"


def envelope(uid: int) -> Envelope:
    return Envelope(uid, f"<{uid}@x>", "hello", None, 10)


class Server:
    """Ends the connection, or refuses, when it is asked for a header of certain messages."""

    def __init__(
        self,
        uids: Collection[int],
        kills: Collection[int] = (),
        refuses: Collection[int] = (),
        reason: str = NAMED,
        in_order: bool = True,
        deadly: Collection[EnvelopePart] = (EnvelopePart.HEADER, EnvelopePart.ENVELOPE),
    ) -> None:
        self.uids, self.kills, self.refuses, self.reason = sorted(uids), set(kills), set(refuses), reason
        self.in_order, self.deadly = in_order, deadly
        self.logins, self.commands, self.gave_up = 1, 0, 0
        self.now = 0.0

    def read(self) -> list[Envelope]:
        suspects, found = Suspects(), list[Envelope]()
        while True:
            reading = MailboxReading([uid for uid in self.uids if not found or uid > found[-1].uid], suspects)
            if self._connection(reading, suspects, found):
                if suspects.until is None:
                    return found
                self.now = suspects.until
                continue
            self.logins += 1
            assert self.logins < 1000

    def _connection(self, reading: MailboxReading, suspects: Suspects, found: list[Envelope]) -> bool:
        while (ask := reading.ask(self.now)) is not None:
            self.commands += 1
            if not ask.uids:
                reading.found_control(0)
                continue
            bad = [uid for uid in ask.uids if uid in self.kills and ask.part in self.deadly]
            good = [uid for uid in ask.uids if not bad or (self.in_order and uid < bad[0])]
            if bad:
                reading.came({uid: envelope(uid) for uid in good}, ask, {})
                self.gave_up += not reading.lost(ask, self.reason, self.now)
                return False
            refused = [uid for uid in good if uid in self.refuses and ask.part in self.deadly]
            reading.came({uid: envelope(uid) for uid in good if not refused}, ask, {})
            if refused:
                reading.refused(ask, "cannot be converted", self.now)
            last, ready = reading.ready()
            found += ready
            if last:
                suspects.passed(last)
        return True


@pytest.mark.parametrize("bad", [1, 2, 77, 200])
def test_a_refused_message_costs_no_log_in(bad: int) -> None:
    server = Server(range(1, 201), refuses=[bad])
    found = server.read()
    assert [one.uid for one in found] == list(range(1, 201))
    assert [one.uid for one in found if one.unreadable] == [bad]
    assert server.logins == 1
    assert server.commands < 40


@pytest.mark.parametrize("bad", [1, 2, 77, 200])
@pytest.mark.parametrize("reason", [NAMED, "no answer within 10 s", "the server closed the connection"])
@pytest.mark.parametrize("in_order", [True, False])
def test_a_message_that_ends_connections_costs_few_log_ins(bad: int, reason: str, in_order: bool) -> None:
    server = Server(range(1, 201), kills=[bad], reason=reason, in_order=in_order)
    found = server.read()
    assert [one.uid for one in found] == list(range(1, 201))
    assert [one.uid for one in found if one.unreadable] == [bad]
    assert server.logins - 1 <= (2 if in_order else LOGINS), "more than the documentation says"
    assert server.gave_up == 0


def test_one_log_in_is_enough_where_the_server_says_that_it_was_the_fetch() -> None:
    for bad in (1, 2):
        server = Server(range(1, 3), kills=[bad])
        assert [one.uid for one in server.read() if one.unreadable] == [bad]
        assert server.logins == 2


def test_the_only_message_of_a_mailbox_is_tried_for_some_seconds() -> None:
    server = Server([7], kills=[7])
    assert [one.uid for one in server.read() if one.unreadable] == [7]
    assert server.now == ALONE
    assert server.logins - 1 <= 4


@pytest.mark.parametrize("count", [1, 5, 200])
def test_a_server_that_sends_no_header_is_asked_for_envelopes(count: int) -> None:
    server = Server(range(1, count + 1), refuses=range(1, count + 1), deadly=(EnvelopePart.HEADER,))
    assert [one.uid for one in server.read() if not one.unreadable] == list(range(1, count + 1))


def test_several_bad_ones() -> None:
    server = Server(range(1, 201), kills=[3, 50, 51, 200], refuses=[4, 100])
    assert [one.uid for one in server.read() if one.unreadable] == [3, 4, 50, 51, 100, 200]
    assert server.logins < 4 * LOGINS


def test_a_server_that_ends_by_itself_makes_no_substitutes() -> None:
    suspects = Suspects()
    for _ in range(2):  # twice it went away in the middle of an answer
        reading = MailboxReading(range(1, 11), suspects)
        ask = reading.ask(0.0)
        assert ask is not None
        reading.came({uid: envelope(uid) for uid in (1, 2)}, ask, {})
        reading.lost(ask, "the server says BYE: shutting down", 0.0)
    reading = MailboxReading(range(1, 11), suspects)
    while (ask := reading.ask(0.0)) is not None:
        assert ask.part is EnvelopePart.HEADER
        reading.came({uid: envelope(uid) for uid in ask.uids}, ask, {})
    last, found = reading.ready()
    assert (last, len(found)) == (10, 10)
    assert not any(one.unreadable for one in found)


def test_a_server_that_answers_nothing_at_all_is_not_the_messages_fault() -> None:
    suspects, now, lost = Suspects(searched=True), 0.0, True
    for _ in range(40):
        ask = MailboxReading([5], suspects).ask(now)
        if ask is None:
            assert suspects.until is not None, "given up"
            now = suspects.until
            continue
        lost = MailboxReading([5], suspects).lost(ask, "no answer", now)
    assert not lost, "and it is not tried again at once for ever"


def test_a_cursor_passes_only_what_is_recorded_or_does_not_exist() -> None:
    reading = MailboxReading([1, 2, 3], Suspects())
    ask = reading.ask(0.0)
    assert ask is not None
    reading.came({1: envelope(1), 3: envelope(3)}, ask, {})
    assert reading.ready()[0] == 1
    reading.answered(ask, [2], 0.0)  # it is listed
    for _ in range(2):
        again = reading.ask(0.0)
        assert again is not None
        assert again.uids == (2,)
        reading.answered(again, [], 0.0)  # and then it is not, twice
    assert reading.ready() == (3, [envelope(3)])
