"""What the section `guard` may say: orders that are off unless they are given, and whom they are refused to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.test_load import GOOD, refused, write
from tests.config.test_patroni import NODES
from tuiha.cli.main import main
from tuiha.config.load import load
from tuiha.model.guard.report import GuardOrder, StandingOrders

LEDGER = "ledger: {path: ledger.json}\n"
ALL = """guard:
  failover: {after: 3s}
  degrade: {after: 3s}
  rejoin: {after: 30s}
  protect: {after: 10s}
  again: 2h
"""


@pytest.mark.parametrize("section", ["", "guard:\n", "guard: {}\n", "guard: {again: 2h}\n"])
def test_no_order_is_given_unless_it_is_named(tmp_path: Path, section: str) -> None:
    assert load(write(tmp_path, GOOD + LEDGER + section)).guard.standing.after == {}


def test_orders_are_durations(tmp_path: Path) -> None:
    assert load(write(tmp_path, GOOD + LEDGER + ALL)).guard.standing == StandingOrders(
        {GuardOrder.FAILOVER: 3.0, GuardOrder.DEGRADE: 3.0, GuardOrder.REJOIN: 30.0, GuardOrder.PROTECT: 10.0}, 7200.0)


@pytest.mark.parametrize(("text", "what"), [
    (GOOD + LEDGER + "guard: {failover: }\n", "guard.failover: names no time; write {after: 3s}, or take it out"),
    (GOOD + LEDGER + "guard: {failover: {}}\n", "guard.failover.after"),
    (GOOD + LEDGER + "guard: {failover: {after: 0.1s}}\n", "guard.failover.after"),
    (GOOD + LEDGER + "guard: {failover: {after: soon}}\n", "guard.failover.after: is not a duration"),
    (GOOD + LEDGER + "guard: {switchover: {after: 3s}}\n", "guard.switchover"),
    (GOOD + "guard: {degrade: {after: 3s}}\n", "guard.degrade: needs a ledger, and the pool has none"),
    (NODES + LEDGER + "guard: {failover: {after: 3s}}\n", "guard.failover: orders what Patroni decides; take it out"),
])
def test_what_is_refused_with_its_place(tmp_path: Path, text: str, what: str) -> None:
    lines = refused(tmp_path, text)
    assert len(lines) == 1
    assert what in lines[0]


@pytest.mark.parametrize(("words", "why"), [
    (["g1"], "the configuration gives a guard no orders"),
    (["g1", "--for", "1h"], "--for is for `tuiha guard pause`"),
    (["resume", "--for", "1h"], "--for is for `tuiha guard pause`"),
    (["g1", "--reason", "x"], "--reason, --detach and --json are for pause, resume and ack"),
    (["pause", "--for", "soon"], "is not a duration"),
    (["pause", "--for", "30d"], "write a number from 1 to 10080"),
])
def test_the_command_refuses_what_it_cannot_mean(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], why: str
) -> None:
    file = write(tmp_path, GOOD + LEDGER)
    assert main(["guard", *words, "--config", str(file)]) == 2
    assert why in capsys.readouterr().err
