"""Each rule of the specification left out, and what TLC must then find broken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tests.proof.spec.checking import LIVE, SMALL, Configuration


@dataclass(frozen=True, slots=True)
class SpecAblation:
    """A model without one rule."""

    model: Configuration
    breaks: frozenset[str]  # one of these is found first


# Two servers show each of them, and sooner.
_TWO = replace(SMALL, servers=2)
_WRITER, _READER = replace(_TWO, reads=0), replace(_TWO, writes=0)
_LATE = frozenset({"NothingLate", "NoLeaseIsLeftBehind"})
_LOST = frozenset({"NoAcknowledgedWriteIsLost"})
_ALL = frozenset({"failover", "degrade", "protect"})


def _without(rule: str, model: Configuration) -> Configuration:
    return replace(model, left_out=frozenset({rule}))


ABLATIONS: Mapping[str, SpecAblation] = {
    "the wait for the leases' end": SpecAblation(_without("LeaseWait", _READER), _LATE),
    "the second look": SpecAblation(_without("SecondLook", _READER), _LATE),
    "the wait beyond the clocks' drift": SpecAblation(replace(_READER, slack=0), _LATE),
    "counting the lease from before the sending": SpecAblation(_without("FromSending", _READER), _LATE),
    "synchronous replication": SpecAblation(_without("Synchronous", _WRITER), _LATE | _LOST),
    "the degrade's compare-and-set": SpecAblation(_without("ByLedger", _WRITER), _LATE | _LOST),
    "the proof that the database lived": SpecAblation(
        _without("ProofOfLife", _TWO), frozenset({"NothingShownIsLost"})),
    "forgetting the renewal when a lease is given up": SpecAblation(_without("Forgets", _READER), _LATE),
    "refusing a failover while the ledger says STALE": SpecAblation(_without("SyncOnly", _WRITER), _LATE | _LOST),
    "the guard's compare-and-set": SpecAblation(_without("Compares", _WRITER), _LATE | _LOST),
    "the fence": SpecAblation(_without("FenceStops", _READER), _LATE),
    "protect's wait for the secondary": SpecAblation(
        _without("CatchesUp", replace(_WRITER, orders=_ALL)), _LOST),
}

LIVE_ABLATIONS: Mapping[str, SpecAblation] = {
    "the guard's failover": SpecAblation(
        replace(LIVE, orders=LIVE.orders - {"failover"}), frozenset({"liveness"})),
    "the guard's degrade": SpecAblation(replace(LIVE, orders=LIVE.orders - {"degrade"}), frozenset({"liveness"})),
    "the guard's rejoin": SpecAblation(replace(LIVE, orders=LIVE.orders - {"rejoin"}), frozenset({"liveness"})),
}
