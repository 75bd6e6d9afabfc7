"""Who is to blame for a message that was not read: itself, its mailbox, or nobody, as it is there a moment later."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.drivers.transcripts import UNREADABLE, Transcript, corpus, read
from tests.server.mail.playing import play, without_pauses
from tuiha.drivers.mail.envelopes import Envelope, EnvelopePart
from tuiha.server.mail import mailbox
from tuiha.server.mail.mailbox import LOGINS, MailboxQuestion, MailboxReading, Suspects

CORPUS = {one.name: one for one in corpus()}
ORDINARY = CORPUS["SEARCH with MODSEQ"]
ALL = {uid: (mail, f"mail {uid}") for uid, mail in ((1, "<m1@x>"), (2, "<m2@x>"), (5, "<m5@x>"))}
Bend = Callable[[str, bytes], bytes]


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    with without_pauses():
        yield


def refusing(times: int) -> Bend:
    """Every question for contents is refused, so many times."""
    left = [times]

    def bend(word: str, data: bytes) -> bytes:
        if word not in ("fetch", "whole", "envelope") or not left[0]:
            return data
        left[0] -= 1
        tag = data.rstrip().rpartition(b"\n")[2].partition(b" ")[0]
        return tag + b" NO [UNAVAILABLE] the store is away\r\n"

    return bend


async def test_trouble_that_passes_makes_no_message_unreadable() -> None:
    played = await play(ORDINARY, bend=refusing(8))
    assert played.book.recorded() == ALL
    assert played.logins == 1


async def test_control_without_patience_every_message_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "PATIENCE", 0.0)
    played = await play(ORDINARY, bend=refusing(8))
    assert [uid for uid, (what, _) in played.book.recorded().items() if what == UNREADABLE] == [1, 2, 5]


async def test_a_mailbox_of_which_nothing_can_be_read_is_recorded_by_sizes_in_the_end() -> None:
    played = await play(ORDINARY, bend=refusing(10**6))
    assert played.book.recorded() == dict.fromkeys(ALL, (UNREADABLE, UNREADABLE))


async def test_a_mailbox_whose_messages_all_end_the_connection_costs_few_log_ins() -> None:
    mails = "".join(f"message {uid} <m{uid}@x> mail\n" for uid in range(1, 101))
    (transcript,) = read(f"=== all\n{mails}fetch\n| * BYE FETCH failed\n| CLOSE\nenvelope\n| CLOSE\n")
    played = await play(transcript)
    assert len(played.book.recorded()) == 100
    assert played.logins <= LOGINS + 1


def hiding(looks: int) -> Bend:
    """UID 2 is counted, and not shown in the first looks."""
    seen = [0]

    def bend(word: str, data: bytes) -> bytes:
        seen[0] += word == "search"
        if seen[0] > looks:
            return data
        if word == "search":
            return data.replace(b" 1 2 5", b" 1 5")
        return b"".join(line for line in data.splitlines(keepends=True) if b"(UID 2)" not in line)

    return bend


async def test_a_message_that_is_counted_and_not_shown_is_waited_for() -> None:
    played = await play(ORDINARY, bend=hiding(4))
    assert played.book.recorded() == ALL


async def test_control_without_a_look_at_the_gap_the_cursor_passes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MailboxReading, "gaps", lambda self, exists: ())
    played = await play(ORDINARY, bend=hiding(4))
    assert list(played.book.recorded()) == [1, 5]


async def test_a_message_that_is_never_shown_does_not_keep_the_others_for_ever() -> None:
    played = await play(ORDINARY, bend=hiding(10**6))
    assert list(played.book.recorded()) == [1, 5]


def test_a_message_that_is_shown_and_cannot_be_read_is_no_gap() -> None:
    """Its sequence number does not come, as nothing of it comes; the ones behind it do not wait for it."""
    one = MailboxReading([5, 6], Suspects(), 5, (4, 4))
    one.came({6: Envelope(6, "<6@x>", "six", None, 1)}, MailboxQuestion((5, 6), EnvelopePart.HEADER), {6: 6})
    assert one.gaps(6) == ((5, 5, 1),)
    one.looked(((5, 5, 1),), [5], True)
    one.answered(MailboxQuestion((5,), EnvelopePart.HEADER), [], 0.0)
    one.answered(MailboxQuestion((5,), EnvelopePart.HEADER), [], 0.0)
    assert one.ready() == (6, [Envelope(6, "<6@x>", "six", None, 1)])


def failed(suspects: Suspects, uid: int, now: float) -> MailboxReading:
    one = MailboxReading([uid], suspects)
    ask = one.ask(now)
    assert ask is not None
    one.refused(ask, "no", now)
    return one


def test_the_control_is_asked_before_a_message_is_blamed() -> None:
    suspects = Suspects()
    suspects.read(3)
    one = failed(suspects, 4, 0.0)
    control = one.ask(0.0)
    assert control is not None
    assert (control.uids, control.control) == ((3,), True)
    suspects.read(3)
    again = one.ask(0.0)
    assert again is not None
    assert (again.uids, again.part) == ((4,), EnvelopePart.HEADER)
    one.refused(again, "no", 0.0)
    less = one.ask(0.0)
    assert less is not None
    assert less.part is EnvelopePart.ENVELOPE


def test_the_only_message_of_a_mailbox_waits_less_than_one_whose_control_fails_too() -> None:
    alone = Suspects(searched=True)
    failed(alone, 4, 0.0)
    assert alone.hopeless(True, mailbox.ALONE)
    other = Suspects(control=3)
    failed(other, 4, 0.0)
    assert not other.hopeless(True, mailbox.ALONE)
    assert other.hopeless(True, mailbox.PATIENCE)


def test_new_mail_is_asked_for_while_nothing_can_be_read() -> None:
    suspects = Suspects(searched=True, fruitless=3, since=0.0, until=9.0)
    suspects.troubles = {uid: mailbox.MailboxTrouble(EnvelopePart.HEADER, "no", 0) for uid in (4, 5, 6)}
    ask = MailboxReading([4, 5, 6, 7], suspects).ask(1.0)
    assert ask is not None
    assert ask.uids == (7,)


@pytest.mark.parametrize("transcript", [CORPUS["Dovecot: the only message ends the connection"]], ids=["alone"])
async def test_one_bad_message_costs_few_log_ins(transcript: Transcript) -> None:
    assert (await play(transcript)).logins <= 6
