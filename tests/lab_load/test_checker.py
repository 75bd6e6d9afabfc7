"""The checker finds what is planted, and nothing where nothing is wrong."""

from __future__ import annotations

import random

from tuiha.lab.load import checker
from tuiha.lab.load.books import (
    DeliveredChange,
    DeliveredMessage,
    DeviceBook,
    HistoryGap,
    HistoryRow,
    Outcome,
    RecordedHistory,
    plain_id,
)

NOW = 1000.0


def accepted(message_id: str, user: str = "ann", started: float = 10.0) -> DeliveredMessage:
    return DeliveredMessage(message_id, user, started, started + 1, Outcome.ACCEPTED)


def book(*ids: str, first: int = 1, due_from: float = 5.0, user: str = "ann", device: str = "d1") -> DeviceBook:
    made = DeviceBook(user, device)
    made.registered(due_from)
    made.took(DeliveredChange(first + n, "new", message_id) for n, message_id in enumerate(ids))
    return made


def history(*ids: str, user: str = "ann", generations: list[int] | None = None) -> RecordedHistory:
    made = RecordedHistory()
    made.add(
        HistoryRow(user, n + 1, generations[n] if generations else 1, "new", "INBOX", message_id)
        for n, message_id in enumerate(ids)
    )
    return made


def judge(
    messages: list[DeliveredMessage],
    books: list[DeviceBook],
    rows: RecordedHistory | None,
    fetched: dict[str, int] | None = None,
) -> checker.LoadVerdict:
    of_user: dict[str, list[DeviceBook]] = {}
    for one in books:
        of_user.setdefault(one.user, []).append(one)
    return checker.verify(messages, of_user, rows, fetched or {}, NOW)


def test_all_seen_once_is_good() -> None:
    found = judge([accepted("a"), accepted("b")], [book("a", "b")], history("a", "b"), {"ann": 2})
    assert found.good


def test_a_planted_loss_is_found() -> None:
    found = judge([accepted("a"), accepted("b")], [book("a")], history("a", "b"), {"ann": 2})
    assert [(f.device, f.what) for f in found.lost] == [("d1", "b")]


def test_a_message_that_the_pool_never_recorded_is_lost() -> None:
    found = judge([accepted("a"), accepted("b")], [book("a")], history("a"), {"ann": 1})
    assert [f.what for f in found.lost] == ["b"]


def test_a_loss_on_one_device_of_two_is_found() -> None:
    found = judge([accepted("a")], [book("a"), book(device="d2")], history("a"), {"ann": 1})
    assert [f.device for f in found.lost] == ["d2"]


def test_a_skipped_number_is_a_loss_and_counted_once() -> None:
    torn = book("a")
    torn.took([DeliveredChange(3, "new", "c")])
    assert torn.gaps == [HistoryGap(1, 3)]
    found = judge([accepted("a"), accepted("b"), accepted("c")], [torn], history("a", "b", "c"), {"ann": 3})
    assert [f.what for f in found.lost] == ["b"]


def test_a_skipped_number_is_a_loss_even_without_the_history() -> None:
    torn = book("a")
    torn.took([DeliveredChange(3, "new", "c")])
    assert [f.what for f in judge([], [torn], None).lost] == ["seq 2"]


def test_a_maybe_that_arrived_must_reach_every_device_and_one_that_did_not_must_not() -> None:
    maybe = DeliveredMessage("m", "ann", 10.0, 12.0, Outcome.MAYBE)
    assert judge([maybe], [book("a")], history("a"), {"ann": 1}).good
    found = judge([maybe], [book("a")], history("a", "m"), {"ann": 2})
    assert [f.what for f in found.lost] == ["m"]


def test_rows_that_came_too_late_to_fetch_are_not_lost() -> None:
    assert judge([], [book("a")], history("a", "late"), {"ann": 1}).good


def test_messages_of_before_the_registration_may_come_and_need_not() -> None:
    old = accepted("old", started=4.0)
    assert judge([old], [book(due_from=5.0)], history("old"), {}).good
    assert judge([old], [book("old", due_from=5.0)], history("old"), {"ann": 1}).good


