"""The fence's thread, and the control without it."""

from __future__ import annotations

import time

from tests.drivers.conftest import Pair
from tests.server.support import attached


async def test_the_fence_cuts_while_the_event_loop_is_stuck(own_pair: Pair) -> None:
    async with attached(own_pair, lease=0.8, beside=False) as one:
        attachment = one.gate.attachment
        assert attachment is not None
        time.sleep(1.5)  # noqa: ASYNC251  the point: nothing runs on the loop
        assert attachment.wires.cut


async def test_control_without_the_fence_thread_the_sockets_stay_open(own_pair: Pair) -> None:
    async with attached(own_pair, lease=0.8, fence_interval=3600.0, beside=False) as one:
        attachment = one.gate.attachment
        assert attachment is not None
        time.sleep(1.5)  # noqa: ASYNC251
        assert not attachment.wires.cut
        one.fence._interval = 0.01
        attachment.wires.sever()
