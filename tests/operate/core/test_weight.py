"""Which facts void a plan when they change: what makes another decision of it, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from tuiha.model.databases.durability import Gap
from tuiha.model.operations.evidence import Loses
from tuiha.model.operations.plans import Extent, Loss, Unit, nothing, something
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.plans.plan import Plan, plan_id
from tuiha.operate.plans.weight import voided_by
from tuiha.operate.run.apply import refuse_unless_same

SYSTEM = "7574021387012345678"
Facts = dict[str, Any]


def facts() -> Facts:
    return {
        "ledger": {"epoch": 4, "active": "db1", "standby": "SYNC", "phase": "STEADY", "system_identifier": SYSTEM,
                   "timeline": 1},
        "databases": {
            "db1": {"role": "PRIMARY", "system_identifier": SYSTEM, "timeline": 1, "followers": {"db2": "sync"},
                    "agent": True},
            "db2": {"role": "SECONDARY", "system_identifier": SYSTEM, "timeline": None, "followers": {},
                    "agent": True}},
        "servers": {"s1": {"database": "db1", "epoch": 4}, "s2": "no answer"},
    }


ON_PARTNER = nothing(Loses.ON_PARTNER(partner="db2"))


def plan(found: Facts, loss: Loss = ON_PARTNER) -> Plan:
    number = plan_id("failover", ("db2",), found)
    return Plan(number, "west", "failover", ("db2",), "db2", (), (), loss, 0.0, 1.0, found, {})


def changed(change: Callable[[Facts], None]) -> tuple[Plan, Plan]:
    after = deepcopy(facts())
    change(after)
    return plan(facts()), plan(after)


def set_in(*path: str, to: Any) -> Callable[[Facts], None]:
    def change(found: Facts) -> None:
        for name in path[:-1]:
            found = found[name]
        found[path[-1]] = to

    return change


MOVES = {
    "the secondary is let go": set_in("databases", "db1", "followers", to={}),
    "it streams asynchronously": set_in("databases", "db1", "followers", "db2", to="async"),
    "the active one falls silent": set_in("databases", "db1", to="no answer"),
    "the secondary falls silent": set_in("databases", "db2", to="no answer"),
    "a server's lease ends": set_in("servers", "s1", to={"database": None, "epoch": None}),
    "a server falls silent": set_in("servers", "s1", to="no answer"),
    "a server is back": set_in("servers", "s2", to={"database": "db1", "epoch": 4}),
    "a server is new": set_in("servers", "s3", to="answers"),
    "an agent is configured": set_in("databases", "db2", "agent", to=False),
}
WEIGHTY = {
    "epoch": set_in("ledger", "epoch", to=5), "active": set_in("ledger", "active", to="db2"),
    "standby": set_in("ledger", "standby", to="STALE"), "phase": set_in("ledger", "phase", to="FAILOVER"),
    "the ledger's system": set_in("ledger", "system_identifier", to="1"),
    "the ledger's timeline": set_in("ledger", "timeline", to=2),
    "a rival": set_in("databases", "db2", "role", to="PRIMARY"),
    "a demotion": set_in("databases", "db1", "role", to="SECONDARY"),
    "a foreign database": set_in("databases", "db2", "system_identifier", to="1"),
    "a promotion in place": set_in("databases", "db1", "timeline", to=2),
}


@pytest.mark.parametrize("what", MOVES)
def test_what_the_checks_judge_again_voids_nothing(what: str) -> None:
    old, new = changed(MOVES[what])
    assert old.id != new.id  # negative control: by the id alone it was void
    refuse_unless_same(old, new)


@pytest.mark.parametrize("what", WEIGHTY)
def test_what_makes_another_decision_voids(what: str) -> None:
    old, new = changed(WEIGHTY[what])
    with pytest.raises(OperationRefused, match=r"is void, the pool has changed: .* -> "):
        refuse_unless_same(old, new)


def test_a_rival_that_was_silent_before_voids_and_one_that_gave_up_does_not() -> None:
    silent, stray = deepcopy(facts()), deepcopy(facts())
    silent["databases"]["db2"] = "no answer"
    stray["databases"]["db2"]["role"] = "PRIMARY"
    assert voided_by(plan(silent), plan(facts())) is None
    assert voided_by(plan(silent), plan(stray)) is not None
    assert voided_by(plan(stray), plan(facts())) is None
    away = deepcopy(facts())
    away["databases"]["db1"] = "no answer"
    assert voided_by(plan(away), plan(facts())) is None  # `disputed` stops that failover, and says why


def test_a_loss_that_was_not_told_voids_and_figures_that_move_do_not() -> None:
    told, more = (plan(facts(), Loss(Extent.UP_TO, Loses.FOR_GOOD(devices=number, changes=number), number, Unit.ROWS))
                  for number in (3, 17))
    assert voided_by(told, more) is None
    lost = something(Loses.HOLES(partner="db2", gaps=[Gap.NOBODY], why="nobody is waited for"))
    found = voided_by(plan(facts()), plan(facts(), lost))
    assert found == ({"loses": "Nothing is lost. Every acknowledged write is on db2"},
                     {"loses": "Every write that db2 does not have: nobody is waited for"})
    other = something(Loses.HOLES(partner="db2", gaps=[Gap.STRANGER], why="nobody is waited for"))
    assert voided_by(plan(facts(), lost), plan(facts(), other)) is not None
    assert voided_by(told, plan(facts())) is None


def of_users(**servers: Facts) -> Plan:
    return plan({"servers": servers, "active": "db1", "epoch": 4})


def part(now: str, capacity: int = 10) -> Facts:
    return {"part": now, "capacity": capacity}


@pytest.mark.parametrize(("before", "after"), [
    ("gives", "takes"), ("apart", "takes"), ("keeps", "takes"), ("gives", "keeps"), ("apart", "keeps"),
])
def test_a_server_that_returns_voids_no_plan_that_moves_users(before: str, after: str) -> None:
    old, new = of_users(s1=part("takes"), s2=part(before)), of_users(s1=part("takes"), s2=part(after))
    assert old.id != new.id
    refuse_unless_same(old, new)
    assert voided_by(new, old) == ({"servers": {"s2": {"part": after}}}, {"servers": {"s2": {"part": before}}})


def test_a_server_that_joins_voids_no_plan_that_moves_users_and_one_that_is_gone_does() -> None:
    two, three = of_users(s1=part("takes"), s2=part("takes")), of_users(s1=part("takes"), s2=part("takes"),
                                                                        s3=part("takes"))
    assert voided_by(two, three) is None
    assert voided_by(three, two) is not None
    assert voided_by(two, of_users(s1=part("takes"), s2=part("takes", 20))) is not None


def test_other_facts_of_other_operations_void_and_so_does_a_plan_that_was_written_by_hand() -> None:
    old, new = ({"servers": {"s1": {"part": part, "capacity": 10}}, "active": "db1"} for part in ("takes", "gives"))
    assert voided_by(plan(old), plan(new)) == ({"servers": {"s1": {"part": "takes"}}},
                                               {"servers": {"s1": {"part": "gives"}}})
    assert voided_by(replace(plan(facts()), id="0123"), plan(facts())) == ({}, {})
