"""The runner's own program, which dies in a chosen step and cannot reach a chosen server: `start.RUNNER` names it.

TUIHA_TEST_DIES=3: it kills itself when step 3 has done its work and nothing says so yet, going forward.
TUIHA_TEST_CUT=PORT: no connection of it to this port of the loopback is made.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from typing import Any

from tuiha.operate.run import attempt as stepping
from tuiha.operate.run import runner

DIES, CUT = "TUIHA_TEST_DIES", "TUIHA_TEST_CUT"


def cut_off(port: int) -> None:
    """From now on nothing connects to this port."""
    real = asyncio.selector_events.BaseSelectorEventLoop.sock_connect

    async def sock_connect(self: Any, sock: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[1] == port:
            raise ConnectionRefusedError(f"cut off from {port}")
        await real(self, sock, address)

    vars(asyncio.selector_events)["BaseSelectorEventLoop"].sock_connect = sock_connect


def dies_in(step: int) -> None:
    """From now on the process does not survive that step."""
    real = stepping.attempt

    async def attempt(work: Any, *more: Any) -> stepping.AttemptDone:
        done = await real(work, *more)
        if work.__name__ == "run" and work.__self__.planned.number == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    vars(runner)["attempt"] = attempt


if __name__ == "__main__":
    if os.environ.get(CUT):
        cut_off(int(os.environ[CUT]))
    if os.environ.get(DIES):
        dies_in(int(os.environ[DIES]))
    sys.exit(runner.main())
