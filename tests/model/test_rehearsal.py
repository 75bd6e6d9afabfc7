"""What a rehearsal of the way back shows, one obstacle at a time."""

from __future__ import annotations

from typing import Any

import pytest

from tuiha.model.databases.way_back import LogIn, Needs, Rehearsal, obstacles
from tuiha.model.quotes import slot

GOOD = LogIn(None, "70", False, "db1")


def found(secondary: bool | None = False, leading: dict[str, str] | None = None, **fields: Any) -> list[Any]:
    """Obstacles of db1 on its way to db2, of system 70."""
    values: dict[str, Any] = {"system_identifier": "70", "replication": GOOD, "copy": GOOD, "rewind": GOOD} | fields
    return list(obstacles(Rehearsal("db1", "db2", **values), "70", leading or {}, secondary))


def test_nothing_is_in_the_way() -> None:
    assert found() == []
    assert found(settings={"primary_slot_name": slot("db1"), "hot_standby": "on"}) == []


@pytest.mark.parametrize(("system", "value", "remedy"), [
    (None, "holds no database", "plan rejoin db1"), ("9", "holds system 9", "another database cluster"),
])
def test_the_data_folder_is_of_another_system_or_empty(system: str | None, value: str, remedy: str) -> None:
    (one,) = found(system_identifier=system)
    assert one.needs is Needs.IDENTITY
    assert value in one.value
    assert remedy in one.remedy


@pytest.mark.parametrize(("used", "value"), [("mine", "mine"), ("", "none")])
def test_the_slot_is_another_one(used: str, value: str) -> None:
    (one,) = found(settings={"primary_slot_name": used})
    assert (one.needs, one.value) == (Needs.SLOT, value)


@pytest.mark.parametrize(("what", "where"), [
    ("replication", "primary_conninfo of db1"), ("copy", "COPY of db1's agent"), ("rewind", "REWIND of db1's agent"),
])
def test_a_log_in_that_is_not_let_in(what: str, where: str) -> None:
    for login, value, known in (
        (None, f"{where} was not tried", False),
        (LogIn("no password"), f"{where}: no password", True),
        (LogIn(None, "9", False, "db1"), f"{where} leads to system 9", True),
    ):
        tried: dict[str, Any] = {what: login}
        (one,) = found(**tried)
        assert (one.value, one.known) == (value, known)


@pytest.mark.parametrize(("now", "there", "value"), [
    (False, True, "leads to a secondary"), (True, False, "leads to a primary"), (None, True, None), (True, None, None),
    (False, False, None), (True, True, None),
])
def test_a_log_in_that_leads_to_the_wrong_one_of_the_pair(
    now: bool | None, there: bool | None, value: str | None
) -> None:
    seen = found(now, copy=LogIn(None, "70", there, "db1"), replication=LogIn(None, "70", now, "db1"),
                 rewind=LogIn(None, "70", now, "db1"))
    assert [value in one.value for one in seen if value is not None] == ([True] if value else [])
    assert len(seen) == (value is not None)


def test_it_would_follow_under_another_name() -> None:
    (one,) = found(replication=LogIn(None, "70", False, "walreceiver"))
    assert "would follow as 'walreceiver'" in one.value
    assert found(copy=LogIn(None, "70", False, "walreceiver")) == []
