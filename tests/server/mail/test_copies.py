"""Which messages are copies of known ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tuiha.server.mail.messages import KnownChange, Message, copies

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MAIL = Message(7, "<invoice@shop>", "invoice", NOW, 1000, NOW)
THERE = KnownChange(1, "<invoice@shop>", "invoice", NOW + timedelta(hours=1), 1000, NOW, None, None)


def test_a_copy_is_equal_in_message_id_size_date_and_subject() -> None:
    assert copies([MAIL], [THERE], below=100) == {7: 1}
    for other in (replace(THERE, size=1001), replace(THERE, subject="invoice, corrected"),
                  replace(THERE, sent=NOW + timedelta(seconds=1)), replace(THERE, message_id="<other@shop>")):
        assert copies([MAIL], [other], below=100) == {}


def test_what_comes_later_is_new_unless_it_arrived_in_the_same_second() -> None:
    assert copies([MAIL], [THERE], below=7) == {}
    assert copies([MAIL], [replace(THERE, at=NOW)], below=7) == {7: 1}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_each_known_one_stands_for_one_copy(number: int) -> None:
    mails = [replace(MAIL, uid=uid) for uid in (1, 2)]
    known = [replace(THERE, seq=seq) for seq in range(1, number + 1)]
    assert copies(mails, known, below=100) == dict(list({1: 1, 2: 2}.items())[:number])


def test_one_that_was_met_is_not_met_again() -> None:
    known = [replace(THERE, seq=1, uid=3), replace(THERE, seq=2)]
    assert copies([replace(MAIL, uid=3), replace(MAIL, uid=4)], known, below=100) == {3: 1, 4: 2}


def test_rows_of_the_version_before() -> None:
    old = replace(THERE, size=None, sent=None)
    assert copies([MAIL], [old], below=100) == {7: 1}
    assert copies([replace(MAIL, subject="invoice, corrected")], [old], below=100) == {}
    assert copies([MAIL], [old, replace(THERE, seq=2)], below=100) == {7: 2}, "an equal one goes first"


def test_a_message_without_an_identifier() -> None:
    mail, there = replace(MAIL, message_id="sha256:1"), replace(THERE, message_id="sha256:2")
    assert copies([mail], [there], below=100) == {7: 1}
    assert copies([mail], [replace(there, size=7)], below=100) == {}


def test_a_substitute_is_recognized_by_size_and_arrival() -> None:
    bad = replace(MAIL, unreadable="because", subject="(this message cannot be read)", message_id="sha256:3")
    assert copies([bad], [replace(THERE, at=NOW)], below=100) == {7: 1}
    assert copies([MAIL], [replace(THERE, at=NOW, unreadable="because", message_id="sha256:3")], below=100) == {7: 1}
    assert copies([bad], [THERE], below=100) == {}, "rather told twice than not at all"
    assert copies([bad], [replace(THERE, at=NOW, size=999)], below=100) == {}


def test_a_substitute_of_unknown_size_is_recognized_by_its_arrival() -> None:
    """A mail that is unreadable on both servers of a cluster is told once."""
    bad = replace(MAIL, unreadable="because", message_id="sha256:3", size=0)
    there = replace(THERE, at=NOW, unreadable="because", message_id="sha256:9", size=0)
    assert copies([bad], [there], below=100) == {7: 1}
    assert copies([bad], [replace(THERE, at=NOW)], below=100) == {7: 1}
    assert copies([bad], [replace(THERE, unreadable="because", message_id="sha256:9", size=0)], below=100) == {}
