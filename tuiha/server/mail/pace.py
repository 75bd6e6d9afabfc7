"""Every deadline and interval of the monitor in one place. Seconds, unless a line says otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient the monitor is."""

    deadline: float = 10.0  # of one call to a mail server
    turn: float = 2.0  # that a user's log-in keeps a turn from the others: one that hangs stalls nobody else
    look: float = 60.0  # a mailbox is looked at after so long at most, whatever IDLE says: some servers forget to tell
    probe_interval: float = 0.5  # between keep-alive probes of one mail server
    probe_deadline: float = 1.0  # a mail server that is silent for longer is gone
    gone_interval: float = 5.0  # between probes of a mail server that is gone and not needed
    look_interval: float = 2.0  # between whole looks of the probe, with a log-in, that users' trouble asks for
    user_failures: int = 3  # a single user that fails so often in a row tries the next mail server
    backoff: float = 0.5  # a user's first pause after a failure is random up to this
    backoff_limit: float = 30.0  # and doubles up to this
    database_backoff: float = 0.25
    database_backoff_limit: float = 2.0
    gather: float = 0.1  # after a connection ended: those that end together with it are known then
    settled: float = 10.0  # a connection that lasted so long makes earlier failures forgotten
    quiet_settled: float = 2.0  # and one that ended while it was quiet: what ended it is seldom the mailbox
    transactions: int = 4  # at the same time; the other database connections are the devices'


def pause(failures: int, first: float, limit: float, random: Random) -> float:
    """Seconds to wait after `failures` failures in a row (1 or more): full jitter, doubling, bounded."""
    return random.uniform(0.0, min(limit, first * 2.0 ** min(failures - 1, 30)))
