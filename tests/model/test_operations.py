"""The catalogue of operations: whole in itself, a class for each kind, and what the documentation says of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tuiha.cli.commands.operate import devices, plan, users
from tuiha.model.databases.managed import NOT_HERE
from tuiha.model.operations import catalogue
from tuiha.model.operations.catalogue import (
    KEYS,
    OPERATIONS,
    REASON,
    WAY,
    Form,
    Group,
    Takes,
    misuse,
    of_group,
    shell_words,
    takes,
)
from tuiha.operate.catalogue import KINDS
from tuiha.operate.database.leftover import LeftoverWay
from tuiha.operate.patroni.kinds import Dispatched

DOCS = Path(__file__).parents[2] / "docs"


def rows(document: str, head: str) -> list[list[str]]:
    """The cells of the table below a row that begins so."""
    lines = (DOCS / document).read_text().splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith(head)) + 2
    end = next(place for place in range(start, len(lines)) if not lines[place].startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[start:end]]


def test_every_kind_has_a_class_and_every_class_a_kind() -> None:
    assert set(KINDS) == set(OPERATIONS)
    assert {name: make().name for name, make in KINDS.items()} == {name: name for name in OPERATIONS}
    assert {name: kind.name for name, kind in OPERATIONS.items()} == {name: name for name in OPERATIONS}


def test_a_manager_does_by_itself_what_is_not_offered_beside_it() -> None:
    for kind in of_group(Group.DATABASE):
        made = KINDS[kind.name]()
        assert isinstance(made, Dispatched)
        assert made.managers is (kind.name in NOT_HERE), kind


def test_what_one_kind_says_of_another_is_so() -> None:
    for kind in OPERATIONS.values():
        assert not kind.opposite or kind.opposite in OPERATIONS, kind
        assert all(option.choices for option in kind.options if option.form is Form.CHOICE), kind
    assert {kind for key in KEYS for kind in key.kinds} <= set(OPERATIONS)
    assert len({key.id for key in KEYS}) == len(KEYS)
    offered = {kind.name for kind in OPERATIONS.values() if kind.offer}
    assert offered == {kind for key in KEYS if len(key.kinds) > 1 for kind in key.kinds}
    assert set(WAY.choices) == set(LeftoverWay)
    assert {name: kind.name for name, kind in shell_words("users").items()} == {
        "disable": "disable-user", "enable": "enable-user", "forget": "forget-user"}


@pytest.mark.parametrize(("usage", "least", "most"), [
    ("", 0, 0), ("SERVER", 1, 1), ("SERVER...", 1, None), ("USER SERVER", 2, 2), ("[DATABASE]", 0, 1),
    ("[TEXT...]", 0, None),
])
def test_how_many_words_are_taken(usage: str, least: int, most: int | None) -> None:
    taken = takes(usage)
    assert (taken.usage, taken.least, taken.most) == (usage, least, most)
    assert not taken.fits(least - 1)
    assert taken.fits(least)
    assert taken.fits(99) is (most is None)
    assert (taken.at(5) is None) is (most is not None)
    assert Takes().at(0) is None


@pytest.mark.parametrize("number", [1, 2, 4])
def test_several_servers_are_drained_and_enabled_at_once(number: int) -> None:
    servers = tuple(f"s{place}" for place in range(number))
    assert misuse("drain", servers, {"rate": "5"}) == misuse("enable", servers, {}) == ""


@pytest.mark.parametrize(("kind", "options", "said"), [
    ("drian", {}, "there is no kind of operation 'drian'; did you mean 'drain'?"),
    ("rebalance", {"rat": "5"}, "rebalance has no option 'rat'; did you mean 'rate'?"),
    ("enable-user", {"reason": "why"}, "enable-user has no option 'reason'; it has none"),
    ("rebalance", {"rate": "-1"}, "option rate is '-1'; write a number from 0 to 100000"),
    ("rebalance", {"in-flight": "many"}, "option in-flight is 'many'; write a number from 1 to 200"),
    ("reclaim", {"way": "out"}, "there is no way 'out'; there are release, back, finish"),
])
def test_a_wrong_question_says_what_is_right(kind: str, options: dict[str, str], said: str) -> None:
    assert misuse(kind, ("ann",) if kind == "enable-user" else (), options) == said


@pytest.mark.parametrize(("kind", "target", "title"), [
    ("move", ("ann", "s1"), "move ann to s1"), ("revoke-device", ("ann", "phone"), "revoke phone of ann"),
    ("switchover", (), "switch over to the secondary"), ("switchover", ("db2",), "switch over to db2"),
    ("drain", ("s2", "s3"), "drain s2 s3"), ("disable-user", ("ann",), "disable ann"),
    ("rebalance", (), "rebalance users"), ("move", ("ann",), "move ann"), ("degrade", ("db2",),
                                                                        "continue without the secondary db2"),
])
def test_titles(kind: str, target: tuple[str, ...], title: str) -> None:
    assert OPERATIONS[kind].titled(target) == title


def test_the_table_of_kinds_in_the_documentation() -> None:
    told = {re.findall(r"`([^`]+)`", name)[0]: (taken, back.strip("`"))
            for name, taken, _, back in rows("operations.md", "| kind | target |")}
    assert told == {kind.name: (kind.takes.usage, kind.opposite) for kind in OPERATIONS.values()}


def test_the_table_of_a_rebalances_options_in_the_documentation() -> None:
    told = {name.strip("`"): float(usual.split()[0]) for name, usual, _ in rows("rebalance.md", "| option | default |")}
    assert told == {option.name: option.usual for option in OPERATIONS["rebalance"].options}
    text = (DOCS / "rebalance.md").read_text()
    assert all(f"`{OPERATIONS[kind].usage}`" in text for kind in ("move", "drain", "enable"))
    assert f"200 when `{catalogue.RATE.name}` is 0" in text
    assert catalogue.IN_FLIGHT.most == 200


def test_the_shells_help_has_every_kind_and_option() -> None:
    for kind in OPERATIONS.values():
        assert re.search(rf"^  {re.escape(kind.usage)}  +{re.escape(kind.help)}$", plan.HELP, flags=re.M), kind
        assert all(option.help in plan.HELP for option in kind.options)
    for command, text in (("users", users.HELP), ("devices", devices.HELP)):
        assert all(f"  tuiha {command} {word} NAME" in text for word in shell_words(command))
    assert [kind.name for kind in OPERATIONS.values() if kind.keeps_reason] == [
        "failover-mail", "pause-guard", "disable-user", "revoke-device"]
    assert REASON in OPERATIONS["failover-mail"].options
