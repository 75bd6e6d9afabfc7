"""What the section `ledger` may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.test_load import GOOD, refused, write
from tuiha.config.load import load
from tuiha.drivers.factory import open_ledger
from tuiha.drivers.ledgers.etcd import EtcdLedger
from tuiha.drivers.ledgers.file import FileLedger

ETCD = 'endpoints: ["http://127.0.0.1:2379", "https://etcd2.example.org:2379"]'


def test_a_path_is_a_file(tmp_path: Path) -> None:
    pool = load(write(tmp_path, GOOD + "ledger: {path: ledger.json}\n"))
    assert pool.ledger is not None
    assert (pool.ledger.driver, pool.ledger.place) == ("file", "ledger.json")
    ledger = open_ledger(pool, tmp_path)
    assert isinstance(ledger, FileLedger)
    assert ledger.path == tmp_path / "ledger.json"


@pytest.mark.parametrize("driver", ["", "driver: etcd, "])
def test_endpoints_are_etcd_and_never_a_file_by_oversight(tmp_path: Path, driver: str) -> None:
    pool = load(write(tmp_path, GOOD + f"ledger: {{{driver}path: ledger.json, {ETCD}}}\n"))
    assert pool.ledger is not None
    assert pool.ledger.driver == "etcd"
    assert pool.ledger.place == "etcd, http://127.0.0.1:2379, https://etcd2.example.org:2379"
    assert isinstance(open_ledger(pool, tmp_path), EtcdLedger)


@pytest.mark.parametrize(("section", "what"), [
    ("{driver: file}", "ledger: has no path; write path: ledger.json"),
    ("{driver: etcd, path: x}", "ledger: names no endpoints; write endpoints: [https://etcd1.example.org:2379, ...]"),
    (f"{{{ETCD}, user: tuiha}}", "ledger: has a user without a password, or a password without a user"),
    (f"{{{ETCD}, password: secret}}", "ledger.password: a secret is never written in the configuration itself"),
    (f"{{{ETCD}, prefix: tuiha}}", "ledger.prefix: is not a path of keys"),
    (f"{{{ETCD}, timeout: 0}}", "ledger.timeout: "),
    ('{endpoints: ["etcd1:2379"]}', "ledger.endpoints[0]: is not an address of a server"),
    ('{endpoints: ["http://192.0.2.1:2379"]}', "ledger.endpoints[0]: plain text would leave this machine"),
])
def test_what_is_refused(tmp_path: Path, section: str, what: str) -> None:
    lines = refused(tmp_path, GOOD + f"ledger: {section}\n")
    assert len(lines) == 1
    assert what in lines[0]
