"""What a manager of the pair (Patroni) does by itself. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from tuiha.model.reports import Managed

LEADERLESS = "LEADERLESS"  # the ledger's phase while the manager has no leader

# Kind of operation -> why it is not offered on a pair that somebody else manages.
NOT_HERE: Mapping[str, str] = {
    "degrade": "{manager} does it by itself: its leader goes on alone when the secondary is gone, unless "
               "synchronous_mode_strict is on",
    "protect": "{manager} does it by itself: commits wait for the secondary again as soon as it streams",
}


def not_here(kind: str, manager: str | None) -> str:
    """Why a kind of operation is the manager's own business; empty when it is not, or when there is no manager."""
    return NOT_HERE.get(kind, "").format(manager=manager) if manager is not None else ""


def in_words(said: Managed) -> str:
    """What the manager says of a node, in a few words."""
    if said.error is not None:
        return said.error
    more = [word for word, is_so in (("paused", said.paused), ("pending restart", said.pending_restart)) if is_so]
    return ", ".join([said.role or "role unknown", said.state or "state unknown", *more])
