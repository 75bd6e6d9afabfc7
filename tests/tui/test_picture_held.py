"""The picture of last time stays until there is a look at the pool, and no longer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.tui.samples import SampleFeed, healthy
from tuiha.model.facts import Snapshot
from tuiha.tui.app import Dashboard
from tuiha.tui.looks import Looks


@pytest.mark.parametrize(("snapshot", "held"), [(None, True), (healthy(), False)])
async def test_a_look_that_came_before_the_screen_ends_it(snapshot: Snapshot | None, held: bool) -> None:
    looks = replace(Looks(), pictured=True)
    app = Dashboard(SampleFeed(snapshot), "corp-east", looks.palette(), looks=looks)
    async with app.run_test():
        assert app._holding is held
