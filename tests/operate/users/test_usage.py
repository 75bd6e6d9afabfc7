"""What an operator reads who gives a kind too few targets, or too many."""

from __future__ import annotations

import re

import pytest

from tuiha.model.operations.catalogue import misuse


@pytest.mark.parametrize(("kind", "target", "said"), [
    ("drain", (), r"drain takes SERVER\.\.\.$"),
    ("move", ("ann",), "move takes USER SERVER, not ann$"),
    ("rebalance", ("s1",), "rebalance takes no target, not s1$"),
    ("failover-mail", ("mail1", "mail2"), "failover-mail takes MAIL, not mail1 mail2$"),
    ("switchover", ("db1", "db2"), r"switchover takes \[DATABASE\], not db1 db2$"),
    ("drain", ("s1", "s1"), "drain was given s1 s1: name each once$"),
])
def test_the_kind_says_what_it_takes(kind: str, target: tuple[str, ...], said: str) -> None:
    assert re.match(said, misuse(kind, target, {}))
