from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from tuiha.drivers.mail.client import Envelope
from tuiha.server.mail.messages import identifier, messages

NOW = datetime(2026, 1, 2, tzinfo=UTC)
PLAIN = Envelope(7, "", "Hello", datetime(2026, 1, 1, tzinfo=UTC), 1234, "a@example.org")


def test_a_message_id_is_kept() -> None:
    assert identifier(replace(PLAIN, message_id=" <x@y> ")) == "<x@y>"


def test_without_one_it_depends_on_the_message_and_not_on_where_it_lies() -> None:
    assert identifier(PLAIN) == identifier(replace(PLAIN, uid=900))
    others = [
        replace(PLAIN, subject="Hallo"), replace(PLAIN, size=1235), replace(PLAIN, sender="b@example.org"),
        replace(PLAIN, date=NOW), replace(PLAIN, date=None),
    ]
    assert len({identifier(one) for one in (PLAIN, *others)}) == 6


def test_an_endless_message_id_fits_into_an_index_and_stays_one_of_its_own() -> None:
    long = "<" + "x" * 800
    assert len(identifier(replace(PLAIN, message_id=long))) < 100
    assert identifier(replace(PLAIN, message_id=long)) != identifier(replace(PLAIN, message_id=long + "y"))


def test_each_message_is_one_whatever_its_message_id() -> None:
    envelopes = [replace(PLAIN, uid=uid, message_id=f"<{name}>") for uid, name in ((1, "b"), (2, "a"), (3, "b"))]
    assert [(one.uid, one.message_id) for one in messages(envelopes, NOW)] == [
        (1, "<b>"), (2, "<a>"), (3, "<b>")]


def test_what_postgresql_cannot_hold_does_not_get_there() -> None:
    (one,) = messages([replace(PLAIN, message_id="<a\0b\ud800@x>", subject="\0\ud800", date=None)], NOW)
    assert one.at == NOW
    for text in (one.message_id, one.subject):
        assert "\0" not in text
        text.encode("utf-8")
