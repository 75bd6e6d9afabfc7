"""What the monitor counts, for the control interface and the metrics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MailServerFigures:
    """One mail server as this pool server sees and uses it."""

    name: str
    cluster: str
    in_service: bool  # the operator's word
    gone: str | None  # why this pool server has left it; None while it is used
    users: int  # that are monitored through it, or about to be
    connected: int  # of those, with a connection that is up to date
    logins: int  # a counter: tries
    errors: int  # a counter: log-ins and connections that failed
    queue: int  # users that wait for their turn to log in


@dataclass(frozen=True, slots=True)
class MonitorFigures:
    """The monitor of this pool server."""

    users: int  # bound to this server
    connected: int  # of those, with a connection that is up to date
    queue: int  # users that wait for their turn to log in
    changes: int  # a counter: rows written to the sync history
    superseded: int  # a counter: monitors that ended because their generation was over
    servers: tuple[MailServerFigures, ...]
    unreadable: int = 0  # a counter: of the changes, substitutes for messages that could not be read
