from __future__ import annotations

from dataclasses import replace

import pytest

from tuiha.server.database.identity import DatabaseIdentity, Expected, WrongDatabase, verify

RIGHT = DatabaseIdentity("7001", 1, True, "demo", 3, "db1", "ACTIVE")


def test_the_active_database_of_the_pool_is_right() -> None:
    verify("db1", RIGHT, "demo", Expected(3, "db1", "7001"), "7001")
    verify("db1", RIGHT, "demo", None, None)


@pytest.mark.parametrize(
    ("found", "expected", "words"),
    [
        (replace(RIGHT, system_identifier="7002"), None, "another database system"),
        (RIGHT, Expected(3, "db1", "7002"), "the ledger says 7002"),
        (replace(RIGHT, pool=None), None, "holds no pool yet"),
        (replace(RIGHT, pool="west"), None, "belongs to the pool 'west'"),
        (replace(RIGHT, writable=False), None, "is a secondary"),
        (replace(RIGHT, active="db2"), None, "says that db2 is active"),
        (replace(RIGHT, state="FENCED"), None, "fenced"),
        (RIGHT, Expected(4, "db1"), "is in epoch 3"),
        (RIGHT, Expected(3, "db2"), "the pool is on db2"),
        (replace(RIGHT, epoch=4), Expected(3, "db1"), "is in epoch 4"),
        (replace(RIGHT, timeline=2), Expected(3, "db1", "7001", 1), "db1 is on timeline 2, and epoch 3"),
    ],
)
def test_anything_else_is_refused_with_the_reason(
    found: DatabaseIdentity, expected: Expected | None, words: str
) -> None:
    with pytest.raises(WrongDatabase, match=words):
        verify("db1", found, "demo", expected, "7001")
