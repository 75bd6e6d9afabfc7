"""What the section `database` may say of a pair under Patroni."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.test_load import GOOD, refused, write
from tuiha.config.load import load
from tuiha.config.tls import for_patroni
from tuiha.drivers.factory import open_authority, open_ledger
from tuiha.drivers.ledgers.patroni import PatroniLedger

NODES = GOOD.replace('address: "127.0.0.1:5432"}', 'address: "127.0.0.1:5432", rest: "http://127.0.0.1:8008"}').replace(
    'address: "[::1]:5433"}', 'address: "[::1]:5433", rest: "https://[::1]:8009"}')


def managed(section: str = "") -> str:
    return NODES.replace("database:\n", f"database:\n  driver: patroni\n{section}")


def test_rest_alone_means_patroni(tmp_path: Path) -> None:
    """Two who change the roles of one pair must not be so by oversight."""
    pool = load(write(tmp_path, NODES))
    assert (pool.database.driver, pool.database.manager) == ("patroni", "Patroni")
    assert isinstance(open_ledger(pool, tmp_path), PatroniLedger)
    assert isinstance(open_authority(pool, tmp_path), PatroniLedger)
    assert for_patroni(pool.database, tmp_path) is not None
    plain = load(write(tmp_path, GOOD))
    assert (plain.database.manager, open_authority(plain, tmp_path)) == (None, None)


@pytest.mark.parametrize(("text", "what"), [
    (managed().replace(', rest: "https://[::1]:8009"', ""), "database.nodes[1]: has no address of its Patroni; write "
     "rest: https://HOST:8008"),
    (managed().replace("https://[::1]:8009", "http://127.0.0.1:8008"),
     "database.nodes[1].rest: 'http://127.0.0.1:8008' is database.nodes[0].rest already"),
    (managed().replace("https://[::1]:8009", "http://192.0.2.1:8008"),
     "database.nodes[1].rest: plain text would leave this machine, and who leads could be changed on the way"),
    (managed().replace('rest: "https://[::1]:8009"', 'rest: "https://[::1]:8009", agent: {command: [x]}'),
     "database.nodes[1].agent: stops and starts what Patroni stops and starts; take it out"),
    (managed("  patroni: {user: tuiha}\n"), "database.patroni: has a user without a password"),
    (managed("  patroni: {password: hunter2}\n"), "database.patroni.password: a secret is never written"),
])
def test_what_is_refused(tmp_path: Path, text: str, what: str) -> None:
    lines = refused(tmp_path, text)
    assert len(lines) == 1
    assert what in lines[0]
    assert "hunter2" not in lines[0]