def test_a_device_that_never_registered_is_owed_nothing() -> None:
    assert judge([accepted("a")], [DeviceBook("ann", "d1")], history("a"), {"ann": 1}).good


def test_planted_doubles_are_found() -> None:
    twice = book("a", "b")
    twice.took([DeliveredChange(2, "new", "b")])  # behind the key: the same number again
    assert [f.what for f in judge([], [twice], history("a", "b")).doubled] == ["seq 2"]
    renumbered = book("a", "b", "a")  # the same message under another number
    found = judge([], [renumbered], None)
    assert [f.what for f in found.doubled] == ["a"]


def test_a_restart_from_a_new_key_is_no_excuse_for_a_second_copy() -> None:
    again = book("a")
    again.restarted()
    again.took([DeliveredChange(1, "new", "a"), DeliveredChange(2, "new", "b")])
    assert again.restarts == 1
    assert [f.what for f in judge([], [again], history("a", "b")).doubled] == ["a"]


def test_a_generation_that_goes_back_shows_two_monitors() -> None:
    found = judge([], [book("a", "b", "c")], history("a", "b", "c", generations=[1, 2, 1]), {"ann": 3})
    assert [f.what for f in found.monitored_twice] == ["seq 3"]
    assert judge([], [book("a", "b", "c")], history("a", "b", "c", generations=[1, 2, 2]), {"ann": 3}).good


def test_a_message_recorded_twice_shows_two_monitors() -> None:
    found = judge([], [], history("a", "b", "a"))
    assert [f.what for f in found.monitored_twice] == ["a"]


def test_a_change_that_the_history_lacks_is_found_only_when_the_history_was_read() -> None:
    assert [f.what for f in judge([], [book("a", "b")], history("a")).unrecorded] == ["b"]
    assert judge([], [book("a", "b")], None).unrecorded == ()


def test_a_gap_in_the_history_is_found_across_readings() -> None:
    rows = history("a")
    rows.add([HistoryRow("ann", 3, 1, "new", "INBOX", "c")])
    assert [f.what for f in judge([], [], rows).history_gaps] == ["seq 2..2"]


def test_overdue_only_after_the_grace() -> None:
    message, books = accepted("a", started=989.0), {"ann": [book()]}
    assert checker.overdue([message], books, NOW, grace=15.0) == []
    late = checker.overdue([message], books, NOW, grace=5.0)
    assert [(f.what, f.age) for f in late] == [("a", 10.0)]


def test_settled() -> None:
    books = {"ann": [book("a"), book(device="d2")]}
    assert not checker.settled(accepted("a"), books)
    books["ann"][1].took([DeliveredChange(1, "new", "a")])
    assert checker.settled(accepted("a"), books)
    assert checker.settled(DeliveredMessage("r", "ann", 1.0, 2.0, Outcome.REFUSED), books)
    assert not checker.settled(DeliveredMessage("s", "ann", 10.0), books)


def test_any_single_planted_fault_in_a_random_run_is_found() -> None:
    """Drop or repeat one change of one device in many random histories: exactly that one is named."""
    for seed in range(60):
        chance = random.Random(seed)
        ids = [f"m{n}" for n in range(chance.randint(2, 30))]
        victim = chance.randrange(len(ids))
        whole, torn = book(*ids), DeviceBook("ann", "torn")
        torn.registered(5.0)
        changes = [DeliveredChange(n + 1, "new", one) for n, one in enumerate(ids)]
        doubled = bool(seed % 2)
        torn.took(changes[: victim + 1] if doubled else changes[:victim])
        torn.took(changes[victim if doubled else victim + 1 :])
        found = judge([accepted(one) for one in ids], [whole, torn], history(*ids), {"ann": len(ids)})
        assert [f.device for f in found.lost] == ([] if doubled else ["torn"])
        assert [f.what for f in found.lost] == ([] if doubled else [ids[victim]])
        assert [f.what for f in found.doubled] == ([f"seq {victim + 1}"] if doubled else [])


def test_plain_id() -> None:
    assert plain_id(" <a@b> ") == plain_id("a@b") == "a@b"
