"""Messages that somebody else than the mailer put into mailboxes while a load runs: a file of one JSON object a line.

The checker treats them as any accepted message. Their times are of this machine's monotonic clock, as the load's are.
"""

from __future__ import annotations

import json
from pathlib import Path

from tuiha.lab.load.books import DeliveredMessage, Outcome


def plant(path: Path, message: DeliveredMessage) -> None:
    """Add a message that a mail server accepted; its place must be known."""
    assert message.place is not None
    mailbox, uid = message.place
    line = json.dumps({"id": message.id, "user": message.user, "started_at": message.started_at,
                       "ended_at": message.ended_at, "mailbox": mailbox, "uid": uid})
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def read_planted(path: Path | None) -> list[DeliveredMessage]:
    """All messages that were added so far; none without a file."""
    if path is None or not path.exists():
        return []
    return [
        DeliveredMessage(one["id"], one["user"], one["started_at"], one["ended_at"], Outcome.ACCEPTED,
                         (one["mailbox"], one["uid"]))
        for one in map(json.loads, path.read_text(encoding="utf-8").splitlines())
    ]
