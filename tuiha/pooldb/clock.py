"""The clock that leases are measured by."""

from __future__ import annotations

import time


def boottime() -> float:
    """Seconds since the machine started, suspended time included.

    A server that was suspended must find its lease gone when it wakes; a clock that stops in suspend would not tell.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME)
