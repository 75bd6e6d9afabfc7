"""Who is monitored here, and by which right."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bound:
    """A user that is bound to this server. The generation is the right to record this user's changes."""

    user_id: int
    name: str  # the user's log-in name, also at the mail cluster
    cluster: str  # name of the mail cluster that holds the mailbox
    generation: int


class Superseded(Exception):
    """The binding is another server's now, or has another generation: nothing was written, and nothing may be."""
