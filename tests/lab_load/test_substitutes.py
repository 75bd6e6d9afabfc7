"""A mail that cannot be read is told by a substitute: neither lost nor doubled, and counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuiha.lab.load import checker, figures
from tuiha.lab.load.books import (
    DeliveredChange,
    DeliveredMessage,
    DeviceBook,
    HistoryRow,
    Outcome,
    Place,
    RecordedHistory,
)
from tuiha.lab.load.devices import _change
from tuiha.lab.load.planted import plant, read_planted

PLACE: Place = ("INBOX", 7)
MAIL = DeliveredMessage("odd@x", "ann", 10.0, 11.0, Outcome.ACCEPTED, PLACE)
SUBSTITUTE = DeliveredChange(1, "new", "", PLACE, unreadable=True)


def book(*changes: DeliveredChange) -> DeviceBook:
    made = DeviceBook("ann", "d1")
    made.registered(5.0)
    made.took(changes)
    return made


def history(*changes: DeliveredChange) -> RecordedHistory:
    made = RecordedHistory()
    made.add(HistoryRow("ann", one.seq, 1, one.kind, "INBOX", one.message_id, one.place[1] if one.place else 0,
                        one.unreadable) for one in changes)
    return made


def judge(
    books: list[DeviceBook], rows: RecordedHistory, messages: tuple[DeliveredMessage, ...] = (MAIL,)
) -> checker.LoadVerdict:
    fetched = {user: read.last_seq for user, read in rows.users.items()}
    return checker.verify(messages, {"ann": books}, rows, fetched, 1000.0)


def test_a_substitute_is_the_telling_of_its_mail() -> None:
    found = judge([book(SUBSTITUTE)], history(SUBSTITUTE))
    assert found.good
    assert [one.text for one in found.substitutes] == ["ann d1: INBOX UID 7"]
    assert figures.verdict(found, None, True)["substitutes"] == 1


@pytest.mark.parametrize("changes", [
    (),  # what was reported before: nothing
    (DeliveredChange(1, "new", "", ("INBOX", 8), unreadable=True),),  # of another mail
    (DeliveredChange(1, "new", "", ("Sent", 7), unreadable=True),),  # of another mailbox
    (DeliveredChange(1, "new", "other@x", ("INBOX", 8)),),
])
def test_without_its_substitute_the_mail_is_lost(changes: tuple[DeliveredChange, ...]) -> None:
    found = judge([book(*changes)], history(*changes))
    assert [one.what for one in found.lost] == ["odd@x"]


def test_a_mail_that_is_told_under_another_id_is_recognized_by_its_place() -> None:
    change = DeliveredChange(1, "new", "sha256:0123", PLACE)
    found = judge([book(change)], history(change))
    assert found.good
    assert not found.substitutes


def test_told_both_ways_it_is_doubled() -> None:
    changes = (SUBSTITUTE, DeliveredChange(2, "new", "odd@x", PLACE))
    found = judge([book(*changes)], history(*changes))
    assert [(one.what, one.detail) for one in found.doubled] == [("odd@x", "as 1 and 2")]


def test_a_substitute_that_comes_again_is_doubled_and_recorded_again_is_monitored_twice() -> None:
    changes = (SUBSTITUTE, DeliveredChange(2, "new", "", PLACE, unreadable=True))
    found = judge([book(*changes)], history(*changes), ())
    assert [one.what for one in found.doubled] == ["INBOX UID 7"]
    assert [one.what for one in found.monitored_twice] == ["INBOX UID 7"]


def test_several_substitutes_have_the_same_id_and_are_different_mails() -> None:
    changes = (SUBSTITUTE, DeliveredChange(2, "new", "", ("INBOX", 8), unreadable=True))
    found = judge([book(*changes)], history(*changes))
    assert found.good
    assert len(found.substitutes) == 2


def test_a_substitute_that_is_recorded_and_not_handed_out_is_lost() -> None:
    found = judge([book()], history(SUBSTITUTE), ())
    assert not found.lost  # the device had nothing yet
    before = DeliveredChange(1, "new", "a@x", ("INBOX", 6))
    later = DeliveredChange(2, "new", "", PLACE, unreadable=True)
    found = judge([book(before)], history(before, later), ())
    assert [one.what for one in found.lost] == ["INBOX UID 7"]


def test_a_substitute_that_the_history_lacks_is_unrecorded() -> None:
    found = judge([book(SUBSTITUTE)], RecordedHistory(), ())
    assert [one.what for one in found.unrecorded] == ["INBOX UID 7"]


def test_a_change_as_a_device_gets_it() -> None:
    item = {"seq": 3, "kind": "new", "mailbox": "INBOX", "uid": 7, "message_id": "<a@x>"}
    assert _change(item) == DeliveredChange(3, "new", "a@x", PLACE)
    assert _change({**item, "unreadable": {"why": "NO"}, "message_id": None}) == DeliveredChange(
        3, "new", "", PLACE, True
    )
    assert _change({"seq": 3, "kind": "new", "message_id": "<a@x>"}) == DeliveredChange(3, "new", "a@x")


def test_planted_messages_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "planted.jsonl"
    assert read_planted(path) == read_planted(None) == []
    plant(path, MAIL)
    plant(path, MAIL)
    assert read_planted(path) == [MAIL, MAIL]
