"""Signals, told to the loop that draws, however much else it has been told and has not done yet."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

_AT_ONCE = 4096  # bytes; a byte a signal


@contextmanager
def on_signals(numbers: Iterable[signal.Signals], call: Callable[[], object]) -> Iterator[None]:
    """Meanwhile the call is made on the loop that runs now when one of these signals comes. In the main thread only.

    `loop.add_signal_handler` is not used: it has the signal's number come through the socket that wakes the loop up,
    which is full, and the signal lost, when a thread has told the loop some three hundred things that it has not got
    round to, keys that were pasted for instance. Here signals have a pipe of their own.
    """
    loop, wanted = asyncio.get_running_loop(), frozenset(numbers)
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)

    def read() -> None:
        with suppress(BlockingIOError):
            if wanted.intersection(os.read(reading, _AT_ONCE)):
                call()

    loop.add_reader(reading, read)
    woken = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    before = {number: signal.signal(number, _noted) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(woken)
        loop.remove_reader(reading)
        for end in (reading, writing):
            os.close(end)


def _noted(number: int, frame: object) -> None:
    """Nothing more: the signal's number is in the pipe."""
