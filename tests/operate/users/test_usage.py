"""What an operator reads who gives a kind too few targets, or too many."""

from __future__ import annotations

import pytest

from tuiha.operate.catalogue import KINDS
from tuiha.operate.plans.kinds import Misused
from tuiha.operate.users.common import only


@pytest.mark.parametrize(("kind", "target", "said"), [
    ("drain", (), r"drain takes SERVER\.\.\.$"),
    ("move", ("ann",), "move takes USER SERVER, not ann$"),
    ("rebalance", ("s1",), "rebalance takes no target, not s1$"),
    ("failover-mail", ("mail1", "mail2"), "failover-mail takes SERVER, not mail1 mail2$"),
])
def test_the_kind_says_what_it_takes(kind: str, target: tuple[str, ...], said: str) -> None:
    with pytest.raises(Misused, match=said):
        only(KINDS[kind](), target)
